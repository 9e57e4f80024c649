"""Runs the statements against one runtime and compares the verdicts with the recorded ones."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from conformance.spec import catalogue, host, kernel, toolchain
from conformance.spec.case import Case, attempt
from conformance.spec.runtime import Runtime, make_runtime
from conformance.spec.verdicts import (
    Expected,
    Statement,
    Verdict,
    difference,
    read_expected,
    selected,
    summary,
)

EXPECTED = Path(__file__).with_name("expected.toml")


def main() -> int:
    """Exit status: 0 as recorded, 1 a difference, 2 the suite cannot run."""
    arguments = parse_arguments()
    statements = selected(
        list(catalogue.STATEMENTS), arguments.only, with_needs=arguments.with_needs
    )
    if arguments.list:
        print_catalogue(statements)
        return 0
    problem = why_not(arguments)
    if problem:
        print(f"conformance.spec: {problem}", file=sys.stderr)
        return 2
    try:
        probe = toolchain.build_probe()
        return run_suite(arguments, statements, probe)
    except toolchain.NoCompilerError as error:
        print(f"conformance.spec: {error}", file=sys.stderr)
        return 2


def parse_arguments() -> argparse.Namespace:
    """The options of `python3 -m conformance.spec`."""
    parser = argparse.ArgumentParser(prog="conformance.spec", description=__doc__)
    parser.add_argument("--runtime", type=Path, help="path of the runtime")
    parser.add_argument("--name", help="its name in expected.toml (default: the file's name)")
    only = "parts of ids, or shell patterns"
    parser.add_argument("--only", nargs="+", default=[], metavar="PATTERN", help=only)
    needing = "only what needs something that a machine may lack"
    parser.add_argument("--with-needs", action="store_true", help=needing)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts there")
    parser.add_argument("--list", action="store_true", help="list statements, also untestable ones")
    default = "host" if host.is_pure_v2() else "v2"
    parser.add_argument("--cgroup-view", choices=("host", "v2"), default=default)
    return parser.parse_args()


def why_not(arguments: argparse.Namespace) -> str | None:
    """The reason why the suite cannot run, or None."""
    if arguments.runtime is None:
        return "--runtime PATH is missing"
    if not os.access(arguments.runtime, os.X_OK):
        return f"{arguments.runtime} is not an executable file"
    if os.geteuid() != 0:
        return "needs root: it makes namespaces, mounts and cgroups"
    return None


def run_suite(arguments: argparse.Namespace, statements: list[Statement], probe: Path) -> int:
    """Runs the statements in namespaces of the suite's own; the machine's stay as they are."""
    host.enter_private_namespaces(arguments.cgroup_view)
    kernel.become_subreaper()
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        os.chmod(scratch, 0o755)  # noqa: S103 (mapped users must pass)
        root = Path(scratch) / "state"
        runtime = make_runtime(arguments.runtime.absolute(), arguments.name, root)
        if runtime.note:
            print(runtime.note)
        expected = read_expected(EXPECTED, runtime.name)
        verdicts = run_statements(statements, runtime, probe, Path(scratch), expected)
    if arguments.json:
        write_json(arguments.json, runtime, verdicts, expected)
    different = [v for v in verdicts if difference(v, expected)]
    for verdict in different:
        print(f"unexpected: {verdict.id}: {difference(verdict, expected)}")
    print(summary(verdicts))
    return 1 if different else 0


def run_statements(
    statements: list[Statement],
    runtime: Runtime,
    probe: Path,
    scratch: Path,
    expected: Expected,
) -> list[Verdict]:
    """Runs and prints one after the other."""
    machine, verdicts = host.Machine(), []
    for number, statement in enumerate(statements):
        token = f"cf{os.getpid()}n{number:03d}"
        begun = time.monotonic()
        missing = machine.lacks(statement.needs)
        if missing:
            outcome, reason = "skip", missing
        else:
            outcome, reason = attempt(statement.check, Case(runtime, probe, scratch / token, token))
        verdict = Verdict(statement.id, outcome, reason, time.monotonic() - begun)
        print_verdict(verdict, expected)
        verdicts.append(verdict)
    return verdicts


def print_verdict(verdict: Verdict, expected: Expected) -> None:
    """One line a statement; a recorded failure says so."""
    word = "skip" if verdict.outcome == "unclaimed" else verdict.outcome
    reason = f": {verdict.reason}" if verdict.reason else ""
    recorded = " (recorded)" if verdict.id in expected.fail and word == "fail" else ""
    print(f"{word} {verdict.id}{reason}{recorded}", flush=True)


def print_catalogue(statements: list[Statement]) -> None:
    """What is tested, then what is not and why."""
    for statement in statements:
        print(f"{statement.level:8} {statement.id}: {statement.text}")
    for place, reason in catalogue.UNTESTABLE.items():
        print(f"untested {place}: {reason}")
    print(f"{len(statements)} statements, {len(catalogue.UNTESTABLE)} groups not tested")


def write_json(path: Path, runtime: Runtime, verdicts: list[Verdict], expected: Expected) -> None:
    """The verdicts for machines."""
    document = {
        "runtime": runtime.name,
        "path": str(runtime.path),
        "summary": summary(verdicts),
        "verdicts": [
            {
                "id": verdict.id,
                "outcome": verdict.outcome,
                "reason": verdict.reason,
                "seconds": round(verdict.seconds, 4),
                "unexpected": difference(verdict, expected),
            }
            for verdict in verdicts
        ],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
