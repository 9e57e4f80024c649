"""An assembler for the few eBPF instructions that a device filter is made of.

A program is a list of lines: an instruction, or a string that labels the
instruction after it. Only forward jumps exist, as the kernel's verifier wants.
linux/bpf.h has the numbers, Documentation/bpf/standardization the encoding.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, TypeAlias

    # Opcode, destination register, source register, offset or the label to jump to, immediate.
    Instruction: TypeAlias = tuple[int, int, int, "int | str", int]
    Line: TypeAlias = "Instruction | str"
    ByteOrder: TypeAlias = Literal["little", "big"]

INSTRUCTION_SIZE = 8
OFFSET_MAX = 2**15 - 1  # a jump's offset is a signed 16-bit number

# Opcodes: class, then operation and source or size; _K takes the immediate, _X the register.
LDX_W = 0x61  # BPF_LDX | BPF_MEM | BPF_W
ALU_AND_K = 0x54  # BPF_ALU | BPF_AND | BPF_K: 32 bits, the upper half becomes zero
ALU_RSH_K = 0x74  # BPF_ALU | BPF_RSH | BPF_K
MOV_K = 0xB7  # BPF_ALU64 | BPF_MOV | BPF_K
MOV_X = 0xBF  # BPF_ALU64 | BPF_MOV | BPF_X
JA = 0x05  # BPF_JMP | BPF_JA
JEQ_K = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JSET_K = 0x45  # BPF_JMP | BPF_JSET | BPF_K
JNE_K = 0x55  # BPF_JMP | BPF_JNE | BPF_K
EXIT = 0x95  # BPF_JMP | BPF_EXIT


def load_word(register: int, base: int, offset: int) -> Instruction:
    """register = the 32-bit word at base + offset."""
    return (LDX_W, register, base, offset, 0)


def move(register: int, source: int) -> Instruction:
    """register = source."""
    return (MOV_X, register, source, 0, 0)


def set_to(register: int, value: int) -> Instruction:
    """register = value."""
    return (MOV_K, register, 0, 0, value)


def mask(register: int, bits: int) -> Instruction:
    """register &= bits."""
    return (ALU_AND_K, register, 0, 0, bits)


def shift_right(register: int, count: int) -> Instruction:
    """register >>= count."""
    return (ALU_RSH_K, register, 0, 0, count)


def jump(label: str) -> Instruction:
    """Go to the label."""
    return (JA, 0, 0, label, 0)


def jump_if_equal(register: int, value: int, label: str) -> Instruction:
    """Go to the label if register == value."""
    return (JEQ_K, register, 0, label, value)


def jump_if_not_equal(register: int, value: int, label: str) -> Instruction:
    """Go to the label if register != value."""
    return (JNE_K, register, 0, label, value)


def jump_if_any(register: int, bits: int, label: str) -> Instruction:
    """Go to the label if register has any of the bits."""
    return (JSET_K, register, 0, label, bits)


def leave() -> Instruction:
    """End the program; its result is register 0."""
    return (EXIT, 0, 0, 0, 0)


def assemble(lines: Sequence[Line], byteorder: ByteOrder) -> bytes:
    """The program as struct bpf_insn; OverflowError if a jump is too far for its offset."""
    places, count = {}, 0
    for line in lines:
        if isinstance(line, str):
            places[line] = count
        else:
            count += 1
    encode = _encode_little if byteorder == "little" else _encode_big
    encoded, position = [], 0
    for line in lines:
        if isinstance(line, str):
            continue
        code, register, source, target, value = line
        position += 1
        offset = places[target] - position if isinstance(target, str) else target
        if offset > OFFSET_MAX:
            message = f"jump over {offset} instructions"
            raise OverflowError(message)
        encoded.append(encode(code, register, source, offset, value))
    return b"".join(encoded)


def _encode_little(code: int, register: int, source: int, offset: int, value: int) -> bytes:
    word = code | register << 8 | source << 12 | offset << 16 | value << 32
    return word.to_bytes(INSTRUCTION_SIZE, "little")


def _encode_big(code: int, register: int, source: int, offset: int, value: int) -> bytes:
    # The two registers are bit fields of one byte: they change places with the byte order.
    word = code << 56 | register << 52 | source << 48 | offset << 32 | value
    return word.to_bytes(INSTRUCTION_SIZE, "big")
