"""The command line: runs the programs against one runtime and compares with what is recorded."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.runtime_tools import machine, sources, workshop
from conformance.runtime_tools.expectations import ExpectationError, read_expected
from conformance.runtime_tools.processes import Reaper
from conformance.runtime_tools.tap import parse_tap
from conformance.runtime_tools.verdicts import (
    Result,
    classify,
    difference,
    render_left_behind,
    render_result,
    render_summary,
)
from conformance.spec import kernel

if TYPE_CHECKING:
    from conformance.runtime_tools.expectations import Expected
    from conformance.runtime_tools.sources import Suite

EXPECTED = Path(__file__).with_name("expected.toml")


def main() -> int:
    """Exit status: 0 as recorded (or nothing to run), 1 a difference, 2 the runner cannot run."""
    arguments = parse_arguments()
    problem = why_not(arguments)
    if problem:
        print(f"conformance.runtime_tools: {problem}", file=sys.stderr)
        return 2
    try:
        suite = sources.find_suite(arguments.tree, arguments.cache)
        return run_suite(arguments, suite)
    except sources.NoSuiteError as error:
        print(f"runtime-tools: its programs were not run: {error}")
        return 1 if arguments.require else 0
    except (sources.SuiteError, machine.ViewError, ExpectationError) as error:
        print(f"conformance.runtime_tools: {error}", file=sys.stderr)
        return 2


def parse_arguments() -> argparse.Namespace:
    """The options of `python3 -m conformance.runtime_tools`."""
    parser = argparse.ArgumentParser(prog="conformance.runtime_tools", description=__doc__)
    add = parser.add_argument
    add("--runtime", type=Path, required=True, help="path of the runtime")
    add("--name", help="its name in expected.toml (default: the file's name)")
    tree = os.environ.get("RUNTIME_TOOLS")
    default = Path(tree) if tree else None
    add("--tree", type=Path, default=default, help="a built source tree (default: $RUNTIME_TOOLS)")
    default = sources.default_cache()
    add("--cache", type=Path, default=default, help="of Go modules (default: %(default)s)")
    add("--require", action="store_true", help="fail where the programs are not to be had")
    add("--only", nargs="+", action="extend", metavar="NAME", help="run these programs")
    add("--json", type=Path, metavar="FILE", help="write the verdicts there")
    add("--work", type=Path, metavar="DIR", help="work here and keep it (default: a temporary one)")
    add("--timeout", type=float, default=120.0, metavar="S", help="of one program (%(default)s s)")
    views = ("host", "v1", "v2")
    add("--cgroup-view", choices=views, help="default: as expected.toml says")
    return parser.parse_args()


def why_not(arguments: argparse.Namespace) -> str | None:
    """The reason why the runner cannot run, or None."""
    if not os.access(arguments.runtime, os.X_OK) or arguments.runtime.is_dir():
        return f"{arguments.runtime} is not an executable file"
    if os.geteuid() != 0:
        return "needs root: the programs make containers, mounts and cgroups"
    return None


def run_suite(arguments: argparse.Namespace, suite: Suite) -> int:
    """Runs the programs in a mount namespace of the runner's own and prints what came of it."""
    runtime = arguments.runtime.resolve()
    name = arguments.name or arguments.runtime.name
    arguments.json = arguments.json and arguments.json.absolute()
    notes = read_expected(EXPECTED, name, frozenset()).notes
    view = arguments.cgroup_view or notes.cgroup_view
    machine.lock_cgroups()
    machine.enter_private_mounts(view)
    kernel.become_subreaper()
    expected = read_expected(EXPECTED, name, machine.read_facts())
    known = sorted(suite.programs.keys() | expected.programs.keys())
    names = choose_names(known, arguments.only)
    version = workshop.read_version(runtime)
    print(f"{name} ({version}), programs of {suite.origin}, cgroup view {view}")
    if notes.version and notes.version not in version:
        print(f"note: the verdicts on {name} were recorded with version {notes.version}")
    with tempfile.TemporaryDirectory(prefix="runtime-tools-") as directory:
        root = arguments.work.absolute() if arguments.work else Path(directory)
        shop = workshop.set_up(root, suite, runtime, notes.oci_version)
        with Reaper() as reaper:
            run = Run(suite, shop, reaper, expected, arguments.timeout)
            results = run.all(names)
        os.chdir("/")
    if arguments.json:
        about = {"runtime": name, "version": version, "view": view, "programs_of": suite.origin}
        write_json(arguments.json, about, results)
    return print_summary(results, len(known) - len(results))


def choose_names(known: list[str], only: list[str] | None) -> list[str]:
    """The programs to run. Raises SuiteError for a name that nobody knows."""
    if unknown := sorted(set(only or []).difference(known)):
        raise sources.SuiteError(f"--only names no program: {' '.join(unknown)}")
    return only or known


@dataclass(frozen=True)
class Run:
    """All that it takes to run programs and to judge them."""

    suite: Suite
    shop: workshop.Workshop
    reaper: Reaper
    expected: Expected
    seconds: float

    def all(self, names: list[str]) -> list[Result]:
        """Runs and prints one after the other."""
        results = []
        for name in names:
            result = self.one(name)
            results.append(result)
            print(render_result(result), flush=True)
            for line in render_left_behind(result):
                print(line, flush=True)
        return results

    def one(self, name: str) -> Result:
        """Runs one program and judges it."""
        expectation = self.expected.programs.get(name)
        program = self.suite.programs.get(name)
        if program is None:
            return Result(name, None, expectation)
        begun = time.monotonic()
        ended, output, left = workshop.run_in(self.shop, self.reaper, program, self.seconds)
        report = parse_tap(output)
        verdict = classify(name, ended, report)
        return Result(name, verdict, expectation, report, time.monotonic() - begun, tuple(left))


def print_summary(results: list[Result], skipped: int) -> int:
    """The differences once more, then the closing lines; returns the exit status."""
    different = [result for result in results if not result.as_expected]
    for result in different:
        print(render_result(result))
    for line in render_summary(results, skipped):
        print(line)
    return 1 if different else 0


def write_json(path: Path, about: dict[str, str], results: list[Result]) -> None:
    """The verdicts for machines."""
    programs = [describe_result(result) for result in results]
    document = {**about, "programs": programs}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def describe_result(result: Result) -> dict[str, Any]:
    """One result as JSON."""
    verdict, report, expectation = result.verdict, result.report, result.expectation
    return {
        "name": result.name,
        "verdict": verdict.kind if verdict else "missing",
        "why": verdict.why if verdict else "",
        "expected": expectation.verdict if expectation else None,
        "reason": expectation.reason if expectation else "",
        "unexpected": difference(result),
        "ok": report.passed if report else 0,
        "not_ok": [failure.text for failure in report.failures] if report else [],
        "skipped": report.skipped if report else 0,
        "seconds": round(result.seconds, 2),
        "left_behind": list(result.left_behind),
    }
