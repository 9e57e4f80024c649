from __future__ import annotations

import json

from bench.report import Cell, Report, align, make_document, render_text
from bench.runtimes import Runtime
from bench.stats import Sample, compare

RUNTIMES = [
    Runtime("new", "/opt/new", "new version 1", {}),
    Runtime("old", "/opt/old", "old version 2", {}, "old: runs on crutches"),
]
SAMPLES = {"new": [Sample(5, 4), Sample(7, 6)], "old": [Sample(10, 8), Sample(14, 12)]}


def make_report(*cells: Cell) -> Report:
    return Report(RUNTIMES, 2, "v2", (0.1, 0.2, 0.3), (1.5, 0.4, 0.3), cells)


def test_the_table_says_how_it_was_measured() -> None:
    text = render_text(make_report())
    assert "new: new version 1 (/opt/new)\n" in text
    assert "old: runs on crutches\n" in text
    assert "2 rounds, cgroup view v2, load average 0.10 0.20 0.30 before, 1.50" in text


def test_a_row_has_figures_and_ratios() -> None:
    results = compare(SAMPLES, {"new": 1000, "old": 2000})
    text = render_text(make_report(Cell("run", "default", results, SAMPLES)))
    row = next(line for line in text.splitlines() if line.startswith("run") and "new" in line)
    assert row.split() == [
        *("run", "default", "new", "6.00", "(5.00)", "5.00", "1000", "-"),
        *("0.50", "/", "0.50", "/", "0.50"),
    ]


def test_a_failed_cell_is_an_error_without_figures() -> None:
    text = render_text(make_report(Cell("kill", "docker", error="old kill: status 1: no")))
    assert text.splitlines()[-1] == "error: kill on docker: old kill: status 1: no"
    assert not any(line.startswith("kill") for line in text.splitlines())


def test_the_document_is_json_and_has_every_sample() -> None:
    results = compare(SAMPLES, {"new": 1000, "old": 2000})
    report = make_report(Cell("run", "default", results, SAMPLES))
    document = json.loads(json.dumps(make_document(report)))
    cell = document["cells"][0]
    assert cell["samples"]["old"] == [
        {"wall_ms": 10, "cpu_ms": 8},
        {"wall_ms": 14, "cpu_ms": 12},
    ]
    assert cell["results"]["new"]["ratios"]["old"] == {"wall": 0.5, "cpu": 0.5, "rss": 0.5}
    assert document["load_after"] == [1.5, 0.4, 0.3]
    assert document["runtimes"][0]["version"] == "new version 1"


def test_words_align_left_and_figures_right() -> None:
    rows = [["a", "b", "c", "1"], ["aa", "b", "c", "100"]]
    assert align(rows) == ["a   b  c    1", "aa  b  c  100"]
