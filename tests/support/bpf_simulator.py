"""Runs a classic BPF program on a struct seccomp_data, as seccomp(2) would.

It also checks what the kernel's checker demands: known instructions, jumps forwards
and inside, loads inside the structure, a return at the end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

LD_W_ABS, ALU_AND_K, JA, JEQ, JGT, JGE, JSET, RET_K = 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x45, 0x06
COMPARISONS = {JEQ, JGT, JGE, JSET}
SECCOMP_DATA_SIZE = 64
ARGS_OFFSET = 16


@dataclass(frozen=True)
class Verdict:
    """What the filter returned, and whether it looked at an argument on its way."""

    action: int
    read_arguments: bool


class Program:
    """A checked program for a machine of this byte order ("<" or ">")."""

    def __init__(self, code: bytes, order: str = "<") -> None:
        self.order = order
        self.instructions = list(struct.iter_unpack(order + "HBBI", code))
        assert 0 < len(self.instructions) <= 4096
        for place, instruction in enumerate(self.instructions):
            self._check(place, *instruction)

    def _check(self, place: int, code: int, yes: int, no: int, k: int) -> None:
        left = len(self.instructions) - place - 1
        if code == RET_K:
            return
        assert left, "the program runs off its end"
        if code == LD_W_ABS:
            assert k % 4 == 0
            assert k < SECCOMP_DATA_SIZE
        elif code == JA:
            assert k < left
        elif code in COMPARISONS:
            assert max(yes, no) < left
        else:
            assert code == ALU_AND_K, f"unknown instruction {code:#x}"

    def run(self, number: int, audit: int, args: tuple[int, ...] = (0,) * 6) -> Verdict:
        """The verdict on this call; `number` as unsigned."""
        data = struct.pack(f"{self.order}IIQ6Q", number, audit, 0, *args)
        words = struct.unpack(f"{self.order}16I", data)
        instructions = self.instructions
        accumulator = place = 0
        read_arguments = False
        while True:
            code, yes, no, k = instructions[place]
            place += 1
            if code == JGE:
                place += yes if accumulator >= k else no
            elif code == JEQ:
                place += yes if accumulator == k else no
            elif code == JGT:
                place += yes if accumulator > k else no
            elif code == JSET:
                place += yes if accumulator & k else no
            elif code == LD_W_ABS:
                accumulator = words[k // 4]
                read_arguments |= k >= ARGS_OFFSET
            elif code == ALU_AND_K:
                accumulator &= k
            elif code == JA:
                place += k
            else:
                return Verdict(k, read_arguments)
