"""`make test-guest`: which files it takes, and how each guest is started."""

from __future__ import annotations

from pathlib import Path

from conformance.guest.jobs import Guest, Runner
from conformance.guest.main import make_parser
from conformance.guest.placement import TESTS as PLACED
from conformance.guest.placement import find_pattern, find_unused
from conformance.guest.suite import (
    LEFT_OUT,
    LIBRARIES,
    MARK,
    PROGRAMS,
    SYSTEMD_MARK,
    Tools,
    choose_programs,
    find_marked_files,
    find_test_files,
    guest_environment,
)
from conformance.runtime_tools.expectations import read_expected
from conformance.runtime_tools.main import EXPECTED

TESTS = Path(__file__).resolve().parents[2]


def test_every_file_of_both_levels_but_those_left_out() -> None:
    found = [str(file.relative_to(TESTS)) for file in find_test_files(TESTS)]
    assert {"root/test_run.py", "vm/test_limits.py"} <= set(found)
    assert len(found) == len(set(found))
    for name in LEFT_OUT:
        assert (TESTS / "root" / name).exists()
        assert f"root/{name}" not in found


def test_the_mark_is_how_the_tests_write_it() -> None:
    assert MARK in (TESTS / "vm" / "test_limits.py").read_text()
    assert SYSTEMD_MARK in (TESTS / "vm" / "test_systemd.py").read_text()


def test_how_a_guest_is_started(tmp_path: Path) -> None:
    runner = Runner(tmp_path, guest_environment(Path("/build/pyoci")), (Path("/lib/python"),))
    words = runner.guest_command(Guest(("--kernel", "vm"), timeout=7))
    given = make_parser().parse_args([*words[4:], "--", "true"])
    assert (given.kernel, given.timeout, given.write) == ("vm", 7, [tmp_path])
    assert given.share == [Path("/lib/python")]
    assert "PYOCI_STRICT_SKIPS=1" in given.env
    assert f"PYTHONPATH={LIBRARIES}" in given.env


def test_what_our_directory_has_is_not_shared_twice(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {}, (Path.cwd() / ".venv" / "lib",))
    assert "--share" not in runner.guest_command(Guest((), timeout=7))


def test_a_guest_sees_what_a_part_needs(tmp_path: Path) -> None:
    words = Runner(tmp_path, {}, ()).guest_command(Guest((), timeout=7, shares=(Path("/tools"),)))
    assert words[-2:] == ["--share", "/tools"]


# --- runtime-tools


def test_a_tree_that_was_built_goes_before_the_cache() -> None:
    tools = Tools(Path("/tree"), Path("/cache"))
    assert (tools.place, tools.options) == (Path("/tree"), ("--tree", "/tree"))
    tools = Tools(None, Path("/cache"))
    assert (tools.place, tools.options) == (Path("/cache"), ("--cache", "/cache"))


def test_every_pattern_has_its_programs() -> None:
    known = read_expected(EXPECTED, "pyoci", frozenset()).programs
    for pattern in PROGRAMS:
        assert choose_programs(known, (pattern,)), pattern
    chosen = choose_programs(known)
    assert {"linux_cgroups_cpus", "process_rlimits", "process_capabilities"} <= set(chosen)
    assert "hostname" not in chosen


# --- what goes to the other guest


def test_a_test_by_its_pattern() -> None:
    assert find_pattern("tests/root/test_process_attributes.py::test_realtime[SCHED_RR]")
    assert find_pattern("tests/root/test_fs_refused.py::test_x[sys/kernel/ns_last_pid]")
    assert find_pattern("tests/root/test_fs_refused.py::test_x[meminfo]") is None


def test_an_entry_without_its_test_is_told() -> None:
    assert find_unused(["tests/root/test_lifecycle.py::test_something_else"]) == [
        "tests/root/test_lifecycle.py::test_ps_prints_the_rows_of_a_table"
    ]
    assert find_unused(["tests/root/test_run.py::test_something_else"]) == []


def test_every_entry_has_a_file_that_the_other_guest_gets() -> None:
    files = [file.relative_to(TESTS.parent) for file in find_test_files(TESTS)]
    marked = {str(file) for file in find_marked_files([TESTS.parent / file for file in files])}
    for pattern in PLACED:
        assert Path(pattern.partition("::")[0]) in files
    assert str(TESTS / "vm" / "test_limits.py") in marked
