"""Levels and skips: which tests run where, and an account of those that did not.

A test below tests/root, tests/hostile, tests/vm or tests/clients has the marker of that name; a
call that names files of one level only selects that level. Every run ends with ``N passed, N
failed, N skipped``. With PYOCI_STRICT_SKIPS=1 (as in .ci/run) a skip that tests/allowed_skips.toml
does not list is a failure: what should run, runs.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import tomllib
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

TESTS = Path(__file__).parent
LEVELS = ("root", "hostile", "vm", "clients")
OF_ROOT = ("root", "hostile")
ALLOWED_SKIPS = TESTS / "allowed_skips.toml"


@functools.cache
def is_strict() -> bool:
    """Whether a skip needs an entry in the list."""
    return os.environ.get("PYOCI_STRICT_SKIPS", "") not in ("", "0")


@functools.cache
def read_allowed_skips() -> tuple[tuple[str, str], ...]:
    """Pairs of patterns: the test's id, and the reason it gives."""
    entries = tomllib.loads(ALLOWED_SKIPS.read_text()).get("skip", [])
    return tuple((entry["test"], entry["reason"]) for entry in entries)


def is_allowed(nodeid: str, reason: str, allowed: tuple[tuple[str, str], ...]) -> bool:
    """Whether the list has this skip. Only * and ? are special: ids have brackets."""
    return any(
        fnmatch.fnmatchcase(nodeid, test.replace("[", "[[]"))
        and fnmatch.fnmatchcase(reason, given.replace("[", "[[]"))
        for test, given in allowed
    )


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """What the skip says for itself."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --runtime: the levels that need root can be pointed at other runtimes than pyoci."""
    parser.addoption("--runtime", metavar="PROGRAM", help="the runtime under test: a path or name")


def pytest_configure(config: pytest.Config) -> None:
    """Have `pytest tests/hostile` run what it names, although pyproject.toml leaves it out."""
    levels = {named_level(config.invocation_params.dir / word) for word in config.args}
    if len(levels) == 1 and config.option.markexpr.startswith("not "):
        config.option.markexpr = levels.pop() or config.option.markexpr


def named_level(path: Path) -> str:
    """The level that a file, directory or test id on the command line belongs to, or nothing."""
    path = Path(str(path).partition("::")[0])
    level = path.relative_to(TESTS).parts[:1] if path.is_relative_to(TESTS) else ()
    return level[0] if level and level[0] in OF_ROOT else ""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its level, and skip the root level without root."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            level = item.path.relative_to(TESTS).parts[0]
            if level in LEVELS:
                item.add_marker(level)
        if os.geteuid() != 0 and any(item.get_closest_marker(level) for level in OF_ROOT):
            item.add_marker(pytest.mark.skip(reason="needs root"))


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that is not listed into a failure."""
    if not report.skipped or hasattr(report, "wasxfail") or not is_strict():
        return
    reason = skip_reason(report)
    if not is_allowed(report.nodeid, reason, read_allowed_skips()):
        report.outcome = "failed"
        report.longrepr = f"skipped ({reason}), which {ALLOWED_SKIPS.name} does not allow"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge a skip inside a test."""
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skip of a whole file."""
    report = yield
    refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Give the counts in the form that .ci/run adds up; -ra lists the skips and their reasons."""
    stats = terminalreporter.stats
    passed, failed, skipped = (
        sum(len(stats.get(kind, [])) for kind in kinds)
        for kinds in (("passed", "xfailed"), ("failed", "error"), ("skipped",))
    )
    terminalreporter.write_line(f"{passed} passed, {failed} failed, {skipped} skipped")
