"""The command line: every runtime once in each round, in turn, on each operation and bundle."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import operations
from bench.bundles import (
    BUNDLES,
    PROGRAMS,
    NoBusyboxError,
    find_busybox,
    make_config,
    write_bundle,
)
from bench.operations import OPERATIONS, Operation, Stage
from bench.process import CommandFailedError, Commands
from bench.report import Cell, Report, make_document, render_text
from bench.runtimes import NoRuntimeError, Runtime, find_runtimes
from bench.stats import Sample, compare, rotate
from conformance.spec import host, kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Also what warms up the page cache, and a runtime's caches of its own.
RSS_SAMPLES = 2


def main() -> int:
    """Exit status: 0 measured, 1 a command failed or left something, 2 nothing was measured.

    130 if interrupted; the containers are removed then as well.
    """
    arguments = parse_arguments()
    if os.geteuid() != 0:
        return complain("needs root: it makes containers")
    try:
        report, left = measure(arguments)
    except (NoRuntimeError, NoBusyboxError) as error:
        return complain(str(error))
    except KeyboardInterrupt:
        return 130
    print(render_text(report), end="")
    if arguments.json:
        text = json.dumps(make_document(report), indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    for what in left:
        print(f"bench: left behind, now removed: {what}", file=sys.stderr)
    return 1 if left or any(cell.error for cell in report.cells) else 0


def complain(problem: str) -> int:
    """Says why nothing was measured; the exit status for it."""
    print(f"bench: {problem}", file=sys.stderr)
    return 2


def parse_arguments() -> argparse.Namespace:
    """The options of `python3 -m bench`."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--runtime",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a runtime to measure; again for more (default: build/pyoci, runc and crun)",
    )
    parser.add_argument("--rounds", type=parse_rounds, default=30, help="default: 30")
    parser.add_argument(
        "--operations",
        type=make_chooser(OPERATIONS),
        default=list(OPERATIONS),
        metavar="NAME,...",
        help=f"default: {','.join(OPERATIONS)}",
    )
    parser.add_argument(
        "--bundles",
        type=make_chooser(BUNDLES),
        default=["default", "docker"],
        metavar="NAME,...",
        help=f"of {','.join(BUNDLES)} (default: default,docker)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and samples there")
    view = "host" if host.is_pure_v2() else "v2"
    parser.add_argument(
        "--cgroup-view",
        choices=("host", "v2"),
        default=view,
        help=f"v2: cgroup2 alone, in a mount namespace of the benchmark's own (default: {view})",
    )
    return parser.parse_args()


def parse_rounds(word: str) -> int:
    """A number of rounds, at least one."""
    rounds = int(word)
    if rounds < 1:
        raise argparse.ArgumentTypeError("at least one round")
    return rounds


def make_chooser(known: Mapping[str, object]) -> Callable[[str], list[str]]:
    """A parser of comma-separated names of what is known."""

    def choose(word: str) -> list[str]:
        names = word.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {unknown[0]!r}: choose from {','.join(known)}")
        return names

    return choose


def measure(arguments: argparse.Namespace) -> tuple[Report, list[str]]:
    """Every cell, and what the runtimes left behind, in words; it is removed, also on failure."""
    runtimes = find_runtimes(arguments.runtime)
    busybox = find_busybox()
    host.enter_private_namespaces(arguments.cgroup_view)
    kernel.become_subreaper()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="pyoci-bench-") as scratch:
        directory = Path(scratch)
        with stages(directory, runtimes, arguments.bundles, busybox) as (by_bundle, left):
            cells = measure_cells(directory, by_bundle, arguments)
    report = Report(
        runtimes, arguments.rounds, arguments.cgroup_view, load_before, os.getloadavg(), cells
    )
    return report, left


@contextmanager
def stages(
    directory: Path, runtimes: list[Runtime], kinds: list[str], busybox: Path
) -> Iterator[tuple[dict[str, list[Stage]], list[str]]]:
    """The stages by bundle, and a list that afterwards names all that was left on them."""
    token = directory.name
    left: list[str] = []
    made = {
        kind: [make_stage(directory, token, runtime, kind, busybox) for runtime in runtimes]
        for kind in kinds
    }
    try:
        yield made, left
    finally:
        remove_parents(token)
        for stage in [stage for of_kind in made.values() for stage in of_kind]:
            left += host.leftovers(token, directory, stage.state_root)
            host.scrub(token, directory, stage.state_root)


def make_stage(directory: Path, token: str, runtime: Runtime, kind: str, busybox: Path) -> Stage:
    """The bundles of one kind for one runtime."""
    place = directory / runtime.name / kind
    container_id = f"{token}-{runtime.name}"
    bundles = {program: place / program for program in PROGRAMS}
    for program, bundle in bundles.items():
        config = make_config(kind, program, bundle, f"/{token}/{container_id}")
        write_bundle(bundle, config, busybox)
    return Stage(runtime, bundles, place / "state", container_id)


def remove_parents(token: str) -> None:
    """Removes the cgroup above the containers', which runtimes make on the way and leave."""
    for root in host.hierarchies():
        host.remove_cgroup(root / token)


def measure_cells(
    directory: Path, by_bundle: dict[str, list[Stage]], arguments: argparse.Namespace
) -> list[Cell]:
    """The cells one after the other; one that fails says why and the rest goes on."""
    cells = []
    commands = Commands(directory / "errors")
    try:
        for kind, of_kind in by_bundle.items():
            for name in arguments.operations:
                operation = OPERATIONS[name]
                try:
                    cell = measure_cell(commands, of_kind, kind, operation, arguments.rounds)
                except CommandFailedError as error:
                    cell = Cell(name, kind, error=str(error))
                    remove_containers(commands, of_kind)
                cells.append(cell)
    finally:
        commands.close()
    return cells


def measure_cell(
    commands: Commands, of_kind: list[Stage], kind: str, operation: Operation, rounds: int
) -> Cell:
    """One cell: memory first, then the rounds on the clock."""
    by_name = {stage.runtime.name: stage for stage in of_kind}
    rss_kib = dict.fromkeys(by_name, 0)
    for _ in range(RSS_SAMPLES):
        for name, stage in by_name.items():
            peak_kib = operations.take_peak_rss_kib(commands, stage, operation)
            rss_kib[name] = max(rss_kib[name], peak_kib)
    samples: dict[str, list[Sample]] = {name: [] for name in by_name}
    for number in range(rounds):
        for name in rotate(list(by_name), number):
            samples[name].append(operations.take_sample(commands, by_name[name], operation))
    return Cell(operation.name, kind, compare(samples, rss_kib), samples)


def remove_containers(commands: Commands, of_kind: list[Stage]) -> None:
    """Takes away the container of a failed cell if its runtime can; the end of `stages` sees."""
    for stage in of_kind:
        command = stage.make_command(operations.REMOVE, "true")
        try:
            commands.time(command, stage.runtime.environment, ends=False)
        except CommandFailedError:
            # No container, or a runtime that fails at this too: the first failure is the one kept.
            continue
