"""What came of the runs in guests: counts, statements that were left out, the closing lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped\r?$", re.MULTILINE)

# Statements that no guest can test, by what conformance.spec says when it skips one. Any other
# skip is a failure: a guest is there to have what is missing elsewhere.
ACCEPTED_SKIPS = {"no SELinux": "tests/vm/test_selinux.py tests it, with a policy of its own"}


@dataclass(frozen=True)
class Part:
    """One run in a guest, and how it ended."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def count(name: str, output: str, status: int, seconds: float) -> Part:
    """The sum of all closing lines in the output.

    A suite that ends well has no failure but those on record; one that does not has at least one.
    """
    lines = [tuple(map(int, found)) for found in COUNTS.findall(output)]
    passed, failed, skipped = (sum(line[place] for line in lines) for place in range(3))
    if status == 0 and lines:
        return Part(name, passed + failed, 0, skipped, seconds)
    return Part(name, passed, max(failed, 1), skipped, seconds)


def skipped_statements(document: Mapping[str, Any] | None) -> dict[str, str]:
    """Id and reason of each statement that the machine could not test (conformance.spec --json)."""
    return {
        verdict["id"]: verdict["reason"]
        for verdict in (document or {"verdicts": ()})["verdicts"]
        if verdict["outcome"] == "skip"
    }


def refused_skips(skipped: Mapping[str, str]) -> list[str]:
    """The skips that are failures, in words."""
    return [
        f"{statement}: skipped in every guest: {reason}"
        for statement, reason in sorted(skipped.items())
        if reason not in ACCEPTED_SKIPS
    ]


def join_statements(name: str, uml: Part, left: Iterable[str], vm: Part, refused: int) -> Part:
    """One part of two: what the first had to skip (`left`) counts where it was tried again.

    Of what was skipped there, too, `refused` are failures.
    """
    return Part(
        name,
        uml.passed + vm.passed,
        uml.failed + vm.failed + refused,
        uml.skipped - len(list(left)) + vm.skipped - refused,
        uml.seconds + vm.seconds,
    )


def render_summary(parts: Iterable[Part]) -> list[str]:
    """A line for each part, and last the sum in the form that CI adds up."""
    parts = list(parts)
    lines = [
        f"{part.passed:5} passed {part.failed:3} failed {part.skipped:3} skipped"
        f" {part.seconds:6.1f} s  {part.name}"
        for part in parts
    ]
    passed, failed, skipped = (
        sum(getattr(part, name) for part in parts) for name in ("passed", "failed", "skipped")
    )
    return [*lines, f"{passed} passed, {failed} failed, {skipped} skipped"]
