"""Statements, verdicts, and the comparison with what is recorded. Reads no machine."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.spec.case import Case

Check = Callable[["Case"], None]


class FailedError(Exception):
    """The runtime does not do what the statement says; the text says what was seen."""


class UnclaimedError(Exception):
    """The statement holds only for runtimes that claim a feature, and this one does not."""


@dataclass(frozen=True)
class Statement:
    """One statement of the specification and the function that tries it."""

    id: str
    level: str
    text: str
    check: Check
    needs: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file of the specification."""
        return self.id.split("/", 1)[0]

    @property
    def section(self) -> str:
        """The section of that file."""
        return self.id.split("/", 2)[1]


@dataclass(frozen=True)
class Verdict:
    """What came of one statement: pass, fail, skip (this machine), unclaimed (this runtime)."""

    id: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Expected:
    """The recorded verdicts on one runtime: what is not listed here must pass."""

    known: bool = False
    fail: dict[str, str] = field(default_factory=dict)
    unclaimed: dict[str, str] = field(default_factory=dict)
    racy: dict[str, str] = field(default_factory=dict)


REGISTRY: list[Statement] = []


def statement(
    statement_id: str, text: str, *, level: str = "MUST", needs: tuple[str, ...] = ()
) -> Callable[[Check], Check]:
    """Registers the decorated function as the test of `statement_id` (file/section/name)."""

    def register(check: Check) -> Check:
        REGISTRY.append(Statement(statement_id, level, text, check, needs))
        return check

    return register


def expect(condition: bool, reason: str) -> None:
    """Fails the statement with `reason` unless `condition` holds."""
    if not condition:
        raise FailedError(reason)


def expect_equal(seen: object, wanted: object, what: str) -> None:
    """Fails the statement unless both values are equal."""
    expect(seen == wanted, f"{what} is {shorten(seen)}, wanted {shorten(wanted)}")


def shorten(value: object, limit: int = 160) -> str:
    """The value as Python writes it, cut where it gets too long for one line."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def selected(
    statements: list[Statement], patterns: list[str], *, with_needs: bool = False
) -> list[Statement]:
    """The statements whose id matches one of the shell patterns, or has it as a part.

    No pattern is all of them; `with_needs` leaves out what every machine can test.
    """
    return [
        s
        for s in statements
        if (s.needs or not with_needs)
        and (not patterns or any(p in s.id or fnmatchcase(s.id, p) for p in patterns))
    ]


def read_expected(path: Path, name: str) -> Expected:
    """The recorded verdicts on the runtime `name`; an unknown one must pass everything."""
    table = tomllib.loads(path.read_text(encoding="utf-8")).get(name)
    if table is None:
        return Expected()
    return Expected(True, *(table.get(key, {}) for key in ("fail", "unclaimed", "racy")))


def difference(verdict: Verdict, expected: Expected) -> str | None:
    """What is unexpected about a verdict, or None. A skip says nothing about the runtime."""
    if verdict.outcome == "skip" or verdict.id in expected.racy:
        return None
    if verdict.id in expected.fail:
        wanted = "fail"
    elif verdict.id in expected.unclaimed:
        wanted = "unclaimed"
    else:
        wanted = "pass"
    if verdict.outcome == wanted:
        return None
    return f"recorded as {wanted}, now {verdict.outcome}"


def summary(verdicts: list[Verdict]) -> str:
    """The closing line."""
    passed = sum(v.outcome == "pass" for v in verdicts)
    failed = sum(v.outcome == "fail" for v in verdicts)
    return f"{passed} passed, {failed} failed, {len(verdicts) - passed - failed} skipped"
