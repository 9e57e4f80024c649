"""The comparison of the hostile level: reports in, differences and a table out."""

from __future__ import annotations

import tomllib
from collections import Counter

import pytest

from conformance.hostile.main import LEVEL, RECORD, find_differences, read_report, render

REPORT = """<?xml version="1.0"?>
<testsuites><testsuite>
<testcase classname="tests.hostile.test_x" name="test_a[1]"/>
<testcase classname="tests.hostile.test_x" name="test_a[2]"><failure message="m"/></testcase>
<testcase classname="tests.hostile.test_x" name="test_a[2]"><error message="teardown"/></testcase>
<testcase classname="tests.hostile.test_x" name="test_b"/>
<testcase classname="tests.hostile.test_x" name="test_b"><error message="teardown"/></testcase>
<testcase classname="tests.hostile.test_y" name="test_c"><skipped message="s"/></testcase>
</testsuite></testsuites>
"""
A, B, C = "test_x.py::test_a", "test_x.py::test_b", "test_y.py::test_c"


def test_cases_are_counted_once() -> None:
    assert read_report(REPORT) == {
        A: Counter(passed=1, failed=1),
        B: Counter(failed=1),
        C: Counter(skipped=1),
    }


def test_differences_go_both_ways() -> None:
    verdicts = read_report(REPORT)
    assert find_differences("r", verdicts, {"r": {"fail": {A: "why", B: "why"}}}) == []
    assert find_differences("r", verdicts, {"r": {"racy": {A: "why", B: "why"}}}) == []
    assert find_differences("r", verdicts, {"r": {"fail": {A: "why", C: "why"}}}) == [
        f"r: {B} fails, which is not on record",
        f"r: {C} passes, against the record",
    ]


def test_the_table_has_what_some_fail_and_why() -> None:
    record = {"two": {"fail": {A: "follows"}}, "runc": {"fail": {A: "follows it"}}}
    verdicts = {"one": {A: Counter(passed=2)}, "two": {A: Counter(passed=1, failed=1)}}
    text = render({"one": "one 1.0", "two": "two 2.0"}, verdicts, record)
    assert "| | one 1.0 | two 2.0 |" in text
    assert f"| `{A}` | passes | fails 1 of 2 | runc: follows it |" in text
    assert text.count("\n| `") == 1


@pytest.mark.parametrize("name", ["runc", "crun"])
def test_the_record_is_of_tests_that_there_are(name: str) -> None:
    record = tomllib.loads(RECORD.read_text())[name]
    tests = {*record["fail"], *record["racy"]}
    assert len(tests) == len(record["fail"]) + len(record["racy"])
    for test in tests:
        file, _, function = test.partition("::")
        assert f"def {function}(" in (LEVEL / file).read_text(), test


def test_pyoci_fails_nothing() -> None:
    assert "pyoci" not in tomllib.loads(RECORD.read_text())
