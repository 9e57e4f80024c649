"""linux.seccomp read: the specification's words become the kernel's numbers.

Nothing here knows about architectures or numbers of system calls.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.seccomp.bpf import JEQ, JGE, JGT
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import Seccomp, SyscallArg, SyscallRule

# linux/seccomp.h: what a filter returns; the lower 16 bits are data.
SECCOMP_RET_KILL_PROCESS = 0x80000000
SECCOMP_RET_KILL_THREAD = 0x00000000
SECCOMP_RET_TRAP = 0x00030000
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_TRACE = 0x7FF00000
SECCOMP_RET_LOG = 0x7FFC0000
SECCOMP_RET_ALLOW = 0x7FFF0000

ACTIONS = {
    "SCMP_ACT_KILL": SECCOMP_RET_KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": SECCOMP_RET_KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": SECCOMP_RET_KILL_PROCESS,
    "SCMP_ACT_TRAP": SECCOMP_RET_TRAP,
    "SCMP_ACT_ERRNO": SECCOMP_RET_ERRNO,
    "SCMP_ACT_TRACE": SECCOMP_RET_TRACE,
    "SCMP_ACT_LOG": SECCOMP_RET_LOG,
    "SCMP_ACT_ALLOW": SECCOMP_RET_ALLOW,
    "SCMP_ACT_NOTIFY": SECCOMP_RET_USER_NOTIF,
}

# The largest errno_ret: the kernel cuts errno to MAX_ERRNO, trace data to 16 bits.
_DATA_LIMITS = {"SCMP_ACT_ERRNO": 4095, "SCMP_ACT_TRACE": 0xFFFF}
_EPERM = 1

# The kernel compares for "is equal", "is greater" and "is not less": an operator is one of
# these or its negation. SCMP_CMP_MASKED_EQ is SCMP_CMP_EQ with a mask.
OPERATORS = {
    "SCMP_CMP_EQ": (JEQ, False),
    "SCMP_CMP_NE": (JEQ, True),
    "SCMP_CMP_GT": (JGT, False),
    "SCMP_CMP_LE": (JGT, True),
    "SCMP_CMP_GE": (JGE, False),
    "SCMP_CMP_LT": (JGE, True),
    "SCMP_CMP_MASKED_EQ": (JEQ, False),
}

ARGUMENTS = 6
WORD = 0xFFFFFFFF
DOUBLE_WORD = 0xFFFFFFFFFFFFFFFF


class Condition(Record):
    """True if ``(args[index] & mask) operator value`` is, or is not if `negated`.

    A mask without bits above 32 makes it a comparison of the lower words alone.
    """

    index: int
    operator: int
    negated: bool
    value: int
    mask: int


if TYPE_CHECKING:
    from typing import TypeAlias

    Match: TypeAlias = tuple[Condition, ...]  # all of them; sorted by index; () always matches


class Rule(Record):
    """Calls of these names that fit one of the matches get `action`.

    `matches` is for 64-bit architectures, `narrow_matches` for those whose
    arguments have 32 bits.
    """

    names: tuple[str, ...]
    action: int
    matches: tuple[Match, ...]
    narrow_matches: tuple[Match, ...]

    def matches_for(self, *, narrow: bool) -> tuple[Match, ...]:
        """The alternatives on an architecture of this kind."""
        return self.narrow_matches if narrow else self.matches


def parse_action(word: str, errno_ret: int | None, path: str, errno_path: str) -> int:
    """What the filter returns for this action; ConfigError at `path` or `errno_path`."""
    if word not in ACTIONS:
        raise ConfigError(path, f"unknown action {word!r}", f"known: {', '.join(ACTIONS)}")
    limit = _DATA_LIMITS.get(word)
    if limit is None:
        if errno_ret is not None:
            raise ConfigError(errno_path, f"{word} takes no errno")
        return ACTIONS[word]
    data = _EPERM if errno_ret is None else errno_ret
    if not 0 <= data <= limit:
        raise ConfigError(errno_path, f"{data} is out of range (0 to {limit})")
    return ACTIONS[word] | data


def _parse_condition(arg: SyscallArg, path: str) -> Condition:
    """One entry of args."""
    if arg.op not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise ConfigError(f"{path}.op", f"unknown operator {arg.op!r}", f"known: {known}")
    if not 0 <= arg.index < ARGUMENTS:
        raise ConfigError(f"{path}.index", f"{arg.index} is no argument (0 to {ARGUMENTS - 1})")
    operator, negated = OPERATORS[arg.op]
    value, mask = arg.value, DOUBLE_WORD
    if arg.op == "SCMP_CMP_MASKED_EQ":
        value, mask = arg.value_two & arg.value, arg.value
    return Condition(index=arg.index, operator=operator, negated=negated, value=value, mask=mask)


def _narrow(condition: Condition) -> Condition:
    """The condition on the lower word, as libseccomp has it on 32-bit architectures."""
    return Condition(
        index=condition.index,
        operator=condition.operator,
        negated=condition.negated,
        value=condition.value & WORD,
        mask=condition.mask & WORD,
    )


def _match(conditions: list[Condition]) -> Match:
    """All of these conditions in the order of their arguments, less those that are always true."""
    return tuple(sorted([c for c in conditions if c.mask], key=lambda c: c.index))


def _parse_matches(args: tuple[SyscallArg, ...], path: str) -> list[list[Condition]]:
    """The alternatives that an entry's args describe; each is a list of conditions to fulfil.

    Two conditions on one argument make every condition an alternative of its
    own: old profiles list the allowed values that way, and runc and crun keep
    to it.
    """
    conditions = [_parse_condition(arg, f"{path}.args[{i}]") for i, arg in enumerate(args)]
    if len({condition.index for condition in conditions}) < len(conditions):
        return [[condition] for condition in conditions]
    return [conditions]


def _parse_rule(rule: SyscallRule, path: str) -> Rule:
    """One entry of syscalls."""
    action = parse_action(rule.action, rule.errno_ret, f"{path}.action", f"{path}.errnoRet")
    if not rule.args:
        return Rule(names=rule.names, action=action, matches=((),), narrow_matches=((),))
    matches = _parse_matches(rule.args, path)
    return Rule(
        names=rule.names,
        action=action,
        matches=tuple([_match(conditions) for conditions in matches]),
        narrow_matches=tuple([_match([_narrow(c) for c in conditions]) for conditions in matches]),
    )


def parse_rules(profile: Seccomp) -> list[Rule]:
    """The entries of syscalls in their order; ConfigError for words and numbers we do not know."""
    return [
        _parse_rule(rule, f"linux.seccomp.syscalls[{i}]") for i, rule in enumerate(profile.syscalls)
    ]
