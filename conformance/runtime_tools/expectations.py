"""What expected.toml records: the verdict on each program, by runtime and by what the machine has.

A program's table has `verdict`: "pass"; "fail", with a `reason`; or "race", with a `reason`, where
the program itself leaves to chance what it finds. It may have `but`, a list of exceptions with
`runtime` (its name), `without` (a fact that the machine lacks) or both; the last that applies wins.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Table = dict[str, Any]


class ExpectationError(Exception):
    """expected.toml does not say what it has to."""


@dataclass(frozen=True)
class Expectation:
    """The recorded verdict on a program: pass, fail or race; `reason` says why it is not pass."""

    verdict: str
    reason: str = ""

    def holds(self, *, passed: bool) -> bool:
        """True if it is no surprise that a program passed, or did not."""
        return self.verdict == "race" or passed == (self.verdict == "pass")


@dataclass(frozen=True)
class RuntimeNotes:
    """How a runtime is run.

    `oci_version` is written into configs that say more; `version` is the one that was recorded.
    """

    cgroup_view: str = "host"
    oci_version: str = ""
    version: str = ""


@dataclass(frozen=True)
class Expected:
    """The whole file for one runtime on one machine."""

    notes: RuntimeNotes
    programs: dict[str, Expectation]


def parse_verdict(name: str, table: Table) -> Expectation:
    """One verdict with its reason."""
    verdict, reason = table.get("verdict"), table.get("reason", "")
    if verdict not in {"pass", "fail", "race"}:
        raise ExpectationError(f"{name}: verdict is {verdict!r}, not pass, fail or race")
    if verdict != "pass" and not reason:
        raise ExpectationError(f"{name}: a {verdict} needs a reason")
    return Expectation(verdict, reason)


def applies(exception: Table, runtime: str, facts: frozenset[str]) -> bool:
    """True if an exception is about this runtime, on a machine that lacks the fact it names."""
    wanted, fact = exception.get("runtime", runtime), exception.get("without")
    return wanted == runtime and fact not in facts


def parse_expected(text: str, runtime: str, facts: frozenset[str]) -> Expected:
    """The file as it is for one runtime on a machine of which `facts` hold.

    Raises ExpectationError.
    """
    document = tomllib.loads(text)
    programs = {}
    for name, table in document.get("program", {}).items():
        programs[name] = parse_verdict(name, table)
        for exception in table.get("but", []):
            expectation = parse_verdict(name, exception)
            if applies(exception, runtime, facts):
                programs[name] = expectation
    return Expected(RuntimeNotes(**document.get("runtime", {}).get(runtime, {})), programs)


def read_expected(path: Path, runtime: str, facts: frozenset[str]) -> Expected:
    """Reads and parses the file."""
    return parse_expected(path.read_text(encoding="utf-8"), runtime, facts)
