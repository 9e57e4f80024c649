"""A profile in words: what happens to which call, by which rule; for `pyoci seccomp`.

Never on the hot path. What it says comes from the decisions that are compiled (``decide.py``), and
which of the profile's rules is behind them is looked up here.
"""

from __future__ import annotations

from errno import errorcode

from pyoci.errors import UsageError
from pyoci.plan.seccomp.arches import MULTIPLEXERS, load_table, select_arches
from pyoci.plan.seccomp.bpf import JEQ, JGE, JGT
from pyoci.plan.seccomp.compile import plan_seccomp
from pyoci.plan.seccomp.decide import NO_SUCH_CALL, last_known, resolve, through
from pyoci.plan.seccomp.profile import ACTIONS, ARGUMENTS, DOUBLE_WORD, WORD, parse_rules
from pyoci.plan.seccomp.verdict import find_decision, find_match
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyoci.plan.seccomp.arches import Arch
    from pyoci.plan.seccomp.decide import Decision, Plan
    from pyoci.plan.seccomp.profile import Condition, Match, Rule
    from pyoci.spec.model import Seccomp

_ACTION_BITS = 0xFFFF0000
_DATA_BITS = 0xFFFF
_MAX_DIGITS = 20  # of 64 bits
_WORDS = {number: word for word, number in reversed(ACTIONS.items())}
_BY_ERRNO = "SCMP_ACT_ERRNO"
_SIGNS = {
    (JEQ, False): "==",
    (JEQ, True): "!=",
    (JGE, False): ">=",
    (JGE, True): "<",
    (JGT, False): ">",
    (JGT, True): "<=",
}


class Alternative(Record):
    """What some arguments lead to; `when` is empty if any do. `because` names the rule, or why."""

    when: str
    action: str
    because: str


class CallDecision(Record):
    """What happens to a call of one architecture: the first alternative that fits.

    `name` is empty if the architecture knows no call of this number, `number` is -1 if it has no
    call of this name; `via` is the call through which it comes then, or also (socketcall(2)).
    """

    arch: str
    name: str
    number: int
    alternatives: tuple[Alternative, ...]
    via: str = ""


class ArchDecisions(Record):
    """What happens to all the calls of one architecture; from `newer_from` on they are newer.

    That is -1 where the profile does not tell older calls from newer ones.
    """

    name: str
    native: bool
    calls: tuple[CallDecision, ...]
    newer_from: int
    newer: str


class Explanation(Record):
    """A whole profile on a machine."""

    machine: str
    default: str
    arches: tuple[ArchDecisions, ...]
    ignored_arches: tuple[str, ...]
    unknown_names: tuple[tuple[str, str], ...]


def explain_profile(profile: Seccomp, machine: str) -> Explanation:
    """Everything that the profile decides; raises as `compile_seccomp` does."""
    explainer = Explainer(profile, machine)
    names = [arch.name for arch in explainer.arches]
    return Explanation(
        machine=machine,
        default=describe_action(explainer.plan.default),
        arches=tuple(explainer.explain_arches()),
        ignored_arches=tuple([name for name in profile.architectures if name not in names]),
        unknown_names=tuple(explainer.find_unknown()),
    )


def explain_call(
    profile: Seccomp, machine: str, call: str, args: tuple[int, ...] | None
) -> list[CallDecision]:
    """What happens to one call, by name or number, on every architecture.

    With arguments (missing ones are 0) there is one alternative each: the one that fits.
    UsageError if no architecture has such a call; else raises as `compile_seccomp` does.
    """
    explainer = Explainer(profile, machine)
    found = [
        made for arch in explainer.arches for made in explainer.explain_named(arch, call, args)
    ]
    if all(not decision.alternatives for decision in found):
        raise UsageError(
            f"{call!a} is no system call of {', '.join(a.name for a in explainer.arches)}"
        )
    return found


class Explainer:
    """A profile, read and decided; answers about its architectures and calls."""

    def __init__(self, profile: Seccomp, machine: str) -> None:
        """Decide; raises as `compile_seccomp` does."""
        self.profile = profile
        self.rules = parse_rules(profile)
        self.plan: Plan = plan_seccomp(profile, machine)
        self.arches = select_arches(profile, machine)
        self.tables = {arch.name: load_table(arch) for arch in self.arches}

    def find_unknown(self) -> Iterator[tuple[str, str]]:
        """Names that no architecture has, with the place where the profile lists them first."""
        for name in self.plan.unknown_names:
            at = next(n for n, rule in enumerate(self.profile.syscalls) if name in rule.names)
            yield name, f"linux.seccomp.syscalls[{at}].names"

    def explain_arches(self) -> Iterator[ArchDecisions]:
        """Each architecture with its calls in the order of their numbers."""
        for n, arch in enumerate(self.arches):
            table = self.tables[arch.name]
            boundary = self._boundary(arch)
            newer = self.decide(arch, boundary) if boundary >= 0 else self.plan.default
            yield ArchDecisions(
                name=arch.name,
                native=n == 0,
                calls=tuple(
                    [
                        self.explain_number(arch, number, name, None)
                        for name, number in sorted(table.items(), key=lambda item: item[::-1])
                    ]
                ),
                newer_from=boundary,
                newer=describe_action(newer) if isinstance(newer, int) else "",
            )

    def _boundary(self, arch: Arch) -> int:
        """The first number that is newer than the profile, -1 if none is."""
        last = last_known(resolve(self.rules, self.tables[arch.name]), arch)
        if last < 0 or self.decide(arch, last + 1) != NO_SUCH_CALL:
            return -1
        return last + 1

    def decide(self, arch: Arch, number: int) -> Decision:
        """What is compiled for this number."""
        return find_decision(self.plan, arch.audit, number)

    def explain_named(
        self, arch: Arch, call: str, args: tuple[int, ...] | None
    ) -> Iterator[CallDecision]:
        """A call by its name or number: itself, and through another call."""
        table = self.tables[arch.name]
        number = table.get(call, -1)
        if call.isascii() and call.isdigit():
            number = _parse_number(call, arch)
            names = [name for name, known in table.items() if known == number]
            yield self.explain_number(arch, number, "/".join(names), args)
            return
        if number >= 0:
            yield self.explain_number(arch, number, call, args)
        through_another = list(self._explain_multiplexed(arch, call, args))
        yield from through_another
        if number < 0 and not through_another:
            yield CallDecision(arch=arch.name, name=call, number=-1, alternatives=())

    def _explain_multiplexed(
        self, arch: Arch, call: str, args: tuple[int, ...] | None
    ) -> Iterator[CallDecision]:
        """The same call as socketcall(2) or ipc(2) with the number of its kind.

        Its own arguments lie in memory then: no filter sees them.
        """
        if not arch.multiplexed:
            return
        for name, selectors in MULTIPLEXERS.items():
            if call in selectors:
                selector = selectors[call]
                given = None if args is None else (selector, *args[1:])
                found = self.explain_number(arch, self.tables[arch.name][name], name, given)
                sign = f"arg0 == {selector:#x}"
                fitting = tuple(
                    [a for a in found.alternatives if a.when in ("", sign) or f"{sign} " in a.when]
                )
                yield CallDecision(
                    arch=arch.name,
                    name=call,
                    number=found.number,
                    alternatives=fitting,
                    via=f"{name}, {sign}",
                )

    def explain_number(
        self, arch: Arch, number: int, name: str, args: tuple[int, ...] | None
    ) -> CallDecision:
        """The decision about one number in words; of its alternatives that which fits `args`."""
        decision = self.decide(arch, number)
        alternatives: list[Alternative] = []
        conditional = not isinstance(decision, int)
        if not isinstance(decision, int):
            fitting = None if args is None else find_match(decision, pad(args))
            for match, action in decision:
                if args is None or (match, action) == fitting:
                    alternatives.append(self._alternative(arch, number, match, action))
            decision = self.plan.default
        if args is None or not alternatives:
            because = self._reason(arch, number, decision, conditional=conditional)
            alternatives.append(
                Alternative(when="", action=describe_action(decision), because=because)
            )
        return CallDecision(
            arch=arch.name, name=name, number=number, alternatives=tuple(alternatives)
        )

    def _alternative(self, arch: Arch, number: int, match: Match, action: int) -> Alternative:
        at = next(
            at
            for at, rule in self._rules_of(arch, number)
            if rule.action == action and self._has(rule, arch, number, match)
        )
        return Alternative(
            when=describe_match(match),
            action=describe_action(action),
            because=f"linux.seccomp.syscalls[{at}]",
        )

    def _has(self, rule: Rule, arch: Arch, number: int, match: Match) -> bool:
        """Whether this match is the rule's, directly or behind a selector."""
        own = rule.matches_for(narrow=arch.narrow)
        if match in own and self._names(rule, arch, number):
            return True
        return any(through(match[0], each) == match for each in own) if match else False

    def _names(self, rule: Rule, arch: Arch, number: int) -> bool:
        table = self.tables[arch.name]
        return any(table.get(name) == number for name in rule.names)

    def _rules_of(self, arch: Arch, number: int) -> Iterator[tuple[int, Rule]]:
        """The rules about this number with their indexes, but for those of the default action."""
        table = self.tables[arch.name]
        behind: set[str] = set()
        for name, selectors in MULTIPLEXERS.items() if arch.multiplexed else ():
            if table[name] == number:
                behind.update(selectors)
        for at, rule in enumerate(self.rules):
            if rule.action != self.plan.default and (
                self._names(rule, arch, number) or not behind.isdisjoint(rule.names)
            ):
                yield at, rule

    def _reason(self, arch: Arch, number: int, action: int, *, conditional: bool) -> str:
        """Why a call gets an action that does not depend on its arguments."""
        if conditional:
            return "no rule fits its arguments: the default"
        for at, rule in self._rules_of(arch, number):
            if () in rule.matches_for(narrow=arch.narrow) and self._names(rule, arch, number):
                return f"linux.seccomp.syscalls[{at}]"
        if arch.escaped and number == 0 and action == NO_SUCH_CALL:
            return "the number of calls that the kernel does not know"
        if action != self.plan.default:
            known = action == NO_SUCH_CALL
            return f"{'newer than every call' if known else 'of no architecture'} of the profile"
        for at, rule in enumerate(self.rules):
            if self._names(rule, arch, number):
                return f"linux.seccomp.syscalls[{at}], as the default"
        return "no rule names it: the default"


def pad(args: tuple[int, ...]) -> tuple[int, ...]:
    """Six arguments: those that are not given are 0."""
    return (*args, *([0] * ARGUMENTS))[:ARGUMENTS]


def _parse_number(digits: str, arch: Arch) -> int:
    """The number of a call; those of x32 may be given without the bit that they all have."""
    if len(digits) > _MAX_DIGITS or int(digits) > WORD:
        raise UsageError(f"{digits[:_MAX_DIGITS]!a} is no number of a system call")
    return int(digits) | arch.first


def parse_argument(text: str) -> int:
    """An argument as a program would pass it: decimal, 0x..., or negative; UsageError."""
    digits = text[1:] if text[:1] == "-" else text
    is_hex = digits[:2] in ("0x", "0X")
    number = digits[2:] if is_hex else digits
    alphabet = "0123456789abcdefABCDEF" if is_hex else "0123456789"
    if not number or len(number) > _MAX_DIGITS or not set(number) <= set(alphabet):
        raise UsageError(f"{text!a} is no number")
    value = int(number, 16 if is_hex else 10)
    if text[:1] == "-":
        value = -value
    if not -(2**63) <= value <= DOUBLE_WORD:
        raise UsageError(f"{text!a} does not fit in 64 bits")
    return value & DOUBLE_WORD


def describe_action(action: int) -> str:
    """The action as the profile would name it, with its errno or data."""
    word = _WORDS.get(action & _ACTION_BITS, f"{action:#x}")
    data = action & _DATA_BITS
    if word == _BY_ERRNO:
        return f"{word} ({errorcode.get(data, data)})"
    return f"{word} ({data})" if data else word


def describe_match(match: Match) -> str:
    """Conditions on arguments, all of which hold."""
    return " and ".join([describe_condition(condition) for condition in match])


def describe_condition(condition: Condition) -> str:
    """One condition, like ``arg0 & 0xff == 0x5``."""
    sign = _SIGNS[condition.operator, condition.negated]
    mask = "" if condition.mask in (WORD, DOUBLE_WORD) else f" & {condition.mask:#x}"
    return f"arg{condition.index}{mask} {sign} {condition.value:#x}"
