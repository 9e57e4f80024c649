"""`make fuzz`: a target for so many seconds, and what it found.

    python3 -m tests.fuzz.main TARGET... [--seconds N] [--seed N] [--atheris] [--input FILE]

An input is a finding if anything but a proper refusal came out, or if it took longer than a second
or more memory than it may. It is kept below --findings; `--input` runs it again. With --atheris,
which must be installed for it (PyPI), libFuzzer chooses the inputs by the code that they reach.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

NAMES = ("config", "argv", "seccomp", "state", "process", "resources", "accounts")
MAX_SECONDS = 1.0
MAX_MEMORY = 1 << 30  # of the address space: what is more is refused, and becomes a MemoryError


class Findings:
    """What was found so far: one input for each place that raised."""

    def __init__(self, target: str, directory: Path) -> None:
        """Take where inputs are kept."""
        self.target = target
        self.directory = directory
        self.places: dict[str, int] = {}

    def add(self, data: bytes, error: BaseException) -> None:
        """Count the error; the first at its place is told, and its input kept."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}"
        self.places[place] = self.places.get(place, 0) + 1
        if self.places[place] > 1:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{self.target}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        print(f"--- finding: {place}\n    input: {path}")
        traceback.print_exception(error, limit=-6)
        sys.stdout.flush()


def fuzz(name: str, seconds: float, seed: int, directory: Path) -> int:
    """Run one target; gives the number of different findings."""
    from tests.fuzz.mutate import MAKERS
    from tests.fuzz.targets import TARGETS

    random = Random(seed)  # noqa: S311  (to be repeated)
    target, make = TARGETS[name], MAKERS[name]
    findings = Findings(name, directory)
    started = time.monotonic()
    executions, slowest = 0, 0.0
    while (now := time.monotonic()) < started + seconds:
        data = make(random)
        begun = time.process_time()
        try:
            target(data)
            taken = time.process_time() - begun
            assert taken < MAX_SECONDS, f"took {taken:.1f} s"
        except Exception as error:
            findings.add(data, error)
        slowest = max(slowest, time.process_time() - begun)
        executions += 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{name}: {executions} executions in {now - started:.0f} s (seed {seed}), "
        f"slowest {slowest * 1000:.0f} ms, {memory} MiB, {len(findings.places)} findings"
    )
    return len(findings.places)


def fuzz_by_coverage(name: str, seconds: float) -> None:
    """The same with libFuzzer, which ends the process: at once when it has found something."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional

    with atheris.instrument_imports(include=["pyoci"]):
        from tests.fuzz.mutate import MAKERS
        from tests.fuzz.targets import TARGETS

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)  # noqa: S311
        made: Any = (
            MAKERS[name](random) if random.random() < 0.5 else atheris.Mutate(data, max_size)
        )
        return bytes(made[:max_size])

    words = [
        f"-max_total_time={int(seconds)}",
        "-max_len=65536",
        "-timeout=10",
        "-rss_limit_mb=2048",
    ]
    atheris.Setup([sys.argv[0], *words], TARGETS[name], custom_mutator=mutate)
    atheris.Fuzz()


def run_input(name: str, path: Path) -> None:
    """One input again, for a debugger or a look at the traceback."""
    from tests.fuzz.targets import TARGETS

    TARGETS[name](path.read_bytes())
    print(f"{name}: nothing wrong with {path}")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="names, or `all`")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("--input", type=Path)
    return parser.parse_args()


def main() -> int:
    """Run the targets one after the other; 1 if anything was found."""
    given = parse_arguments()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY * (4 if given.atheris else 1), -1))
    found = 0
    for name in NAMES if given.targets == ["all"] else given.targets:
        if given.input:
            run_input(name, given.input)
        elif given.atheris:
            fuzz_by_coverage(name, given.seconds)
        else:
            found += fuzz(name, given.seconds, given.seed, given.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
