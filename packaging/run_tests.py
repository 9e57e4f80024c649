"""Runs the levels of tests that this machine can, and says what it left out and why.

Unit, property and contract tests run on every CPython 3.11-3.13 that is present; the root and the
hostile level with the production interpreter (a build of pyoci on the distribution's libraries),
and the smoke tests of the former with a build on each of the others.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINORS = (11, 12, 13)
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)

# pytest's status where no test was selected.
NO_TESTS = 5

WITHOUT_ROOT = "not root and not hostile and not vm and not slow and not clients"
ROOT_LEVEL = "root and not vm and not slow and not clients"
HOSTILE = "hostile and not slow"
SMOKE = "smoke and not slow"
NOT_RUN = (
    ("slow", "`.venv/bin/python -m pytest -m slow` runs them, as .ci/run does"),
    ("vm", "needs a guest kernel"),
    ("clients", "`make test-clients` runs them"),
)


@dataclass
class Part:
    """One run of a level on an interpreter, and how it ended."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    skips: tuple[str, ...] = ()


def find_interpreters(production: str) -> dict[int, str]:
    """The interpreters to test, by minor version: from the distribution, pyenv or PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    found = {}
    minor = read_minor(production)
    if minor is not None:
        found[minor] = production
    for minor in MINORS:
        name = f"python3.{minor}"
        directories = [Path("/usr/bin"), *sorted(pyenv.glob(f"versions/3.{minor}.*/bin"))]
        directories += [Path(entry) for entry in os.get_exec_path()]
        for directory in directories:
            if minor not in found and read_minor(str(directory / name)) == minor:
                found[minor] = str(directory / name)
    return dict(sorted(found.items()))


def read_minor(python: str) -> int | None:
    """The minor version of a CPython 3; None if it is none or does not start (a pyenv shim)."""
    code = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-ISc", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    name, _, version = done.stdout.strip().partition(" 3 ")
    return int(version) if name == "cpython" and version.isdigit() else None


def prepare(python: str, minor: int, production: str) -> Path | None:
    """The virtual environment of an interpreter, made where it is missing; None if it cannot be."""
    name = ".venv" if python == production else f".venv-3.{minor}"
    done = ROOT / name / "complete"
    requirements = ROOT / "packaging" / "requirements-dev.txt"
    if not done.exists() or done.stat().st_mtime < requirements.stat().st_mtime:
        command = [str(ROOT / "packaging" / "venv.sh"), python, str(ROOT / name)]
        if subprocess.run(command, check=False).returncode:
            return None
    return ROOT / name / "bin" / "python"


def run_pytest(name: str, python: Path, marker: str, runtime: Path) -> Part:
    """Run the tests of a marker expression; their output goes to ours as it comes."""
    print(f"\n--- {name} ---", flush=True)
    started = time.monotonic()
    command = [str(python), "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marker]
    environment = os.environ | {"PYOCI_RUNTIME": str(runtime)}
    lines = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return read_part(name, "".join(lines), process.returncode, time.monotonic() - started)


def read_part(name: str, output: str, status: int, seconds: float) -> Part:
    """The counts that tests/conftest.py prints last; a run that ended badly has a failure."""
    counts = COUNTS.findall(output)
    passed, failed, skipped = (int(count) for count in counts[-1]) if counts else (0, 0, 0)
    if status not in (0, NO_TESTS) and not failed:
        failed = 1
    skips = tuple(line for line in output.splitlines() if line.startswith("SKIPPED"))
    return Part(name, passed, failed, skipped, seconds, skips)


def build_for(python: Path, minor: int) -> Path | None:
    """A pyoci that runs on the interpreter of this virtual environment."""
    output = ROOT / "build" / f"3.{minor}"
    command = [str(python), "-EsB", str(ROOT / "packaging" / "build.py"), "--output", str(output)]
    failed = subprocess.run(command, check=False).returncode
    return None if failed else output / "pyoci"


def run_all(production: str) -> list[Part]:
    """Every level, in the order in which a failure tells most."""
    parts = []
    environments = {}
    for minor, python in find_interpreters(production).items():
        environment = prepare(python, minor, production)
        if environment is None:
            parts.append(Part(f"the environment of {python}", failed=1))
            continue
        environments[minor] = environment
        name = f"unit, property, contract on {python}"
        parts.append(run_pytest(name, environment, WITHOUT_ROOT, ROOT / "build" / "pyoci"))
    if os.geteuid() != 0:
        print("\nthe root level is left out: it needs root")
        return parts
    own = read_minor(production)
    for minor, environment in sorted(environments.items(), key=lambda item: item[0] != own):
        if minor == own:
            runtime = ROOT / "build" / "pyoci"
            parts.append(run_pytest("root", environment, ROOT_LEVEL, runtime))
            parts.append(run_pytest("hostile", environment, HOSTILE, runtime))
        else:
            parts.append(run_smoke(environment, minor))
    return parts


def run_smoke(environment: Path, minor: int) -> Part:
    """Some root tests on a build for another interpreter than the production one."""
    name = f"root, smoke on CPython 3.{minor}"
    runtime = build_for(environment, minor)
    return (
        Part(name, failed=1) if runtime is None else run_pytest(name, environment, SMOKE, runtime)
    )


def print_summary(parts: list[Part], tested: list[int]) -> None:
    """A line for each part, what was left out, and the sum in the form that .ci/run adds up."""
    print("\n--- summary ---")
    for part in parts:
        counts = f"{part.passed:5} passed {part.failed:3} failed {part.skipped:3} skipped"
        print(f"{counts} {part.seconds:6.1f} s  {part.name}")
        for skip in part.skips:
            print(f"      {skip}")
    for level, reason in NOT_RUN:
        print(f"not run: {level}: {reason}")
    for minor in MINORS:
        if minor not in tested:
            print(f"not run: CPython 3.{minor}: there is none")
    sums = [sum(getattr(part, name) for part in parts) for name in ("passed", "failed", "skipped")]
    print("{} passed, {} failed, {} skipped".format(*sums))


def main(arguments: list[str]) -> int:
    """Run and sum up; status 1 if anything failed."""
    parser = argparse.ArgumentParser(description="run the tests on every interpreter present")
    parser.add_argument("--production", default="/usr/bin/python3", metavar="PYTHON")
    production = parser.parse_args(arguments).production
    parts = run_all(production)
    print_summary(parts, list(find_interpreters(production)))
    return 1 if any(part.failed for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
