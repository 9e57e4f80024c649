"""Results as a table and as JSON (pure)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.runtimes import Runtime
    from bench.stats import Ratios, Result, Sample


@dataclass(frozen=True)
class Cell:
    """One operation on one bundle: a result for each runtime, or why there is none."""

    operation: str
    bundle: str
    results: Mapping[str, Result] = field(default_factory=dict)
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Report:
    """Everything that was found out."""

    runtimes: Sequence[Runtime]
    rounds: int
    cgroup_view: str
    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]
    cells: Sequence[Cell]


def render_text(report: Report) -> str:
    """The table, with what one must know to read it above."""
    names = [runtime.name for runtime in report.runtimes]
    rows = [make_header(names)]
    for cell in report.cells:
        rows += [make_row(cell, name, names) for name in cell.results]
    lines = [
        *[f"{runtime.name}: {runtime.version} ({runtime.path})" for runtime in report.runtimes],
        *[runtime.note for runtime in report.runtimes if runtime.note],
        f"{report.rounds} rounds, cgroup view {report.cgroup_view}, load average "
        f"{render_load(report.load_before)} before, {render_load(report.load_after)} after",
        "medians; each ratio is the median of the rounds' ratios: wall / cpu / peak rss",
        "",
        *align(rows),
        *[f"error: {c.operation} on {c.bundle}: {c.error}" for c in report.cells if c.error],
    ]
    return "\n".join(lines) + "\n"


def make_header(names: Sequence[str]) -> list[str]:
    """The first row."""
    figures = ["operation", "bundle", "runtime", "wall ms", "(min)", "cpu ms", "rss KiB"]
    return figures + [f"x {name}" for name in names]


def make_row(cell: Cell, name: str, names: Sequence[str]) -> list[str]:
    """One runtime's row: its own figures, then its ratios to every other."""
    result = cell.results[name]
    times = [f"{result.wall_ms:.2f}", f"({result.wall_min_ms:.2f})", f"{result.cpu_ms:.2f}"]
    figures = [*times, str(result.rss_kib)]
    ratios = [render_ratios(result.ratios.get(other)) for other in names]
    return [cell.operation, cell.bundle, name, *figures, *ratios]


def render_ratios(ratios: Ratios | None) -> str:
    """Three numbers; a dash for a runtime against itself."""
    return f"{ratios.wall:.2f} / {ratios.cpu:.2f} / {ratios.rss:.2f}" if ratios else "-"


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns: three of words, to the left, then figures, to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            word.ljust(width) if column < 3 else word.rjust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def render_load(load: tuple[float, float, float]) -> str:
    """The load averages of 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in load)


def make_document(report: Report) -> dict[str, Any]:
    """The report as one JSON object, every sample included."""
    return asdict(report)
