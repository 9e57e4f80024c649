from __future__ import annotations

import resource
from dataclasses import dataclass

import pytest

from bench.stats import Sample, compare, median_ratio, parse_cpu_ms, rotate


@dataclass
class Usage:
    ru_utime: float
    ru_stime: float
    ru_maxrss: int = 0


def test_each_runtime_goes_first_in_turn() -> None:
    orders = [rotate(["a", "b", "c"], number) for number in range(4)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_one_runtime_rotates_too() -> None:
    assert rotate(["a"], 7) == ["a"]


def test_cpu_time_is_user_and_system_in_milliseconds() -> None:
    assert parse_cpu_ms(Usage(0.0015, 0.002)) == pytest.approx(3.5)


def test_cpu_time_of_this_process() -> None:
    assert parse_cpu_ms(resource.getrusage(resource.RUSAGE_SELF)) > 0


def test_ratio_is_taken_within_the_round() -> None:
    # The machine was ten times slower in the last two rounds: the quotient of the medians is 1.
    assert median_ratio([2, 2, 20, 20], [1, 2, 10, 10]) == pytest.approx(2)
    assert median_ratio([1, 1, 30], [10, 10, 15]) == pytest.approx(0.1)


def test_ratio_of_different_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        median_ratio([1.0, 2.0], [1.0])


def test_a_result_has_its_figures_and_a_ratio_to_every_other() -> None:
    samples = {
        "new": [Sample(1, 10), Sample(2, 20), Sample(6, 60)],
        "old": [Sample(4, 10), Sample(4, 10), Sample(4, 10)],
    }
    results = compare(samples, {"new": 3000, "old": 6000})
    new = results["new"]
    assert (new.wall_ms, new.wall_min_ms, new.cpu_ms, new.rss_kib) == (2, 1, 20, 3000)
    assert list(new.ratios) == ["old"]
    ratios = new.ratios["old"]
    assert (ratios.wall, ratios.cpu, ratios.rss) == (0.5, 2, 0.5)
    assert results["old"].ratios["new"].rss == 2


def test_a_runtime_alone_has_no_ratios() -> None:
    assert compare({"only": [Sample(1, 1)]}, {"only": 1})["only"].ratios == {}
