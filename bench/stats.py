"""The arithmetic of the benchmark: samples in, figures out; it runs nothing.

Runtimes are compared within a round, where the machine is the same for all of them, and only then
is the median taken: the quotient of two medians would compare one runtime's quiet minute with
another's busy one.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Usage(Protocol):
    """What wait4(2) says of a process and of the children it waited for."""

    @property
    def ru_utime(self) -> float:
        """Seconds in user mode."""

    @property
    def ru_stime(self) -> float:
        """Seconds in the kernel."""

    @property
    def ru_maxrss(self) -> int:
        """Peak resident set of the largest process, in KiB."""


@dataclass(frozen=True)
class Sample:
    """One timed command."""

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Ratios:
    """One runtime over another; each the median of the rounds' ratios."""

    wall: float
    cpu: float
    rss: float


@dataclass(frozen=True)
class Result:
    """What is said of one runtime in one cell of the table."""

    wall_ms: float
    wall_min_ms: float
    cpu_ms: float
    rss_kib: int
    ratios: dict[str, Ratios]


def rotate(names: Sequence[str], round_number: int) -> list[str]:
    """The order of this round: each runtime goes first equally often."""
    start = round_number % len(names)
    return [*names[start:], *names[:start]]


def parse_cpu_ms(usage: Usage) -> float:
    """User and system time of wait4's rusage, in milliseconds."""
    return (usage.ru_utime + usage.ru_stime) * 1000


def median_ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of mine / theirs; ValueError unless both have every round."""
    return median(ours / base for ours, base in zip(mine, theirs, strict=True))


def compare(
    samples: Mapping[str, Sequence[Sample]], rss_kib: Mapping[str, int]
) -> dict[str, Result]:
    """The results of one cell: every runtime by itself and against every other."""
    return {name: summarize(name, samples, rss_kib) for name in samples}


def summarize(
    name: str, samples: Mapping[str, Sequence[Sample]], rss_kib: Mapping[str, int]
) -> Result:
    """The result of one runtime."""
    mine = samples[name]
    walls = [sample.wall_ms for sample in mine]
    cpus = [sample.cpu_ms for sample in mine]
    ratios = {
        other: Ratios(
            wall=median_ratio(walls, [sample.wall_ms for sample in theirs]),
            cpu=median_ratio(cpus, [sample.cpu_ms for sample in theirs]),
            rss=rss_kib[name] / rss_kib[other],
        )
        for other, theirs in samples.items()
        if other != name
    }
    return Result(median(walls), min(walls), median(cpus), rss_kib[name], ratios)
