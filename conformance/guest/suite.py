"""`make test-guest`: the tests that a guest is for, in both guests.

    uml    tests/root and tests/vm, without what is marked `qemu`; the specification's statements
           that a host may lack something for; the programs of runtime-tools about cgroups, limits
           and capabilities; under systemd what is marked so
    vm     what is marked `qemu`, under systemd; the statements that uml had to skip; what is
           marked `selinux`, in a kernel that runs SELinux

Several guests run at a time, each of them printed when it has ended: User Mode Linux has one CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from conformance.guest import placement
from conformance.guest.jobs import Guest, Runner
from conformance.guest.main import end_on_sigterm
from conformance.guest.results import (
    Part,
    join_statements,
    refused_skips,
    render_summary,
    skipped_statements,
)
from conformance.runtime_tools import sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

WORKERS = max(2, min(os.cpu_count() or 1, 4))

# Of the files for User Mode Linux, a guest each: the more, the better the workers share the time,
# and the more often a guest starts and pytest reads its files.
SHARES = 6

# Generous: a guest on a busy machine takes several times as long as on an idle one.
UML = Guest(("--kernel", "uml"), timeout=2400)
UML_SYSTEMD = Guest(("--kernel", "uml", "--systemd"), timeout=2400)
VM = Guest(("--kernel", "vm"), timeout=1200)
# Of AppArmor and SELinux a kernel runs one.
SELINUX_WORDS = ("lsm=selinux", "selinux=1", "security=selinux")
VM_SELINUX = Guest(
    ("--kernel", "vm", *[option for word in SELINUX_WORDS for option in ("--append", word)]),
    timeout=1200,
)
VM_SYSTEMD = Guest(("--kernel", "vm", "--systemd"), timeout=1200)

PYTEST = (
    *("python3", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
    *("-p", "conformance.guest.placement"),
)
# What needs nothing of the machine says the same on a host.
SPEC = ("python3", "-B", "-m", "conformance.spec", "--name", "pyoci", "--with-needs")
UML_VERDICTS, VM_VERDICTS = "uml.json", "vm.json"
TOOLS = ("python3", "-B", "-m", "conformance.runtime_tools", "--name", "pyoci")
IN_UML = "(root or vm) and not qemu and not selinux and not systemd and not slow"
IN_UML_SYSTEMD = "systemd and not qemu and not slow"
IN_VM = "qemu and not slow"
WITH_SELINUX = "tests/vm/test_selinux.py"
MARK = "pytest.mark.qemu"  # placement.py marks others
SYSTEMD_MARK = "pytest.mark.systemd"

# The programs of runtime-tools that say something else here than on a host: they are about cgroups,
# or want capabilities that a host may lack. The others run where conformance.runtime_tools does.
PROGRAMS = (
    *("linux_cgroups_*", "delete_*resources", "process_capabilities*"),
    *("process_oom_score_adj", "process_rlimits*"),
)

LEVELS = ("root", "vm")
# It is about files and make, which are the same on every kernel.
LEFT_OUT = ("test_install.py",)

# pytest and what it needs, from our environment: Debian's is too old, and they are pure Python, so
# the guest's interpreter can use them whatever ours is.
LIBRARIES = Path(sysconfig.get_path("purelib"))


@dataclass(frozen=True)
class Tools:
    """Where the programs of runtime-tools are, or come to be: a built tree, else a cache."""

    tree: Path | None
    cache: Path

    @property
    def place(self) -> Path:
        """The directory that a guest must see."""
        return self.tree or self.cache

    @property
    def options(self) -> tuple[str, str]:
        """How conformance.runtime_tools is told."""
        return ("--tree", str(self.tree)) if self.tree else ("--cache", str(self.cache))


def find_tools() -> Tools:
    """As conformance.runtime_tools would look for them."""
    tree = os.environ.get("RUNTIME_TOOLS")
    return Tools(Path(tree).resolve() if tree else None, sources.default_cache().resolve())


class Suite:
    """The parts, for one build of pyoci."""

    def __init__(self, runner: Runner, runtime: Path, tools: Tools) -> None:
        """Take what runs guests, the runtime under test, and where runtime-tools' programs are."""
        self.runner = runner
        self.runtime = runtime
        self.tools = tools

    def run_all(
        self, files: Sequence[str], marked: Sequence[str], units: Sequence[str]
    ) -> list[Part]:
        """Every part, the longest first."""
        shares = [files[number::SHARES] for number in range(SHARES)]
        return self._run(
            partial(self.test_in_vm, marked),
            *(
                partial(self.test_in_uml, f"tests/root, tests/vm ({number} of {SHARES})", share)
                for number, share in enumerate(shares, 1)
            ),
            partial(self.test_under_systemd, units),
            self.check_statements,
            self.test_with_selinux,
            self.run_programs,
        )

    def _run(self, *jobs: Callable[[], Part]) -> list[Part]:
        """The parts when all have ended, a job a worker; an error or a signal ends the guests."""
        with ThreadPoolExecutor(WORKERS) as pool:
            futures = [pool.submit(job) for job in jobs]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.runner.terminate()
                raise

    def run_programs(self) -> Part:
        """runtime-tools' programs, built on this machine; none where they are not to be had."""
        name = "uml: conformance.runtime_tools"
        try:
            suite = sources.find_suite(self.tools.tree, self.tools.cache)
        except sources.NoSuiteError as error:
            print(f"{name}: not run: {error}", flush=True)
            return Part(name, skipped=1)
        chosen = choose_programs(suite.programs)
        command = (*TOOLS, *self.tools.options, "--runtime", str(self.runtime), "--only", *chosen)
        part = self.runner.run(name, replace(UML, shares=(self.tools.place,)), command)
        # Those that were not asked for are no skips here.
        return replace(part, skipped=part.skipped - (len(suite.programs) - len(chosen)))

    def test_in_uml(self, name: str, files: Sequence[str]) -> Part:
        """Of the root level and the resources, in the guest that is faster."""
        return self.runner.run(f"uml: {name}", UML, (*PYTEST, "-m", IN_UML, *files))

    def test_under_systemd(self, files: Sequence[str]) -> Part:
        """The systemd driver."""
        name = "uml, systemd: tests/vm"
        return self.runner.run(name, UML_SYSTEMD, (*PYTEST, "-m", IN_UML_SYSTEMD, *files))

    def test_in_vm(self, files: Sequence[str]) -> Part:
        """The tests that need the other guest."""
        name = "vm: tests/root, tests/vm"
        return self.runner.run(name, VM_SYSTEMD, (*PYTEST, "-m", IN_VM, *files))

    def test_with_selinux(self) -> Part:
        """The tests of SELinux, in a kernel that runs it."""
        return self.runner.run("vm: SELinux", VM_SELINUX, (*PYTEST, "-m", "selinux", WITH_SELINUX))

    def check_statements(self) -> Part:
        """The statements that a host may skip; those that one guest skips, in the other one."""
        uml = self.runner.run("uml: conformance.spec", UML, self.spec_command(UML_VERDICTS))
        left = skipped_statements(self.read_verdicts(UML_VERDICTS))
        if not left:
            return uml
        command = self.spec_command(VM_VERDICTS, "--only", *left)
        vm = self.runner.run("vm: conformance.spec", VM, command)
        refused = refused_skips(skipped_statements(self.read_verdicts(VM_VERDICTS)))
        print("".join(f"{line}\n" for line in refused), end="", flush=True)
        return join_statements("uml, vm: conformance.spec", uml, left, vm, len(refused))

    def spec_command(self, file: str, *options: str) -> tuple[str, ...]:
        """conformance.spec on the runtime, with a file for its verdicts."""
        where = str(self.runner.results / file)
        return (*SPEC, "--runtime", str(self.runtime), "--json", where, *options)

    def read_verdicts(self, file: str) -> dict[str, Any] | None:
        """The verdicts; None if there is no file, because the run failed before."""
        try:
            document: dict[str, Any] = json.loads((self.runner.results / file).read_text())
        except FileNotFoundError:
            return None
        return document


def choose_programs(known: Iterable[str], patterns: Sequence[str] = PROGRAMS) -> list[str]:
    """Those of runtime-tools' programs that run in a guest."""
    return [
        program
        for program in sorted(known)
        if any(fnmatchcase(program, pattern) for pattern in patterns)
    ]


def find_test_files(tests: Path) -> list[Path]:
    """The files of the levels that run in guests, in an order that is always the same."""
    found = [file for level in LEVELS for file in sorted((tests / level).glob("test_*.py"))]
    return [file for file in found if file.name not in LEFT_OUT]


def find_marked_files(files: Sequence[Path]) -> list[Path]:
    """Those with tests for the QEMU guest: reading the others takes long under emulation."""
    placed = {pattern.partition("::")[0] for pattern in placement.TESTS}
    return [file for file in files if str(file) in placed or MARK in file.read_text()]


def guest_environment(runtime: Path) -> dict[str, str]:
    """The variables of the tests in a guest."""
    return {
        "PYOCI_STRICT_SKIPS": "1",
        "PYOCI_RUNTIME": str(runtime),
        "PYTHONPATH": str(LIBRARIES),
        # On the disk: /tmp is a tmpfs, which cannot be mounted with other ids before Linux 6.3.
        "TMPDIR": "/var/tmp",  # noqa: S108  (the guest's own)
    }


def main() -> int:
    """Run everything and sum up; status 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="conformance.guest.suite", description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True, help="a build for /usr/bin/python3")
    given = parser.parse_args()
    runtime = given.runtime.absolute()
    if not os.access(runtime, os.X_OK):
        print(f"conformance.guest.suite: {runtime} is not an executable file", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, end_on_sigterm)
    started = time.monotonic()
    files = find_test_files(Path("tests"))
    marked = [str(file) for file in find_marked_files(files)]
    units = [str(file) for file in files if SYSTEMD_MARK in file.read_text()]
    with tempfile.TemporaryDirectory(prefix="guest-results.") as results:
        runner = Runner(Path(results), guest_environment(runtime), (LIBRARIES,))
        suite = Suite(runner, runtime, find_tools())
        parts = suite.run_all([str(file) for file in files], marked, units)
    print(f"--- guests: {time.monotonic() - started:.0f} s ---")
    for line in render_summary(parts):
        print(line)
    return 1 if any(part.failed for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
