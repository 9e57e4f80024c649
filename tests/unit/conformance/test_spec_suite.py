"""The pure parts of conformance.spec: reports, verdicts and their record, the catalogue."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from conformance.spec import catalogue, values
from conformance.spec.bundle import usual_config
from conformance.spec.host import NEEDS
from conformance.spec.main import EXPECTED
from conformance.spec.report import (
    Report,
    parse_capabilities,
    parse_mountinfo,
    parse_reports,
    parse_status,
)
from conformance.spec.verdicts import (
    Expected,
    FailedError,
    Verdict,
    difference,
    expect_equal,
    read_expected,
    selected,
    shorten,
    summary,
)

if TYPE_CHECKING:
    from pathlib import Path

MOUNTINFO = (
    "88 55 254:0 /b/rootfs / rw,relatime - ext4 /dev/vda rw,discard\n"
    "92 88 0:39 / /mnt ro,nosuid shared:30 master:7 - tmpfs t rw,size=64k\n"
    "93 88 0:40 / /with\\040blank rw - tmpfs t rw\n"
)
IDS = [statement.id for statement in catalogue.STATEMENTS]
RECORDED: dict[str, Any] = tomllib.loads(EXPECTED.read_text(encoding="utf-8"))


def test_mountinfo_with_and_without_optional_fields() -> None:
    root, mnt, blank = parse_mountinfo(MOUNTINFO)
    assert (root.device, root.root, root.point, root.kind) == ("254:0", "/b/rootfs", "/", "ext4")
    assert root.propagation == frozenset()
    assert mnt.options == {"ro", "nosuid"}
    assert mnt.super_options == {"rw", "size=64k"}
    assert mnt.propagates("shared")
    assert mnt.propagates("master")
    assert not mnt.propagates("unbindable")
    assert blank.point == "/with blank"


def test_the_topmost_mount_at_a_point_counts() -> None:
    report = Report({"mountinfo": MOUNTINFO + "94 92 0:41 / /mnt rw - proc p rw\n"})
    assert report.mount_at("/mnt").kind == "proc"
    with pytest.raises(FailedError, match="nothing is mounted at /absent"):
        report.mount_at("/absent")


def test_status_and_its_masks() -> None:
    status = parse_status("Name:\tprobe\nUid:\t1\t2\t3\t4\nCapEff:\t0000000000002001\n")
    assert status["Name"] == "probe"
    assert parse_capabilities(status["CapEff"]) == {"CAP_CHOWN", "CAP_NET_RAW"}
    assert Report({"status": "Uid:\t1\t2\t3\t4\n"}).ids("Uid") == [1, 2, 3, 4]


def test_attempts_are_found_by_verb_and_target() -> None:
    entries = [
        {"verb": "read", "target": "/a", "errno": 0},
        {"verb": "read", "target": "/b", "errno": 2},
    ]
    report = Report({"attempts": entries})
    assert report.errno("read", "/b") == 2
    assert report.succeeded("read", "/a") is entries[0]
    with pytest.raises(FailedError, match="errno 2"):
        report.succeeded("read", "/b")
    with pytest.raises(KeyError):
        report.attempt("write", "/a")


def test_several_probes_leave_a_timeline() -> None:
    reports = parse_reports('{"argv": ["a"]}\n{"argv": ["b"]}\n')
    assert [report["argv"] for report in reports] == [["a"], ["b"]]


@pytest.mark.parametrize("text", ["", "{", None])
def test_a_state_that_is_no_json_fails_the_statement(text: str | None) -> None:
    with pytest.raises(FailedError, match="not a JSON state"):
        _ = Report({"stdin": text}).state


@pytest.mark.parametrize(
    ("outcome", "statement_id", "wanted"),
    [
        ("pass", "a/b/passes", None),
        ("fail", "a/b/passes", "recorded as pass, now fail"),
        ("fail", "a/b/fails", None),
        ("pass", "a/b/fails", "recorded as fail, now pass"),
        ("unclaimed", "a/b/fails", "recorded as fail, now unclaimed"),
        ("unclaimed", "a/b/optional", None),
        ("pass", "a/b/optional", "recorded as unclaimed, now pass"),
        ("skip", "a/b/fails", None),
        ("skip", "a/b/passes", None),
        ("pass", "a/b/racy", None),
        ("fail", "a/b/racy", None),
    ],
)
def test_a_difference_in_either_direction(
    outcome: str, statement_id: str, wanted: str | None
) -> None:
    expected = Expected(True, {"a/b/fails": "why"}, {"a/b/optional": "why"}, {"a/b/racy": "why"})
    assert difference(Verdict(statement_id, outcome), expected) == wanted


def test_the_record_of_an_unknown_runtime_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "expected.toml"
    path.write_text('[one.fail]\n"a/b/c" = "why"\n', encoding="utf-8")
    assert read_expected(path, "one") == Expected(True, {"a/b/c": "why"}, {})
    assert read_expected(path, "other") == Expected()


def test_the_closing_line_counts_unclaimed_as_skipped() -> None:
    outcomes = ("pass", "pass", "fail", "skip", "unclaimed")
    verdicts = [Verdict(str(number), outcome) for number, outcome in enumerate(outcomes)]
    assert summary(verdicts) == "2 passed, 1 failed, 2 skipped"


def test_selection_by_part_and_by_pattern() -> None:
    statements = list(catalogue.STATEMENTS)
    assert selected(statements, []) == statements
    assert {s.section for s in selected(statements, ["/rlimits/"])} == {"rlimits"}
    assert [s.id for s in selected(statements, ["*/state/i?"])] == ["runtime.md/state/id"]
    both = selected(statements, ["/rlimits/", "*/state/i?"])
    assert {s.section for s in both} == {"rlimits", "state"}


def test_selection_by_what_a_machine_may_lack() -> None:
    statements = list(catalogue.STATEMENTS)
    chosen = {s.id for s in selected(statements, [], with_needs=True)}
    assert chosen == {s.id for s in statements if s.needs}
    assert "config-linux.md/memory/limit" in chosen
    (limit,) = selected(statements, ["/pids/limit", "/state/id"], with_needs=True)
    assert limit.id == "config-linux.md/pids/limit"


def test_reasons_stay_on_one_line() -> None:
    with pytest.raises(FailedError, match=r"the thing is 1, wanted 2"):
        expect_equal(1, 2, "the thing")
    assert len(shorten("x" * 1000)) == 160


def test_every_id_is_unique_and_names_file_section_and_statement() -> None:
    assert len(set(IDS)) == len(IDS)
    form = re.compile(r"(runtime|runtime-linux|bundle|config|config-linux)\.md/[\w.-]+/[\w.-]+")
    assert [one for one in IDS if not form.fullmatch(one)] == []


def test_every_statement_has_a_text_a_known_level_and_known_needs() -> None:
    for statement in catalogue.STATEMENTS:
        assert statement.text
        assert statement.level in {"MUST", "MUST NOT", "REQUIRED", "CLAIMED"}
        assert set(statement.needs) <= NEEDS.keys()


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_the_record_speaks_of_known_statements_and_gives_reasons(name: str) -> None:
    assert RECORDED[name].keys() <= {"fail", "unclaimed", "racy"}
    for table in RECORDED[name].values():
        assert table.keys() <= set(IDS)
        assert all(table.values())


def test_changing_a_config() -> None:
    config = usual_config("id", "1.3.0")
    values.change(config, "process.user.uid", -1)
    values.change(config, "root", values.MISSING)
    assert config["process"]["user"]["uid"] == -1
    assert "root" not in config
