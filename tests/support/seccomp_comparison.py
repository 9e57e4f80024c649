"""Our seccomp compiler against libseccomp: both filters simulated, the same verdict everywhere.

Expected differences, each with its reason:

* runc puts a stub in front of libseccomp's filter that gives ENOSYS for calls newer than
  the profile. `expected` adds it to libseccomp's verdict, with three changes that are ours:
  a socket or ipc call counts by its own number also where socketcall(2) exists (runc's
  stub does not see it there); arm's private calls are neither old nor new (to runc they
  are the newest, so that nothing below 0xf0000 is ever too new); and numbers from 0x80000000
  on that lack the x32 bit are killed with x32's (libseccomp does so, the stub comes first).
* libseccomp is older than our tables: names that it lacks, or that it has under another
  number, are left out of the profiles. test_tables_agree lists the latter.
* libseccomp 2.5.4 forgets rules on calls that exist only behind socketcall(2) or ipc(2)
  (accept, send, recv, semop, semtimedop on x86 and s390): left out as well.
* For machines of the other byte order libseccomp 2.5.4 swaps some return values twice:
  `export` mends those.
* libseccomp 2.5.4 can lose track of which word it has loaded where two comparisons lead to
  a third, and then compares the wrong one: of the rules "arg0 < 0xfd867ab2ec8fd80 and
  arg4 & 0xd80 == 0" and "arg0 >= 0x1c48f3f" it finds one to fit six arguments of 0xd7f.
  So it is excused where its verdict is not among `possible_verdicts`, which reads the
  rules naively; ours never is.
* Where rules with different actions and conditions fit one call, libseccomp's tree chooses
  by what else it holds; ours by an order that is its order in most cases. If the two
  differ then, either is right. Some such profiles libseccomp refuses; ours takes them.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

from pyoci.plan.seccomp import arches
from pyoci.plan.seccomp.compile import compile_seccomp
from pyoci.record import replace
from tests.support import libseccomp
from tests.support.bpf_simulator import RET_K, Program
from tests.support.seccomp_profiles import ALL_NAMES, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyoci.plan.seccomp.arches import Arch
    from pyoci.spec.model import Seccomp, SyscallArg, SyscallRule

LIBRARY = libseccomp.load()

WORD = 0xFFFFFFFF
X32_BIT = 0x40000000
ARM_PRIVATE = 0xF0000
ENOSYS = 0x50026
BAD_ARCH = 0
PERMISSIVE = {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"}
ARCHES = {arch.name: arch for arch in arches._ARCHES}
MULTIPLEXED = {name for names in arches.MULTIPLEXERS.values() for name in names}

# (architecture, name): on these tables of libseccomp 2.5 and ours disagree, and ours are right.
TABLE_DIFFERENCES = {
    ("SCMP_ARCH_X32", "map_shadow_stack"),  # came to x32 later than to x86_64
    ("SCMP_ARCH_ARM", "sync_file_range2"),  # arm's second name for arm_sync_file_range
}
UNKNOWN_NUMBERS = (999, 5000, ARM_PRIVATE, X32_BIT, X32_BIT + 999, 0x7FFFFFFF, 0x80000000, WORD)
VALUES = (0, 1, 2, 5, 9, 16, 40, 0x5412, 0x7E020000, WORD, 1 << 32, (1 << 32) + 2, (1 << 64) - 1)


@functools.cache
def oracle() -> libseccomp.Oracle:
    assert LIBRARY is not None
    return libseccomp.Oracle(LIBRARY)


@functools.cache
def confused_names() -> frozenset[str]:
    """Names that libseccomp takes for one another where the machine it runs on has neither."""
    numbers = {name: oracle().native_number(name) for name in ALL_NAMES}
    count = Counter(numbers.values())
    return frozenset(name for name, number in numbers.items() if count[number] > 1)


def is_lost(name: str, arch: Arch) -> bool:
    """Whether the call is only to be had through socketcall(2) or ipc(2)."""
    return arch.multiplexed and name in MULTIPLEXED and name not in table(arch.table)


def is_comparable(name: str, listed: tuple[str, ...]) -> bool:
    if name in confused_names() or any(is_lost(name, ARCHES[each]) for each in listed):
        return False
    return not any((each, name) in TABLE_DIFFERENCES for each in listed)


def comparable(seccomp: Seccomp) -> Seccomp:
    """The profile without the names on which libseccomp's tables differ from ours."""
    rules = []
    for each in seccomp.syscalls:
        names = tuple(n for n in each.names if is_comparable(n, seccomp.architectures))
        rules.append(replace(each, names=names))
    return replace(seccomp, syscalls=tuple(rules))


def named_numbers(seccomp: Seccomp, arch: Arch) -> set[int]:
    numbers = table(arch.table)
    return {numbers[n] for each in seccomp.syscalls for n in each.names if n in numbers}


def arch_of_call(listed: list[Arch], arch: Arch, number: int) -> Arch | None:
    """The architecture whose rules count: the number tells x86_64 from x32."""
    if arch.audit != arches.AUDIT_ARCH_X86_64:
        return arch
    name = "SCMP_ARCH_X32" if number >= X32_BIT else "SCMP_ARCH_X86_64"
    return next((each for each in listed if each.name == name), None)


def expected(theirs: int, seccomp: Seccomp, arch: Arch | None, number: int) -> int:
    """libseccomp's verdict as runc's stub corrects it."""
    if seccomp.default_action in PERMISSIVE or arch is None:
        return theirs
    named = named_numbers(seccomp, arch)
    if not named:
        return theirs
    if arch.escaped and number == 0:
        return ENOSYS
    last = max((n for n in named if n not in arch.private), default=None)
    return theirs if last is None or number <= last or number in arch.private else ENOSYS


def argument_sets(seccomp: Seccomp) -> list[tuple[int, ...]]:
    """Arguments at and around each value that the profile compares with, in both words."""
    interesting = set(VALUES)
    for each in seccomp.syscalls:
        for a in each.args:
            for value in (a.value, a.value_two):
                interesting |= {value, value + 1, value - 1, value ^ 1 << 32, value & WORD}
    values = sorted(value % (1 << 64) for value in interesting)
    same = [(value,) * 6 for value in values]
    # Different values in neighbouring arguments, so that one condition holds and another does not.
    mixed = [
        tuple(values[(start + step * i) % len(values)] for i in range(6))
        for step in (1, 3)
        for start in range(len(values))
    ]
    selectors = [(selector, *values[:5]) for selector in range(25)]
    return same + mixed + selectors


def export(seccomp: Seccomp, order: str) -> Program:
    """libseccomp's filter."""
    program = Program(oracle().export(seccomp, list(seccomp.architectures)), order)
    actions = {libseccomp.action(each.action, each.errno_ret) for each in seccomp.syscalls}
    actions.add(libseccomp.action(seccomp.default_action, seccomp.default_errno_ret))
    swapped = {int.from_bytes(action.to_bytes(4, "little"), "big"): action for action in actions}
    program.instructions = [
        (code, yes, no, swapped.get(k, k) if code == RET_K else k)
        for code, yes, no, k in program.instructions
    ]
    return program


def compare(seccomp: Seccomp, machine: str) -> int:
    """Fail at the first call whose verdicts differ; gives the number of comparisons."""
    order = ">" if arches.is_big_endian(machine) else "<"
    listed = [ARCHES[name] for name in seccomp.architectures]
    ours = Program(compile_seccomp(seccomp, machine).program, order)
    theirs = export(seccomp, order)
    arguments = argument_sets(seccomp)
    comparisons = 0
    for arch in listed:
        for number in numbers_to_try(arch):
            of_call = arch_of_call(listed, arch, number)
            for args in arguments:
                a, b = ours.run(number, arch.audit, args), theirs.run(number, arch.audit, args)
                comparisons += 1
                where = (machine, arch.name, number, [hex(value) for value in args])
                theirs_then = expected(b.action, seccomp, of_call, number)
                if a.action != theirs_then:
                    possible = possible_verdicts(seccomp, of_call, number, args)
                    assert theirs_then not in possible or len(possible) > 1, where
                    assert a.action in possible, where
                if not (a.read_arguments or b.read_arguments):
                    break  # other arguments make no difference to either
    assert ours.run(0, 0x12345678) == theirs.run(0, 0x12345678)
    return comparisons


def numbers_to_try(arch: Arch) -> Iterator[int]:
    numbers = set(table(arch.table).values())
    yield from sorted(numbers | {number + 1 for number in numbers})
    yield from UNKNOWN_NUMBERS


def holds(condition: SyscallArg, args: tuple[int, ...], *, narrow: bool) -> bool:
    """What the specification says about one entry of args."""
    mask = WORD if narrow else (1 << 64) - 1
    actual, value = args[condition.index] & mask, condition.value & mask
    return {
        "SCMP_CMP_NE": actual != value,
        "SCMP_CMP_LT": actual < value,
        "SCMP_CMP_LE": actual <= value,
        "SCMP_CMP_EQ": actual == value,
        "SCMP_CMP_GE": actual >= value,
        "SCMP_CMP_GT": actual > value,
        "SCMP_CMP_MASKED_EQ": actual & value == condition.value_two & value,
    }[condition.op]


def fits(each: SyscallRule, name: str, number: int, args: tuple[int, ...], arch: Arch) -> bool:
    """Whether the rule is about this call, in whichever way it comes."""
    numbers = table(arch.table)
    conditions = each.args
    if numbers.get(name) == number:
        several = len({c.index for c in conditions}) < len(conditions)
        results = [holds(c, args, narrow=arch.narrow) for c in conditions]
        return any(results) if several else all(results)
    selector = args[0] & WORD if arch.narrow else args[0]
    for call, selectors in arches.MULTIPLEXERS.items():
        if arch.multiplexed and numbers[call] == number and selectors.get(name) == selector:
            several = len({c.index for c in conditions}) < len(conditions)
            results = [c.index == 0 or holds(c, args, narrow=arch.narrow) for c in conditions]
            return any(results) if several else all(results)
    return False


def possible_verdicts(
    seccomp: Seccomp, arch: Arch | None, number: int, args: tuple[int, ...]
) -> set[int]:
    """What a filter may answer without contradicting the profile."""
    if arch is None:
        return {BAD_ARCH}
    default = libseccomp.action(seccomp.default_action, seccomp.default_errno_ret)
    fitting = []
    for each in seccomp.syscalls:
        action = libseccomp.action(each.action, each.errno_ret)
        if action != default and any(fits(each, n, number, args, arch) for n in each.names):
            fitting.append(action)
            if not each.args and any(table(arch.table).get(n) == number for n in each.names):
                fitting = [action]  # it outranks those with conditions, and what comes later
                break
    return {expected(action, seccomp, arch, number) for action in fitting or [default]}
