"""What happens to which system call number: the profile's rules on each architecture.

The semantics are libseccomp's, as runc and crun use it: a rule without conditions
outranks all others on its call, and of several such the first counts; a rule whose
action is the default one does not count at all; the rest are alternatives.
"""

from __future__ import annotations

from pyoci.plan.seccomp.arches import (
    AUDIT_ARCH_X86_64,
    MULTIPLEXERS,
    X32_SYSCALL_BIT,
    load_table,
)
from pyoci.plan.seccomp.bpf import JEQ
from pyoci.plan.seccomp.profile import (
    DOUBLE_WORD,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO,
    SECCOMP_RET_KILL_THREAD,
    SECCOMP_RET_LOG,
    SECCOMP_RET_TRACE,
    WORD,
    Condition,
)
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pyoci.plan.seccomp.arches import Arch
    from pyoci.plan.seccomp.profile import Match, Rule

    # Each rule with the numbers that an architecture gives to its names.
    Resolved: TypeAlias = list[tuple[Rule, set[int]]]
    # What to return if which match fits, in the order in which they are tried.
    Alternatives: TypeAlias = "dict[Match, int]"
    # What the filter returns: always the same, or that of the first match, or the default.
    Decision: TypeAlias = "int | tuple[tuple[Match, int], ...]"
    # (first number, decision): it holds up to the next entry's number; the first entry's is 0.
    Ranges: TypeAlias = tuple[tuple[int, Decision], ...]

# What libseccomp's bad architecture action is by default.
BAD_ARCH = SECCOMP_RET_KILL_THREAD
_PERMISSIVE = (SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE)
_ACTION_BITS = 0xFFFF0000
_ENOSYS = 38
NO_SUCH_CALL = SECCOMP_RET_ERRNO | _ENOSYS
# What tracers use to skip a call (seccomp(2)); on x86_64 it must not count as an x32 call.
_SKIPPED_CALL = 0xFFFFFFFF


class Section(Record):
    """The decisions for the calls that arrive with one AUDIT_ARCH_ number."""

    audit: int
    ranges: Ranges


class Plan(Record):
    """The decisions of a whole profile, and the names that none of its architectures has."""

    sections: tuple[Section, ...]
    default: int
    unknown_names: tuple[str, ...]


def resolve(rules: list[Rule], table: dict[str, int]) -> Resolved:
    """The rules with their numbers."""
    return [(rule, {table[name] for name in rule.names if name in table}) for rule in rules]


def _add_direct(choices: dict[int, Alternatives], resolved: Resolved, *, narrow: bool) -> None:
    """Add what rules with conditions say about calls by their own numbers."""
    for rule, numbers in resolved:
        matches = rule.matches_for(narrow=narrow)
        if () not in matches:
            for number in numbers:
                alternatives = choices.setdefault(number, {})
                for match in matches:
                    alternatives.setdefault(match, rule.action)


def _add_multiplexed(
    alternatives: Alternatives, resolved: Resolved, selectors: dict[str, int], *, narrow: bool
) -> None:
    """Add what rules say about calls that come by way of socketcall(2) or ipc(2)."""
    mask = WORD if narrow else DOUBLE_WORD
    for rule, _ in resolved:
        for name in rule.names:
            if name in selectors:
                value = selectors[name]
                selected = Condition(index=0, operator=JEQ, negated=False, value=value, mask=mask)
                for match in rule.matches_for(narrow=narrow):
                    alternatives.setdefault(through(selected, match), rule.action)


def through(selected: Condition, match: Match) -> Match:
    """The match when the first argument is the selector.

    The call's own arguments lie in memory then, where no filter can look: as with
    libseccomp, a rule on the first one widens, others compare what is in their place.
    """
    return (selected, *[condition for condition in match if condition.index])


def _rank(condition: Condition) -> tuple[int, int, int]:
    """Where libseccomp tries a condition among others: later arguments, then tighter bounds."""
    if condition.operator == JEQ:
        return -condition.index, 0, -condition.value
    if condition.negated:
        return -condition.index, 1, condition.value
    return -condition.index, 2, -condition.value


def _order(alternative: tuple[Match, int]) -> list[tuple[int, int, int]]:
    """Sorts alternatives as libseccomp does; matters where they overlap with different actions."""
    return [_rank(condition) for condition in alternative[0]]


def _decide_by_arguments(
    resolved: Resolved, arch: Arch, table: dict[str, int], decided: set[int]
) -> list[tuple[set[int], Decision]]:
    """(numbers, decision) of calls that rules with conditions name, but for the decided ones."""
    choices: dict[int, Alternatives] = {}
    _add_direct(choices, resolved, narrow=arch.narrow)
    if arch.multiplexed:
        for name, selectors in MULTIPLEXERS.items():
            if table[name] not in decided:
                alternatives = choices.setdefault(table[name], {})
                _add_multiplexed(alternatives, resolved, selectors, narrow=arch.narrow)
    return [
        ({number}, tuple(sorted(alternatives.items(), key=_order)))
        for number, alternatives in choices.items()
        if alternatives and number not in decided
    ]


def _decide(
    resolved: Resolved, arch: Arch, table: dict[str, int], newer: int
) -> list[tuple[set[int], Decision]]:
    """(numbers, decision) of every call that does not simply get the default; numbers differ."""
    decided: set[int] = set()
    decisions: list[tuple[set[int], Decision]] = []
    if arch.escaped:
        decided = {0}
        decisions.append(({0}, newer))
    for rule, numbers in resolved:
        if () in rule.matches_for(narrow=arch.narrow):
            fresh = numbers - decided
            decisions.append((fresh, rule.action))
            decided |= fresh
    return decisions + _decide_by_arguments(resolved, arch, table, decided)


def last_known(resolved: Resolved, arch: Arch) -> int:
    """The highest number that the profile names, -1 if none; private ones do not count."""
    known: set[int] = set().union(*[numbers for _, numbers in resolved])
    return max(known.difference(arch.private), default=-1)


def _plan_ranges(rules: list[Rule], arch: Arch, table: dict[str, int], default: int) -> Ranges:
    """The decisions of one architecture over all numbers.

    A call above the last one that the profile names is newer than the profile:
    it fails with ENOSYS, so that libraries fall back to an older call, unless the
    default lets calls through or has a tracer that will know (as runc does).
    """
    resolved = resolve(rules, table)
    last = last_known(resolved, arch)
    newer = default
    ends = {arch.first}
    if last >= 0 and default & _ACTION_BITS not in _PERMISSIVE:
        newer = NO_SUCH_CALL
        ends.add(last + 1)
        if arch.private:
            ends.update((arch.private.start, arch.private.stop))
    active = [(rule, numbers) for rule, numbers in resolved if rule.action != default]
    starts: dict[int, Decision] = {}
    for numbers, decision in _decide(active, arch, table, newer):
        following = {number + 1 for number in numbers}
        starts.update(dict.fromkeys(numbers - following, decision))
        ends |= following - numbers
    for number in ends:
        starts.setdefault(number, default if number <= last or number in arch.private else newer)
    return _merge(starts)


def _merge(starts: dict[int, Decision]) -> Ranges:
    """Sorted by number, without entries that repeat the one before."""
    ranges: list[tuple[int, Decision]] = []
    before: Decision | None = None
    for number in sorted(starts):
        decision = starts[number]
        if decision != before:
            ranges.append((number, decision))
            before = decision
    return tuple(ranges)


def _join_x32(x86_64: Ranges | None, x32: Ranges | None, default: int) -> Ranges:
    """The ranges of two architectures that share an AUDIT_ARCH_ number.

    Which of them a call is for shows in its number; one that the profile does not
    list is a bad architecture.
    """
    lower: Ranges = ((0, BAD_ARCH),) if x86_64 is None else x86_64
    upper: Ranges = ((X32_SYSCALL_BIT, BAD_ARCH), (_SKIPPED_CALL, default)) if x32 is None else x32
    if upper[0][1] == lower[-1][1]:
        upper = upper[1:]
    return lower + upper


def plan_sections(rules: list[Rule], arches: list[Arch], default: int) -> Plan:
    """What the filter decides, for all architectures together."""
    unknown: set[str] = set().union(*[rule.names for rule in rules])
    planned: dict[str, Ranges] = {}
    for arch in arches:
        table = load_table(arch)
        planned[arch.name] = _plan_ranges(rules, arch, table, default)
        unknown = unknown.difference(table)
        if arch.multiplexed:
            unknown = unknown.difference(*MULTIPLEXERS.values())
    sections = [
        Section(audit=arch.audit, ranges=planned[arch.name])
        for arch in arches
        if arch.audit != AUDIT_ARCH_X86_64
    ]
    x86_64, x32 = planned.get("SCMP_ARCH_X86_64"), planned.get("SCMP_ARCH_X32")
    if x86_64 or x32:
        joined = _join_x32(x86_64, x32, default)
        sections.insert(0, Section(audit=AUDIT_ARCH_X86_64, ranges=joined))
    return Plan(sections=tuple(sections), default=default, unknown_names=tuple(sorted(unknown)))
