"""The part of eBPF that device filters use, in Python: decode, verify, run.

Written from the kernel's instruction set document and not from our assembler,
so that a mistake there does not repeat itself here.
"""

from __future__ import annotations

import struct
from operator import and_, eq, ne
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_U64 = 2**64 - 1
_U32 = 2**32 - 1
_CONTEXT = "context"

_LOAD_WORD, _AND, _SHIFT_RIGHT, _SET, _MOVE = 0x61, 0x54, 0x74, 0xB7, 0xBF
_JUMP, _EXIT = 0x05, 0x95
_CONDITIONS: dict[int, Callable[[int, int], int]] = {0x15: eq, 0x55: ne, 0x45: and_}


class Instruction(NamedTuple):
    """struct bpf_insn."""

    code: int
    register: int
    source: int
    offset: int
    value: int


class Request(NamedTuple):
    """What the kernel asks: BPF_DEVCG_DEV_*, major, minor, BPF_DEVCG_ACC_* bits."""

    type: int
    major: int
    minor: int
    access: int


class VerificationError(Exception):
    """The kernel would not load this."""


def decode(program: bytes, byteorder: str) -> list[Instruction]:
    """The instructions of a program."""
    little = byteorder == "little"
    found = []
    for code, registers, offset, value in struct.iter_unpack(
        "<BBhi" if little else ">BBhi", program
    ):
        low, high = registers & 15, registers >> 4
        first, second = (low, high) if little else (high, low)
        found.append(Instruction(code, first, second, offset, value))
    return found


def verify(instructions: list[Instruction]) -> None:
    """Raise VerificationError as the kernel would: reach everything, only forward, end by exit."""
    reached: set[int] = set()
    todo = [0]
    while todo:
        at = todo.pop()
        if not 0 <= at < len(instructions):
            raise VerificationError(f"jump out of range to insn {at}")
        if at in reached:
            continue
        reached.add(at)
        todo += _followers(at, instructions[at])
    if len(reached) != len(instructions):
        raise VerificationError("unreachable insn")


def _followers(at: int, one: Instruction) -> list[int]:
    if one.code == _EXIT:
        return []
    if one.code == _JUMP or one.code in _CONDITIONS:
        if one.offset < 0:
            raise VerificationError("back-edge")
        target = at + 1 + one.offset
        return [target] if one.code == _JUMP else [at + 1, target]
    return [at + 1]


def run(instructions: list[Instruction], request: Request) -> int:
    """What the program returns for a request: the value of register 0."""
    context = {0: request.access << 16 | request.type, 4: request.major, 8: request.minor}
    registers: dict[int, int | str] = {1: _CONTEXT}
    at = 0
    while True:
        one = instructions[at]
        at += 1
        if one.code == _EXIT:
            return _number(registers, 0)
        if one.code == _LOAD_WORD:
            if registers[one.source] != _CONTEXT:
                raise VerificationError("load from what is not the context")
            registers[one.register] = context[one.offset]
        elif one.code == _JUMP:
            at += one.offset
        elif one.code in _CONDITIONS:
            # A 64-bit comparison extends the sign of its constant.
            if _CONDITIONS[one.code](_number(registers, one.register), one.value & _U64):
                at += one.offset
        else:
            registers[one.register] = _compute(one, registers)


def _compute(one: Instruction, registers: dict[int, int | str]) -> int:
    if one.code == _SET:
        return one.value & _U64
    if one.code == _MOVE:
        return _number(registers, one.source)
    value = _number(registers, one.register) & _U32
    if one.code == _AND:
        return value & one.value & _U32
    if one.code == _SHIFT_RIGHT:
        return value >> one.value
    raise VerificationError(f"unknown opcode {one.code:#x}")


def _number(registers: dict[int, int | str], register: int) -> int:
    value = registers.get(register)
    if not isinstance(value, int):
        raise VerificationError(f"R{register} is read before it is written")
    return value
