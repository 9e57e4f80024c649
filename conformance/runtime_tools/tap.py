"""A reader of the Test Anything Protocol, as far as the programs' library writes it. Pure.

A program may write several documents one after the other. Indented blocks between `---` and `...`
are diagnostics; the library prints JSON there, and loses a `%` now and then, so they are searched,
not parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ASSERTION = re.compile(r"(?P<not>not )?ok\b *(?P<number>\d+)?(?: *- )?(?P<text>.*)")
DIRECTIVE = re.compile(r"# *(?P<word>SKIP|TODO)\b", re.IGNORECASE)
PLAN = re.compile(r"1\.\.(\d+)\s*(#.*)?")
ERROR = re.compile(r'\s+"error": "(?P<text>.*)",?')


@dataclass(frozen=True)
class Assertion:
    """One `ok` or `not ok` line; `directive` is "", "skip" or "todo"."""

    ok: bool
    text: str
    directive: str = ""

    @property
    def failed(self) -> bool:
        """True for a `not ok` that is not marked as known to fail."""
        return not self.ok and self.directive != "todo"


@dataclass(frozen=True)
class Report:
    """All that a program wrote: `plans` has one entry a document, None where it has no plan."""

    plans: tuple[int | None, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    errors: tuple[str, ...] = ()
    bailed_out: str | None = None

    @property
    def failures(self) -> tuple[Assertion, ...]:
        """The assertions that failed."""
        return tuple(assertion for assertion in self.assertions if assertion.failed)

    @property
    def skipped(self) -> int:
        """How many assertions were not tried."""
        return sum(assertion.directive == "skip" for assertion in self.assertions)

    @property
    def passed(self) -> int:
        """How many assertions were tried and held."""
        return sum(assertion.ok and assertion.directive != "skip" for assertion in self.assertions)


def parse_assertion(line: str) -> Assertion | None:
    """The assertion on a line, or None."""
    found = ASSERTION.fullmatch(line.rstrip())
    if found is None:
        return None
    text = found["text"].strip()
    directive = DIRECTIVE.search(text)
    word = directive["word"].lower() if directive else ""
    return Assertion(found["not"] is None, text, word)


def parse_tap(text: str) -> Report:
    """What a program's standard output says; text that is not TAP is passed over, as TAP wants."""
    plans: list[int | None] = []
    assertions: list[Assertion] = []
    errors: list[str] = []
    bailed_out = None
    for line in text.splitlines():
        if line.startswith("TAP version") or (not plans and parse_assertion(line)):
            plans.append(None)
        if found := PLAN.fullmatch(line):
            plans[-1:] = [int(found[1])]
        elif assertion := parse_assertion(line):
            assertions.append(assertion)
        elif found := ERROR.fullmatch(line):
            errors.append(found["text"])
        elif line.startswith("Bail out!"):
            bailed_out = line
    return Report(tuple(plans), tuple(assertions), tuple(errors), bailed_out)
