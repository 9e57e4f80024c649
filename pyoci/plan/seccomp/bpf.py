"""An assembler for classic BPF as seccomp(2) runs it (linux/filter.h).

It writes a program from its end to its start. Jumps only go forwards, so a jump's
target is always written already, and its distance is known: no second pass.
"""

from __future__ import annotations

# linux/bpf_common.h: class | size | mode, or class | operation | operand
LD_W_ABS = 0x20
ALU_AND_K = 0x54
JA = 0x05
JEQ = 0x15
JGT = 0x25
JGE = 0x35
RET_K = 0x06

MAX_INSTRUCTIONS = 4096  # BPF_MAXINSNS
_MAX_JUMP = 255  # a conditional jump has 8 bits for each distance


class Assembler:
    """A program being written backwards.

    A label is what a method returns: the place of the instruction that it wrote,
    counted from the end of the program.
    """

    def __init__(self) -> None:
        """Start with the end of a program."""
        self._code: list[int] = []  # the last instruction first: code, jt, jf, k from low to high
        self._return_labels: dict[int, int] = {}
        self._returned: dict[int, int] = {}

    def __len__(self) -> int:
        """The number of instructions so far."""
        return len(self._code)

    def _write(self, instruction: int) -> int:
        self._code.append(instruction)
        return len(self._code)

    def ret(self, value: int) -> int:
        """Return `value`; an equal instruction that can still be reached serves again."""
        label = self._return_labels.get(value)
        if label is None or len(self._code) - label >= _MAX_JUMP:
            label = self._write(RET_K | value << 32)
            self._return_labels[value] = label
            self._returned[label] = value
        return label

    def goto(self, label: int) -> int:
        """Go on at `label`, however far it is."""
        return self._write(JA | (len(self._code) - label) << 32)

    def _near(self, label: int) -> int:
        """A place that does what `label` does, and that a jump can reach."""
        if len(self._code) - label < _MAX_JUMP:
            return label
        value = self._returned.get(label)
        return self.goto(label) if value is None else self.ret(value)

    def jump(self, operation: int, k: int, yes: int, no: int) -> int:
        """Compare the accumulator with `k`; go on at `yes` or at `no`."""
        here = len(self._code)
        # Less, not less or equal: bringing the one near may push the other one further away.
        if here - yes >= _MAX_JUMP or here - no >= _MAX_JUMP:
            yes = self._near(yes)
            no = self._near(no)
            here = len(self._code)
        self._code.append(operation | (here - yes) << 16 | (here - no) << 24 | k << 32)
        return here + 1

    def mask(self, k: int, then: int) -> int:
        """Keep these bits of the accumulator, go on at `then`."""
        self._lead_to(then)
        return self._write(ALU_AND_K | k << 32)

    def load(self, offset: int, then: int) -> int:
        """Load the 32-bit word at `offset` of struct seccomp_data, go on at `then`."""
        self._lead_to(then)
        return self._write(LD_W_ABS | offset << 32)

    def _lead_to(self, label: int) -> None:
        """Make `label` what follows the next instruction."""
        if label != len(self._code):
            self.goto(label)

    def program(self, *, big_endian: bool) -> bytes:
        """The whole as an array of struct sock_filter {u16 code; u8 jt; u8 jf; u32 k}."""
        if not big_endian:
            return b"".join([word.to_bytes(8, "little") for word in reversed(self._code)])
        parts = []
        for word in reversed(self._code):
            parts.append((word & 0xFFFF).to_bytes(2, "big"))
            parts.append((word >> 16 & 0xFFFF).to_bytes(2, "little"))  # two bytes, jt first
            parts.append((word >> 32).to_bytes(4, "big"))
        return b"".join(parts)
