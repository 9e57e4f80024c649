"""Decisions about system calls as a program of classic BPF.

Everything is written backwards (``bpf.py``): what comes last in the program is
the first that a function here asks for.
"""

from __future__ import annotations

from pyoci.plan.seccomp.bpf import JEQ, JGE, JGT, Assembler
from pyoci.plan.seccomp.decide import BAD_ARCH
from pyoci.plan.seccomp.profile import WORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.seccomp.decide import Decision, Plan, Ranges
    from pyoci.plan.seccomp.profile import Condition

# struct seccomp_data {int nr; u32 arch; u64 instruction_pointer; u64 args[6]}
_NR = 0
_ARCH = 4
_ARGS = 16


class Generator:
    """Writes the program of one plan."""

    def __init__(self, plan: Plan, *, big_endian: bool) -> None:
        """Take the plan and the byte order of the machine that will run it."""
        self._plan = plan
        self._asm = Assembler()
        self._big_endian = big_endian

    def generate(self) -> Assembler:
        """The whole program: look at the architecture, then at the number, then at arguments."""
        asm = self._asm
        starts = []
        for section in reversed(self._plan.sections):
            tree = self._search(section.ranges, 0, len(section.ranges))
            starts.append((section.audit, asm.load(_NR, tree)))
        label = asm.ret(BAD_ARCH)
        for audit, start in starts:
            label = asm.jump(JEQ, audit, start, label)
        asm.load(_ARCH, label)
        return asm

    def _search(self, ranges: Ranges, low: int, high: int) -> int:
        """A binary search over ranges[low:high] for the number in the accumulator."""
        decision = ranges[low][1]
        if high - low == 1:
            return self._decision(decision)
        if high - low == 3:
            middle = ranges[low + 1][0]
            if ranges[low + 2] == (middle + 1, decision):
                exception = self._decision(ranges[low + 1][1])
                return self._asm.jump(JEQ, middle, exception, self._decision(decision))
        half = (low + high) // 2
        upper = self._search(ranges, half, high)
        lower = self._search(ranges, low, half)
        return self._asm.jump(JGE, ranges[half][0], upper, lower)

    def _decision(self, decision: Decision) -> int:
        """Return the action; of the first match, or else the default."""
        if isinstance(decision, int):
            return self._asm.ret(decision)
        label = self._asm.ret(self._plan.default)
        for match, action in reversed(decision):
            label = self._match(match, action, label)
        return label

    def _match(self, match: tuple[Condition, ...], action: int, otherwise: int) -> int:
        """Return `action` if all conditions are true, else go on at `otherwise`."""
        label = self._asm.ret(action)
        for condition in reversed(match):
            label = self._condition(condition, label, otherwise)
        return label

    def _condition(self, condition: Condition, yes: int, no: int) -> int:
        """Go on at `yes` if the condition is true, else at `no`."""
        if condition.negated:
            yes, no = no, yes
        label = yes
        if condition.mask & WORD:
            label = self._compare(condition, condition.operator, yes, no, shift=0)
        if not condition.mask >> 32:
            return label
        if condition.operator == JEQ:
            return self._compare(condition, JEQ, label, no, shift=32)
        high = condition.value >> 32
        equal = self._asm.jump(JEQ, high, label, no)
        greater = self._asm.jump(JGT, high, yes, equal)
        return self._load(condition, greater, shift=32)

    def _compare(self, condition: Condition, operator: int, yes: int, no: int, shift: int) -> int:
        """Compare one word of the argument, the lower (shift 0) or the upper (32)."""
        mask = condition.mask >> shift & WORD
        label = self._asm.jump(operator, condition.value >> shift & WORD, yes, no)
        if mask != WORD:
            label = self._asm.mask(mask, label)
        return self._load(condition, label, shift)

    def _load(self, condition: Condition, label: int, shift: int) -> int:
        """Load one word of the argument and go on at `label`."""
        upper_half = bool(shift) != self._big_endian  # it is the word at the higher address
        return self._asm.load(_ARGS + condition.index * 8 + 4 * upper_half, label)
