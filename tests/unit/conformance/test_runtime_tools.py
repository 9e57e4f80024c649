"""The runner of runtime-tools' programs, on values and files: it runs none of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conformance.runtime_tools import sources
from conformance.runtime_tools.expectations import (
    Expectation,
    ExpectationError,
    parse_expected,
)
from conformance.runtime_tools.leftovers import select_ours
from conformance.runtime_tools.machine import FACTS
from conformance.runtime_tools.main import EXPECTED, choose_names
from conformance.runtime_tools.tap import Assertion, Report, parse_tap
from conformance.runtime_tools.verdicts import (
    ASSERT_NOTHING,
    SAY_NOTHING,
    Ended,
    Result,
    Verdict,
    classify,
    difference,
    render_left_behind,
    render_result,
    render_summary,
)
from conformance.runtime_tools.workshop import Workshop, render_wrapper

FINE = Ended(0)
PASS = Expectation("pass")
FAIL = Expectation("fail", "it is broken")

ALL_FACTS = frozenset(FACTS)


# -- TAP ------------------------------------------------------------------------------------------


def test_assertions_skips_and_todos() -> None:
    report = parse_tap(
        "TAP version 13\n"
        "ok 1 - has expected hostname\n"
        "not ok 2 - root is read-only\n"
        "ok 3 # SKIP linux.sysctl not set\n"
        "not ok 4 # TODO we need an (r)bind spec\n"
        "1..4\n"
    )
    assert report.plans == (4,)
    assert [a.text for a in report.failures] == ["root is read-only"]
    assert (report.passed, report.skipped) == (1, 1)


def test_a_diagnostic_is_not_an_assertion() -> None:
    report = parse_tap(
        "TAP version 13\n"
        "ok 1 - fine\n"
        "  ---\n"
        '  {\n    "error": "exit status 1",\n    "stdout": "not ok 1 - inner\\n"\n  }\n'
        "  ...\n"
        "# not ok 2 - a comment\n"
        "1..1\n"
    )
    assert report == Report((1,), (Assertion(True, "fine"),), ("exit status 1",))


def test_documents_one_after_the_other_keep_their_plans() -> None:
    text = "TAP version 13\nok 1 - a\nok 2 - b\n1..2\nTAP version 13\n1..0\nTAP version 13\nok 1\n"
    report = parse_tap(text)
    assert report.plans == (2, 0, None)
    assert len(report.assertions) == 3


def test_a_plan_may_come_first() -> None:
    assert parse_tap("1..1\nok 1 - a\n").plans == (1,)
    assert parse_tap("TAP version 13\n1..1\nok 1 - a\n").plans == (1,)


def test_assertions_before_any_header_make_a_document() -> None:
    assert parse_tap("ok 1 - a\nok 2 - b\n").plans == (None,)


@pytest.mark.parametrize("text", ["", "okay\n", "nothing to see\n", "  ok 1 - indented\n"])
def test_other_text_is_passed_over(text: str) -> None:
    assert parse_tap(text) == Report()


def test_bail_out() -> None:
    assert parse_tap("TAP version 13\nBail out! no memory\n").bailed_out == "Bail out! no memory"


# -- verdicts -------------------------------------------------------------------------------------


def verdict_on(text: str, name: str = "default", ended: Ended = FINE) -> Verdict:
    return classify(name, ended, parse_tap(text))


def test_all_assertions_hold() -> None:
    assert verdict_on("TAP version 13\nok 1 - a\n1..1\n") == Verdict("pass")


def test_one_assertion_fails() -> None:
    text = "TAP version 13\nok 1 - a\nnot ok 2 - b\nnot ok 3 - c\n1..3\n"
    assert verdict_on(text) == Verdict("fail", "not ok: b and 1 more")


def test_a_todo_may_fail() -> None:
    assert verdict_on("TAP version 13\nnot ok 1 # TODO later\n1..1\n").passed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TAP version 13\n",
        "TAP version 13\nok 1 - a\n",
        "TAP version 13\nok 1 - a\n1..2\n",
        "TAP version 13\n1..0\n",
        "TAP version 13\nok 1 - a\n1..1\nTAP version 13\nok 1 - b\n",
        "TAP version 13\nok 1 - a\n1..1\nBail out!\n",
    ],
)
def test_incomplete_output_fails(text: str) -> None:
    assert verdict_on(text).kind == "fail"


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Ended(1), "exit status 1"),
        (Ended(-9), "ended by signal 9"),
        (Ended(None), "did not end in time"),
        (
            Ended(1, "failed to create the container\n\nrt: no such id\nexit status 1\n"),
            "exit status 1: rt: no such id",
        ),
    ],
)
def test_a_bad_end_fails_whatever_was_asserted(ended: Ended, words: str) -> None:
    assert verdict_on("TAP version 13\nok 1 - a\n1..1\n", ended=ended) == Verdict("fail", words)


def test_no_assertions_and_no_error_is_pass0_for_those_known_for_it() -> None:
    assert verdict_on("TAP version 13\n1..0\n", "poststop") == Verdict("PASS0")


def test_an_error_without_assertions_is_fail0() -> None:
    text = 'TAP version 13\n  ---\n  {\n    "error": "too late\\nRefer to: x"\n  }\n  ...\n1..0\n'
    assert verdict_on(text, "poststop") == Verdict("FAIL0", "too late")
    assert not Verdict("FAIL0").passed


def test_an_error_beside_an_assertion_that_holds_is_no_failure() -> None:
    text = 'TAP version 13\nok 1 - a\n  ---\n  {\n    "error": "x"\n  }\n  ...\n1..1\n'
    assert verdict_on(text).passed


def test_silence_passes_only_where_a_refusal_is_wanted() -> None:
    assert verdict_on("", "process_rlimits_fail") == Verdict("PASS0")
    assert not verdict_on("", "process_rlimits_fail", Ended(1)).passed
    assert not verdict_on("", "process_rlimits").passed


# -- comparison -----------------------------------------------------------------------------------


def result(verdict: Verdict | None, expectation: Expectation | None) -> Result:
    return Result("create", verdict, expectation)


@pytest.mark.parametrize(
    ("verdict", "expectation"),
    [
        (Verdict("pass"), PASS),
        (Verdict("PASS0"), PASS),
        (Verdict("fail", "x"), FAIL),
        (Verdict("FAIL0", "x"), FAIL),
        (Verdict("pass"), Expectation("race", "y")),
        (Verdict("fail", "x"), Expectation("race", "y")),
    ],
)
def test_as_recorded(verdict: Verdict, expectation: Expectation) -> None:
    assert difference(result(verdict, expectation)) is None


@pytest.mark.parametrize(
    ("verdict", "expectation", "words"),
    [
        (Verdict("fail", "why"), PASS, "expected to pass, but it fails: why"),
        (Verdict("pass"), FAIL, "expected to fail (it is broken), but it passes"),
        (Verdict("pass"), None, "expected.toml does not name it; it passes"),
        (Verdict("fail", "why"), None, "expected.toml does not name it; it fails: why"),
        (None, PASS, "expected.toml names it, but the suite does not have it"),
        (None, FAIL, "expected.toml names it, but the suite does not have it"),
    ],
)
def test_a_difference_in_either_direction_is_told(
    verdict: Verdict | None, expectation: Expectation | None, words: str
) -> None:
    found = result(verdict, expectation)
    assert not found.as_expected
    assert render_result(found) == f"UNEXPECTED create: {words}"


def test_lines_of_what_is_as_expected() -> None:
    assert (
        render_result(Result("create", Verdict("pass"), PASS, None, 0.5)) == "pass create (0.5 s)"
    )
    line = render_result(result(Verdict("fail", "x"), FAIL))
    assert line == "fail create, as expected: it is broken"


def test_what_was_left_is_told_by_kind() -> None:
    left = ("container c", "cgroup /a", "cgroup /b", "cgroup /c")
    assert render_left_behind(Result("create", None, None, left_behind=left)) == [
        "    left behind: container c",
        "    left behind: cgroup /a and 2 more",
    ]
    assert render_left_behind(Result("create", None, None)) == []


def test_the_closing_lines() -> None:
    good = [result(Verdict("pass"), PASS), result(Verdict("fail", "x"), FAIL)]
    assert render_summary(good, 0) == [
        "programs: 1 pass, 1 fail as expected",
        "2 passed, 0 failed, 0 skipped",
    ]
    bad = [*good, result(Verdict("fail", "x"), PASS), result(None, PASS)]
    assert render_summary(bad, 3) == [
        "programs: 1 pass, 1 fail as expected, 1 fail unexpectedly",
        "2 passed, 2 failed, 3 skipped",
    ]


def test_names_to_run() -> None:
    assert choose_names(["a", "b"], None) == ["a", "b"]
    assert choose_names(["a", "b"], ["b"]) == ["b"]
    with pytest.raises(sources.SuiteError, match="no program: c"):
        choose_names(["a", "b"], ["c", "a"])


# -- expected.toml --------------------------------------------------------------------------------

TEXT = """
[runtime.old]
cgroup_view = "v1"
oci_version = "1.0.2"

[program.create]
verdict = "pass"

[program.start]
verdict = "fail"
reason = "general"
but = [
    { runtime = "old", verdict = "pass" },
    { without = "cpu", verdict = "fail", reason = "no cpu" },
    { runtime = "new", without = "lsm", verdict = "race", reason = "no lsm" },
]
"""


@pytest.mark.parametrize(
    ("runtime", "facts", "expectation"),
    [
        ("any", {"cpu", "lsm"}, Expectation("fail", "general")),
        ("old", {"cpu"}, PASS),
        ("old", set(), Expectation("fail", "no cpu")),
        ("new", {"cpu"}, Expectation("race", "no lsm")),
        ("new", {"cpu", "lsm"}, Expectation("fail", "general")),
    ],
)
def test_the_last_exception_that_applies_wins(
    runtime: str, facts: set[str], expectation: Expectation
) -> None:
    expected = parse_expected(TEXT, runtime, frozenset(facts))
    assert expected.programs == {"create": PASS, "start": expectation}


def test_notes_on_a_runtime() -> None:
    assert parse_expected(TEXT, "old", frozenset()).notes.cgroup_view == "v1"
    assert parse_expected(TEXT, "any", frozenset()).notes.cgroup_view == "host"


@pytest.mark.parametrize(
    "table",
    [
        'verdict = "fail"',
        'verdict = "race"',
        'verdict = "maybe"',
        'reason = "no verdict"',
        'verdict = "pass"\nbut = [{ runtime = "other", verdict = "fail" }]',
    ],
)
def test_a_record_without_its_reason_is_refused(table: str) -> None:
    with pytest.raises(ExpectationError, match="create: "):
        parse_expected(f"[program.create]\n{table}\n", "any", frozenset())


@pytest.mark.parametrize("name", ["pyoci", "runc", "crun"])
@pytest.mark.parametrize("facts", [frozenset(), ALL_FACTS])
def test_the_file_names_every_program(name: str, facts: frozenset[str]) -> None:
    programs = parse_expected(EXPECTED.read_text(encoding="utf-8"), name, facts).programs
    assert len(programs) == 58
    assert programs.keys() > ASSERT_NOTHING | SAY_NOTHING


def test_the_file_names_only_facts_that_are_read() -> None:
    text = EXPECTED.read_text(encoding="utf-8")
    named = {part.split('"')[1] for part in text.split("without = ")[1:]}
    assert named <= ALL_FACTS


# -- sources --------------------------------------------------------------------------------------


def make_tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_a_built_tree(tmp_path: Path) -> None:
    make_tree(tmp_path, "validation/create/create.t", "validation/util/test.go")
    make_tree(tmp_path, "runtimetest", "rootfs-amd64.tar.gz")
    suite = sources.find_suite(tmp_path, tmp_path / "cache")
    assert suite.programs == {"create": tmp_path / "validation/create/create.t"}
    assert {path.name for path in suite.files} == {"runtimetest", "rootfs-amd64.tar.gz"}


@pytest.mark.parametrize(
    "names",
    [
        ["runtimetest", "rootfs-amd64.tar.gz", "validation/create/create.go"],
        ["rootfs-amd64.tar.gz", "validation/create/create.t"],
        ["runtimetest", "validation/create/create.t"],
    ],
)
def test_a_tree_that_was_not_built_is_an_error(tmp_path: Path, names: list[str]) -> None:
    make_tree(tmp_path, *names)
    with pytest.raises(sources.SuiteError, match=str(tmp_path)):
        sources.find_suite(tmp_path, tmp_path / "cache")


def test_modules_that_were_built_before(tmp_path: Path) -> None:
    built = tmp_path / "runtime-tools" / sources.VERSION
    make_tree(built, "bin/create", "bin/runtimetest", "rootfs-amd64.tar.gz")
    suite = sources.find_suite(None, tmp_path)
    assert suite.programs == {"create": built / "bin/create"}


def test_no_tree_and_no_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sources.NoSuiteError, match="no go command"):
        sources.find_suite(None, tmp_path / "cache")


def test_a_go_command_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'module lookup disabled' >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sources.NoSuiteError, match="go install: module lookup disabled"):
        sources.find_suite(None, tmp_path / "cache")
    assert list((tmp_path / "cache/runtime-tools").iterdir()) == []


# -- the runtime that programs call ---------------------------------------------------------------


def call_wrapper(tmp_path: Path, oci_version: str, *words: str) -> str:
    script = tmp_path / "wrapper"
    runtime = tmp_path / "a runtime"
    runtime.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    runtime.chmod(0o755)
    script.write_text(render_wrapper(Workshop(tmp_path), runtime, oci_version))
    command = ["/bin/sh", str(script), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_wrapper_gives_a_state_directory_and_notes_the_call(tmp_path: Path) -> None:
    printed = call_wrapper(tmp_path, "", "kill", "a b", "KILL")
    assert printed == f"--root|{tmp_path}/state|kill|a b|KILL|"
    assert Workshop(tmp_path).calls.read_text() == "kill a b KILL\n"


@pytest.mark.parametrize(
    ("before", "after"), [("1.3.0", "1.0.2"), ("1.0.0", "1.0.0"), ("invalid", "invalid")]
)
def test_the_wrapper_lowers_a_version(tmp_path: Path, before: str, after: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(f'{{\n\t"ociVersion": "{before}"\n}}')
    call_wrapper(tmp_path, "1.0.2", "create", "--bundle", str(tmp_path), "x")
    assert config.read_text() == f'{{\n\t"ociVersion": "{after}"\n}}'


# -- leftovers ------------------------------------------------------------------------------------


def test_only_cgroups_of_the_programs_are_ours() -> None:
    name = "0f5c1f0a-7c3e-4c55-9f8e-0a3b5d2c7e11"
    other = "9b2d7c54-1111-4c55-9f8e-0a3b5d2c7e11"
    paths = {
        "/sys/fs/cgroup/cpu/cgrouptest",
        "/sys/fs/cgroup/cpu/testdir",
        "/sys/fs/cgroup/cpu/testdir/cgrouptest",
        f"/sys/fs/cgroup/unified/{name}",
        f"/sys/fs/cgroup/unified/{other}",
        "/sys/fs/cgroup/cpu/mycgrouptest",
    }
    assert select_ours(paths, f"create --bundle /tmp/x {name}\nstart {name}\n") == [
        f"/sys/fs/cgroup/unified/{name}",
        "/sys/fs/cgroup/cpu/testdir/cgrouptest",
        "/sys/fs/cgroup/cpu/testdir",
        "/sys/fs/cgroup/cpu/cgrouptest",
    ]
