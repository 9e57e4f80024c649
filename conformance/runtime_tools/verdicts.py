"""From a program's output to a verdict, and from that to what is unexpected about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.runtime_tools.expectations import Expectation
    from conformance.runtime_tools.tap import Report

# These print `1..0` whatever happens: an "error" diagnostic is how they report a failure.
ASSERT_NOTHING = frozenset(
    {
        "hooks",
        "poststart",
        "poststart_fail",
        "poststop",
        "poststop_fail",
        "prestart",
        "prestart_fail",
    }
)
# These print nothing at all when the runtime refuses the config, which is what they want of it.
SAY_NOTHING = frozenset({"process_capabilities_fail", "process_rlimits_fail"})
# What the programs' library writes around a runtime's own message.
FRAME = ("failed to ", "exit status ")


@dataclass(frozen=True)
class Ended:
    """How a program ended: exit status (negative: a signal, None: out of time), standard error."""

    status: int | None
    error: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a program passes: `kind` is pass, fail, PASS0 or FAIL0. `why` says what failed."""

    kind: str
    why: str = ""

    @property
    def passed(self) -> bool:
        """True for both ways to pass."""
        return self.kind in {"pass", "PASS0"}


@dataclass(frozen=True)
class Result:
    """What came of one program, with the recorded expectation (None: the file does not name it)."""

    name: str
    verdict: Verdict | None
    expectation: Expectation | None
    report: Report | None = None
    seconds: float = 0.0
    left_behind: tuple[str, ...] = ()

    @property
    def as_expected(self) -> bool:
        """True if nothing about it is unexpected."""
        return difference(self) is None


def describe_end(ended: Ended) -> str:
    """How a program ended, in words, with the runtime's message if it wrote one."""
    if ended.status is None:
        words = "did not end in time"
    elif ended.status < 0:
        words = f"ended by signal {-ended.status}"
    else:
        words = f"exit status {ended.status}"
    lines = (line.strip() for line in ended.error.splitlines())
    telling = [line for line in lines if line and not line.startswith(FRAME)]
    return f"{words}: {shorten(telling[0])}" if telling else words


def shorten(text: str, limit: int = 300) -> str:
    """The text, cut where it gets too long for a line."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def describe_failures(report: Report) -> str:
    """The first assertion that failed, and how many more did."""
    first, *others = report.failures
    more = f" and {len(others)} more" if others else ""
    return f"not ok: {shorten(first.text)}{more}"


def classify(name: str, ended: Ended, report: Report) -> Verdict:
    """The verdict on a program; to say nothing is a failure, but for those known for it."""
    if name in SAY_NOTHING and ended.status == 0 and not report.plans:
        return Verdict("PASS0")
    fault = find_fault(ended, report)
    if fault:
        return Verdict("fail", fault)
    if report.assertions:
        return Verdict("pass")
    if name not in ASSERT_NOTHING:
        return Verdict("fail", "it made no assertion")
    if report.errors:
        return Verdict("FAIL0", shorten(report.errors[0].split("\\n")[0]))
    return Verdict("PASS0")


def find_fault(ended: Ended, report: Report) -> str:
    """What is wrong with a program's end or its assertions, or nothing."""
    if ended.status != 0:
        return describe_end(ended)
    if report.bailed_out:
        return report.bailed_out
    if report.failures:
        return describe_failures(report)
    if not report.plans or None in report.plans:
        return "its output has no plan: it, or the container process, ended early"
    if sum(filter(None, report.plans)) != len(report.assertions):
        return f"its plan does not fit its {len(report.assertions)} assertions"
    return ""


def difference(result: Result) -> str | None:
    """What is unexpected about a result, in words, or None."""
    verdict, expectation = result.verdict, result.expectation
    if verdict is None:
        return "expected.toml names it, but the suite does not have it"
    if expectation is None:
        fares = "passes" if verdict.passed else f"fails: {verdict.why}"
        return f"expected.toml does not name it; it {fares}"
    if expectation.holds(passed=verdict.passed):
        return None
    if verdict.passed:
        return f"expected to fail ({expectation.reason}), but it passes"
    return f"expected to pass, but it fails: {verdict.why}"


def render_result(result: Result) -> str:
    """The line about one program."""
    unexpected = difference(result)
    if unexpected:
        return f"UNEXPECTED {result.name}: {unexpected}"
    if result.verdict and result.verdict.passed:
        return f"pass {result.name} ({result.seconds:.1f} s)"
    reason = result.expectation.reason if result.expectation else ""
    return f"fail {result.name}, as expected: {reason}"


def render_left_behind(result: Result) -> list[str]:
    """A line for each kind of thing that a program left, with the first of them."""
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for thing in result.left_behind:
        kind, _, name = thing.partition(" ")
        first.setdefault(kind, name)
        count[kind] = count.get(kind, 0) + 1
    more = {kind: f" and {count[kind] - 1} more" if count[kind] > 1 else "" for kind in first}
    return [f"    left behind: {kind} {first[kind]}{more[kind]}" for kind in first]


def render_summary(results: list[Result], skipped: int) -> list[str]:
    """The closing lines: how the programs themselves fared, then how many did as recorded."""
    run = [result for result in results if result.verdict]
    passing = sum(result.verdict.passed for result in run if result.verdict)
    failing = [result for result in run if result.verdict and not result.verdict.passed]
    expected = sum(result.as_expected for result in failing)
    words = [f"{passing} pass", f"{expected} fail as expected"]
    if len(failing) > expected:
        words.append(f"{len(failing) - expected} fail unexpectedly")
    passed = sum(result.as_expected for result in results)
    return [
        f"programs: {', '.join(words)}",
        f"{passed} passed, {len(results) - passed} failed, {skipped} skipped",
    ]
