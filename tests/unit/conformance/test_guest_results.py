"""The counts of `make test-guest`, and which skips are failures there."""

from __future__ import annotations

from conformance.guest.results import (
    ACCEPTED_SKIPS,
    Part,
    count,
    join_statements,
    refused_skips,
    render_summary,
    skipped_statements,
)


def test_the_counts_of_a_good_run() -> None:
    output = "noise\n12 passed, 0 failed, 3 skipped\n12 passed in 3.0s\n"
    assert count("x", output, 0, 1.5) == Part("x", 12, 0, 3, 1.5)


def test_failures_on_record_are_no_failures() -> None:
    assert count("x", "12 passed, 2 failed, 3 skipped\n", 0, 0) == Part("x", 14, 0, 3)


def test_several_suites_are_added_up() -> None:
    output = "1 passed, 0 failed, 0 skipped\n0 passed, 1 failed, 0 skipped\n"
    assert count("x", output, 1, 0) == Part("x", 1, 1, 0)


def test_a_run_that_ends_badly_has_a_failure() -> None:
    assert count("x", "12 passed, 0 failed, 3 skipped\n", 124, 0).failed == 1
    assert count("x", "", 125, 0).failed == 1


def test_a_run_that_tells_no_counts_has_a_failure() -> None:
    assert count("x", "no tests ran\n", 0, 0).failed == 1


def test_lines_of_a_serial_line() -> None:
    assert count("x", "4 passed, 0 failed, 0 skipped\r\n", 0, 0).passed == 4


def verdict(statement: str, outcome: str, **more: str) -> dict[str, str | None]:
    return {"id": statement, "outcome": outcome, "reason": "", "unexpected": None} | more


def test_statements_that_were_skipped() -> None:
    verdicts = [
        verdict("a", "pass"),
        verdict("b", "skip", reason="no x"),
        verdict("c", "unclaimed", reason="y"),
    ]
    assert skipped_statements({"verdicts": verdicts}) == {"b": "no x"}
    assert skipped_statements(None) == {}


def test_what_one_guest_skips_counts_in_the_other() -> None:
    # Of 32 statements 20 pass in one; of the 12 that are left there, the other has 9 and a failure,
    # and skips one that is accepted and one that is not.
    uml, vm = Part("a", 20, 0, 12, 30.0), Part("b", 9, 1, 2, 20.0)
    left = [str(number) for number in range(12)]
    assert join_statements("x", uml, left, vm, 1) == Part("x", 29, 2, 1, 50.0)


def test_a_guest_that_ends_early_is_a_failure() -> None:
    uml, vm = Part("a", 20, 0, 12, 30.0), count("b", "nothing at all", 1, 5.0)
    joined = join_statements("x", uml, [str(number) for number in range(12)], vm, 0)
    assert joined == Part("x", 20, 1, 0, 35.0)


def test_a_skip_in_every_guest_is_a_failure_unless_accepted() -> None:
    (accepted, *_) = ACCEPTED_SKIPS
    refused = refused_skips({"a": accepted, "b": "no cpuset controller in view"})
    assert refused == ["b: skipped in every guest: no cpuset controller in view"]


def test_the_last_line_is_the_sum() -> None:
    lines = render_summary([Part("one", 5, 1, 2, 3.0), Part("two", 7, 0, 0, 61.25)])
    assert lines[0].split() == ["5", "passed", "1", "failed", "2", "skipped", "3.0", "s", "one"]
    assert lines[-1] == "12 passed, 1 failed, 2 skipped"
