"""What a planned filter answers to one call: the decisions read as data, without any BPF.

For `pyoci seccomp`, and as a second witness in tests: the compiled program must say the same.
"""

from __future__ import annotations

from pyoci.plan.seccomp.bpf import JEQ, JGE
from pyoci.plan.seccomp.decide import BAD_ARCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyoci.plan.seccomp.decide import Decision, Plan
    from pyoci.plan.seccomp.profile import Condition, Match


def find_decision(plan: Plan, audit: int, number: int) -> Decision:
    """What is decided about calls of this number; `number` is unsigned."""
    for section in plan.sections:
        if section.audit == audit:
            decision = section.ranges[0][1]
            for first, decided in section.ranges:
                if first > number:
                    break
                decision = decided
            return decision
    return BAD_ARCH


def find_match(decision: Decision, args: Sequence[int]) -> tuple[Match, int] | None:
    """The first alternative that fits six arguments, with its action; None if none does."""
    if isinstance(decision, int):
        return None
    for match, action in decision:
        if all(holds(condition, args) for condition in match):
            return match, action
    return None


def find_action(plan: Plan, audit: int, number: int, args: Sequence[int]) -> int:
    """What the filter returns for this call."""
    decision = find_decision(plan, audit, number)
    if isinstance(decision, int):
        return decision
    found = find_match(decision, args)
    return plan.default if found is None else found[1]


def holds(condition: Condition, args: Sequence[int]) -> bool:
    """Whether the condition is true of these arguments, which are unsigned."""
    value = args[condition.index] & condition.mask
    if condition.operator == JEQ:
        result = value == condition.value
    elif condition.operator == JGE:
        result = value >= condition.value
    else:
        result = value > condition.value
    return result is not condition.negated
