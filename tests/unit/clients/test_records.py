"""The failures on record, and the table of outcomes."""

from __future__ import annotations

import pytest

from tests.clients.harness.records import (
    RECORDS,
    Outcome,
    Record,
    find_record,
    judge,
    parse_name,
    parse_records,
    render_table,
)

TEXT = """
[[failure]]
test = "test_a.py::test_x*"
runtimes = ["pyoci", "runc"]
machine = "no controllers"
reason = "the machine"
"""


def test_a_record_is_about_tests_runtimes_and_machines() -> None:
    (record,) = parse_records(TEXT)
    assert record == Record(
        "test_a.py::test_x*", ("pyoci", "runc"), "the machine", "no controllers"
    )
    here = ["host", "no controllers"]
    assert find_record([record], "test_a.py::test_xy", "runc", here) is record
    assert find_record([record], "test_a.py::test_y", "runc", here) is None
    assert find_record([record], "test_a.py::test_xy", "crun", here) is None
    assert find_record([record], "test_a.py::test_xy", "runc", ["host"]) is None


def test_without_a_machine_it_is_about_all() -> None:
    record = Record("t", ("runc",), "why")
    assert find_record([record], "t", "runc", []) is record


def test_pyoci_alone_fails_only_by_its_own_gap() -> None:
    text = '[[failure]]\ntest = "t"\nruntimes = ["pyoci"]\nreason = "why"\n'
    with pytest.raises(ValueError, match="t: fails with pyoci only"):
        parse_records(text)
    assert parse_records(f"{text}gap = true\n")[0].gap


def test_the_file_is_well_formed() -> None:
    assert all(record.reason for record in parse_records(RECORDS.read_text()))


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        ("test_run_a_pod", "run a pod"),
        ("test_run_is_126[/etc]", "run is 126 /etc"),
        ("test_exec[nosuch-127]", "exec nosuch 127"),
    ],
)
def test_the_operation_of_a_test(function: str, operation: str) -> None:
    assert parse_name("test_podman_rootless.py", function) == ("podman rootless", operation)


def test_the_table_has_the_runtimes_side_by_side() -> None:
    outcomes = [
        Outcome("podman", "run", "runc", "fails, on record"),
        Outcome("podman", "run", "pyoci", "ok"),
        Outcome("ctr", "kill", "pyoci", "ok"),
    ]
    assert render_table(outcomes, ["pyoci", "runc"]) == [
        "| client | operation | pyoci | runc |",
        "|---|---|---|---|",
        "| ctr | kill | ok |  |",
        "| podman | run | ok | fails, on record |",
    ]


@pytest.mark.parametrize(
    ("outcome", "recorded", "word"),
    [
        ("passed", False, "ok"),
        ("failed", False, "FAILED"),
        ("failed", True, "ok, on record as failing"),
        ("skipped", True, "fails, on record"),
        ("skipped", False, "skipped"),
    ],
)
def test_the_word_for_an_outcome(outcome: str, recorded: bool, word: str) -> None:
    assert judge(outcome, recorded=recorded) == word
