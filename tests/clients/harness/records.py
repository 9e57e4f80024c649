"""The failures on record, and the table of outcomes. Pure but for reading the one file.

A test that has a record must fail, any other must pass: a difference in either direction fails the
suite. A failure of pyoci may be on record only together with the control's, which shows that the
client or the machine is at fault, or with the word `gap`, which says that pyoci is.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

RECORDS = Path(__file__).parent.parent / "records.toml"


@dataclass(frozen=True)
class Record:
    """A failure that is known: of which test, on which runtimes, on what machine, and why."""

    test: str
    runtimes: tuple[str, ...]
    reason: str
    machine: str = ""
    gap: bool = False

    def covers(self, test: str, runtime: str, facts: Iterable[str]) -> bool:
        """Whether it is about this test on this runtime on a machine with these facts."""
        here = not self.machine or self.machine in facts
        return here and runtime in self.runtimes and fnmatch.fnmatchcase(test, self.test)


def parse_records(text: str) -> list[Record]:
    """The records of the file's text; ValueError names one that blames pyoci alone."""
    records = []
    for entry in tomllib.loads(text).get("failure", []):
        record = Record(**{**entry, "runtimes": tuple(entry["runtimes"])})
        if record.runtimes == ("pyoci",) and not record.gap:
            raise ValueError(f"{record.test}: fails with pyoci only, and is not called a gap")
        records.append(record)
    return records


def find_record(
    records: Iterable[Record], test: str, runtime: str, facts: Iterable[str]
) -> Record | None:
    """The record that covers the test, if there is one."""
    known = tuple(facts)
    return next((record for record in records if record.covers(test, runtime, known)), None)


@dataclass(frozen=True)
class Outcome:
    """What came of one test on one runtime."""

    client: str
    operation: str
    runtime: str
    word: str


def parse_name(file: str, function: str) -> tuple[str, str]:
    """The client and the operation that a test is about: test_podman.py::test_run_a_pod[...]."""
    client = file.rpartition("/")[2].removeprefix("test_").removesuffix(".py")
    name, bracket, rest = function.removeprefix("test_").partition("[")
    words = [word for word in rest.rstrip("]").split("-") if word] if bracket else []
    return client.replace("_", " "), " ".join([*name.split("_"), *words])


def render_table(outcomes: Iterable[Outcome], runtimes: Iterable[str]) -> list[str]:
    """Client x operation, the runtimes side by side, as a Markdown table."""
    columns = list(runtimes)
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for outcome in outcomes:
        row = rows.setdefault((outcome.client, outcome.operation), {})
        row[outcome.runtime] = outcome.word
    lines = [row_of(["client", "operation", *columns]), "|" + "---|" * (2 + len(columns))]
    for (client, operation), words in sorted(rows.items()):
        lines.append(row_of([client, operation, *(words.get(name, "") for name in columns)]))
    return lines


def row_of(cells: list[str]) -> str:
    """A line of the table."""
    return f"| {' | '.join(cells)} |"


def judge(outcome: str, *, recorded: bool) -> str:
    """The word in the table for pytest's outcome of a test."""
    words: Mapping[tuple[str, bool], str] = {
        ("passed", False): "ok",
        ("failed", False): "FAILED",
        ("failed", True): "ok, on record as failing",
        ("skipped", True): "fails, on record",
        ("skipped", False): "skipped",
    }
    return words.get((outcome, recorded), outcome)
