from __future__ import annotations

import errno
import itertools
import struct
from typing import TYPE_CHECKING

import pytest

import seccomp_tables
from pyoci.errors import ConfigError, UnsupportedError
from pyoci.plan.seccomp.arches import load_table, select_arches
from pyoci.plan.seccomp.bpf import Assembler
from pyoci.plan.seccomp.compile import compile_seccomp, plan_seccomp
from pyoci.record import replace
from tests.support.bpf_simulator import Program
from tests.support.seccomp_profiles import (
    ARCHES_OF_SPEC,
    EXAMPLES,
    MACHINES,
    TABLES,
    arg,
    docker,
    profile,
    rule,
    table,
)

if TYPE_CHECKING:
    from pyoci.spec.model import Seccomp

X86_64, X86 = 0xC000003E, 0x40000003
KILL, KILL_PROCESS, TRAP, LOG, ALLOW = 0, 0x80000000, 0x30000, 0x7FFC0000, 0x7FFF0000
NOTIFY, TRACE, ERRNO = 0x7FC00000, 0x7FF00000, 0x50000
EPERM, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
READ, WRITE, GETPID, IOCTL, RSEQ = (
    table("x86_64")[name] for name in ("read", "write", "getpid", "ioctl", "rseq")
)
X32_BIT = 0x40000000


def verdict(seccomp: Seccomp, number: int, *args: int, audit: int = X86_64) -> int:
    program = Program(compile_seccomp(seccomp, "x86_64").program)
    return program.run(number, audit, (*args, 0, 0, 0, 0, 0, 0)[:6]).action


@pytest.mark.parametrize(
    ("action", "errno_ret", "returned"),
    [
        ("KILL", None, KILL),
        ("KILL_THREAD", None, KILL),
        ("KILL_PROCESS", None, KILL_PROCESS),
        ("TRAP", None, TRAP),
        ("ERRNO", None, EPERM),
        ("ERRNO", 0, ERRNO),
        ("ERRNO", 4095, ERRNO | 4095),
        ("TRACE", None, TRACE | 1),
        ("TRACE", 0xFFFF, TRACE | 0xFFFF),
        ("LOG", None, LOG),
        ("ALLOW", None, ALLOW),
        ("NOTIFY", None, NOTIFY),
    ],
)
def test_actions(action: str, errno_ret: int | None, returned: int) -> None:
    default = "ALLOW" if action != "ALLOW" else "KILL_PROCESS"
    made = profile(default, rule("read", action, errno=errno_ret), listener="/run/agent")
    assert verdict(made, READ) == returned
    if action != "NOTIFY":
        assert verdict(profile(action, errno=errno_ret), READ) == returned


BIG = 0x1_00000002


@pytest.mark.parametrize(
    ("condition", "true", "false"),
    [
        (arg(0, "EQ", BIG), (BIG,), (2, BIG + 1, 0x2_00000002)),
        (arg(0, "NE", BIG), (2, BIG + 1, 0x2_00000002), (BIG,)),
        (arg(0, "GT", BIG), (BIG + 1, 0x2_00000000), (BIG, 3, 0x1_00000001, 0xFFFFFFFF)),
        (arg(0, "GE", BIG), (BIG, BIG + 1, 0x2_00000000), (3, BIG - 1, 0xFFFFFFFF)),
        (arg(0, "LT", BIG), (0, 3, BIG - 1, 0xFFFFFFFF), (BIG, 0x2_00000000, (1 << 64) - 1)),
        (arg(0, "LE", BIG), (0, 3, BIG), (BIG + 1, 0x2_00000000, (1 << 64) - 1)),
        (arg(0, "MASKED_EQ", 0xF0_000000F0, 0x10_00000020), (0x1F_0000002F,), (0x20, 0x10 << 32)),
        (arg(0, "MASKED_EQ", 0xF0, 0x123), (0x120 - 0x100, 0x2F, 0xF_0000002F), (0x123 + 16,)),
        (arg(0, "MASKED_EQ", 0, 7), (0, 7, (1 << 64) - 1), ()),
    ],
)
def test_operators(condition: object, true: tuple[int, ...], false: tuple[int, ...]) -> None:
    made = profile("ALLOW", rule("ioctl", "TRAP", condition))  # type: ignore[arg-type]
    assert [verdict(made, IOCTL, value) for value in true] == [TRAP] * len(true)
    assert [verdict(made, IOCTL, value) for value in false] == [ALLOW] * len(false)


def test_32_bit_architectures_compare_the_lower_word() -> None:
    made = profile("ALLOW", rule("ioctl", "TRAP", arg(0, "LT", 5)), arches=("SCMP_ARCH_X86",))
    ioctl = table("x86")["ioctl"]
    assert verdict(made, ioctl, 0xFFFFFFFF_00000004, audit=X86) == TRAP
    assert verdict(made, IOCTL, 0xFFFFFFFF_00000004) == ALLOW


def test_conditions_of_one_rule_must_all_hold() -> None:
    made = profile("ALLOW", rule("ioctl", "TRAP", arg(0, "EQ", 1), arg(1, "EQ", 2)))
    assert verdict(made, IOCTL, 1, 2) == TRAP
    assert verdict(made, IOCTL, 1, 3) == ALLOW
    assert verdict(made, IOCTL, 2, 2) == ALLOW


def test_conditions_are_alternatives_when_two_are_on_one_argument() -> None:
    args = (arg(0, "EQ", 1), arg(0, "EQ", 2), arg(1, "EQ", 3))
    made = profile("ALLOW", rule("ioctl", "TRAP", *args))
    assert [verdict(made, IOCTL, *values) for values in ((1,), (2,), (9, 3))] == [TRAP] * 3
    assert verdict(made, IOCTL, 9, 9) == ALLOW


def test_rules_on_one_call_are_alternatives() -> None:
    rules = [rule("ioctl", "ERRNO", arg(0, "EQ", n), errno=n) for n in (5, 6)]
    assert verdict(profile("ALLOW", *rules), IOCTL, 6) == ERRNO | 6


def test_a_rule_without_conditions_outranks_the_others() -> None:
    conditional = rule("ioctl", "TRAP", arg(0, "EQ", 1))
    for rules in ((conditional, rule("ioctl", "LOG")), (rule("ioctl", "LOG"), conditional)):
        assert verdict(profile("ALLOW", *rules), IOCTL, 1) == LOG


def test_the_first_rule_without_conditions_counts() -> None:
    assert verdict(profile("ALLOW", rule("read", "TRAP"), rule("read", "LOG")), READ) == TRAP


def test_a_rule_with_the_default_action_does_not_count() -> None:
    made = profile("ERRNO", rule("read", "ERRNO"), rule("read", "ALLOW"))
    assert verdict(made, READ) == ALLOW


def test_calls_newer_than_the_profile_do_not_exist() -> None:
    made = profile("KILL_PROCESS", rule("read getpid", "ALLOW"))
    assert verdict(made, GETPID) == ALLOW
    assert verdict(made, GETPID - 1) == KILL_PROCESS
    assert verdict(made, GETPID + 1) == ENOSYS


def test_also_names_with_the_default_action_tell_how_old_the_profile_is() -> None:
    made = profile("ERRNO", rule("read", "ALLOW"), rule("rseq", "ERRNO"))
    assert verdict(made, RSEQ) == EPERM
    assert verdict(made, RSEQ + 1) == ENOSYS


@pytest.mark.parametrize("default", ["ALLOW", "LOG", "TRACE"])
def test_permissive_defaults_pass_newer_calls(default: str) -> None:
    made = profile(default, rule("read", "TRAP"))
    assert verdict(made, RSEQ) == verdict(made, WRITE) != ENOSYS


def test_a_profile_without_calls_has_no_newer_ones() -> None:
    assert verdict(profile("ERRNO"), RSEQ) == EPERM


def test_unlisted_architectures_are_killed() -> None:
    made = profile("ALLOW")
    assert verdict(made, 0) == ALLOW
    assert verdict(made, 0, audit=X86) == KILL
    assert verdict(made, X32_BIT) == KILL
    assert verdict(made, 0xFFFFFFFF) == ALLOW  # a tracer skips the call


def test_x32_is_told_by_the_number() -> None:
    made = profile("ERRNO", rule("read", "ALLOW"), arches=("SCMP_ARCH_X32",))
    assert verdict(made, X32_BIT) == ALLOW
    assert verdict(made, READ) == ALLOW
    assert verdict(made, X32_BIT + 1) == ENOSYS


def test_socket_calls_by_way_of_socketcall() -> None:
    made = profile(
        "ALLOW",
        rule("socket", "TRAP", arg(0, "EQ", 16), arg(1, "EQ", 3)),
        rule("shmat", "LOG"),
        arches=("SCMP_ARCH_X86",),
    )
    numbers = table("x86")
    assert verdict(made, numbers["socket"], 16, 3, audit=X86) == TRAP
    assert verdict(made, numbers["socketcall"], 1, 3, audit=X86) == TRAP
    assert verdict(made, numbers["socketcall"], 2, 3, audit=X86) == ALLOW
    assert verdict(made, numbers["ipc"], 21, audit=X86) == LOG


def test_s390x_escaped_numbers_do_not_exist() -> None:
    made = profile("ERRNO", rule("read", "ALLOW"))
    program = Program(compile_seccomp(made, "s390x").program, ">")
    assert program.run(0, 0x80000016).action == ENOSYS


def test_arm_private_calls_are_not_new() -> None:
    made = profile("ERRNO", rule("read breakpoint", "ALLOW"))
    program = Program(compile_seccomp(made, "armv7l").program)
    numbers = table("arm")
    assert program.run(numbers["breakpoint"], 0x40000028).action == ALLOW
    assert program.run(numbers["cacheflush"], 0x40000028).action == EPERM
    assert program.run(numbers["read"] + 1, 0x40000028).action == ENOSYS


def test_unknown_names_are_reported() -> None:
    made = profile("ALLOW", rule("read no_such recv", "TRAP"), rule("no_such mmap2", "LOG"))
    assert compile_seccomp(made, "x86_64").unknown_names == ("mmap2", "no_such", "recv")
    wider = replace(made, architectures=("SCMP_ARCH_X86",))
    assert compile_seccomp(wider, "x86_64").unknown_names == ("no_such",)


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        (None, 4),
        ((), 0),
        (("SECCOMP_FILTER_FLAG_TSYNC",), 0),
        (("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"), 6),
        (("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",), 0),
    ],
)
def test_flags(flags: tuple[str, ...] | None, value: int) -> None:
    made = compile_seccomp(profile("ALLOW", flags=flags), "x86_64")
    assert made.flags == value
    assert not made.notify


def test_notify_asks_for_a_listener() -> None:
    flags = ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",)
    seccomp = profile("ALLOW", rule("mknod", "NOTIFY"), flags=flags, listener="/run/agent")
    made = compile_seccomp(replace(seccomp, listener_metadata="x"), "x86_64")
    assert (made.notify, made.flags) == (True, 0x28)
    assert (made.listener_path, made.listener_metadata) == ("/run/agent", "x")


def test_listener_is_ignored_without_notify() -> None:
    made = compile_seccomp(profile("ALLOW", listener="/run/agent"), "x86_64")
    assert (made.notify, made.listener_path) == (False, "")


ERRORS: list[tuple[Seccomp, str]] = [
    (profile("NOPE"), "defaultAction: unknown action 'SCMP_ACT_NOPE'"),
    (profile("ALLOW", errno=1), "defaultErrnoRet: SCMP_ACT_ALLOW takes no errno"),
    (profile("ERRNO", errno=4096), "defaultErrnoRet: 4096 is out of range (0 to 4095)"),
    (profile("NOTIFY"), "defaultAction: SCMP_ACT_NOTIFY cannot be the default"),
    (profile("ALLOW", rule("a", "X")), "syscalls[0].action: unknown action 'SCMP_ACT_X'"),
    (profile("ALLOW", rule("a", "LOG", errno=1)), "syscalls[0].errnoRet: SCMP_ACT_LOG takes no"),
    (
        profile("ALLOW", rule("a", "LOG"), rule("a", "TRAP", arg(0, "EQ", 1), arg(6, "EQ", 1))),
        "syscalls[1].args[1].index: 6 is no argument (0 to 5)",
    ),
    (
        profile("ALLOW", rule("a", "TRAP", arg(0, "IS", 1))),
        "syscalls[0].args[0].op: unknown operator 'SCMP_CMP_IS'",
    ),
    (profile("ALLOW", arches=("SCMP_ARCH_VAX",)), "architectures[0]: unknown architecture"),
    (profile("ALLOW", flags=("X",)), "flags[0]: unknown flag 'X'"),
    (
        profile("ALLOW", rule("read write", "NOTIFY"), listener="/run/agent"),
        "syscalls[0].names: SCMP_ACT_NOTIFY cannot be used for write(2)",
    ),
    (profile("ALLOW", rule("read", "NOTIFY")), "listenerPath: missing"),
    (
        replace(profile("ALLOW"), listener_metadata="x"),
        "listenerMetadata: set without listenerPath",
    ),
]


@pytest.mark.parametrize(("seccomp", "message"), ERRORS)
def test_errors_name_the_place(seccomp: Seccomp, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_seccomp(seccomp, "x86_64")
    assert str(caught.value).startswith(f"linux.seccomp.{message}")


def test_too_large_a_profile() -> None:
    rules = [rule("ioctl", "LOG", arg(1, "GT", n << 32 | n)) for n in range(1000)]
    with pytest.raises(
        ConfigError,
        match=r"linux\.seccomp: compiles to [0-9]{4} instructions, the kernel takes 4096",
    ):
        compile_seccomp(profile("ALLOW", *rules), "x86_64")


def test_a_profile_with_long_jumps() -> None:
    rules = [rule("ioctl", "ERRNO", arg(1, "GE", n), errno=n) for n in range(600)]
    made = profile("ALLOW", *rules, rule("read rseq", "TRAP"))
    assert verdict(made, RSEQ) == verdict(made, READ) == TRAP
    assert verdict(made, IOCTL, 0, 400) == ERRNO | 400
    assert verdict(made, IOCTL + 1) == ALLOW


def test_machine_without_a_table() -> None:
    with pytest.raises(UnsupportedError, match="no system call table for vax"):
        compile_seccomp(profile("ALLOW"), "vax")


def test_every_architecture_of_the_specification_is_accepted() -> None:
    assert len(ARCHES_OF_SPEC) == 23
    made = profile("ERRNO", rule("read", "ALLOW"), arches=ARCHES_OF_SPEC)
    assert verdict(made, READ) == ALLOW


@pytest.mark.parametrize("machine", [*MACHINES])
@pytest.mark.parametrize("example", [*EXAMPLES])
def test_ranges_cover_every_number_once(machine: str, example: str) -> None:
    for section in plan_seccomp(EXAMPLES[example](machine), machine).sections:
        numbers = [first for first, _ in section.ranges]
        assert numbers[0] == 0
        assert numbers == sorted(set(numbers))
        decisions = [decision for _, decision in section.ranges]
        assert all(a != b for a, b in itertools.pairwise(decisions))


def test_a_filter_is_smaller_than_its_list_of_names() -> None:
    seccomp = docker("x86_64")
    names = sum(len(each.names) for each in seccomp.syscalls)
    assert len(compile_seccomp(seccomp, "x86_64").program) // 8 < names


def test_tables() -> None:
    names = {"read", "write", "execve", "seccomp", "exit_group", "openat2"}
    for machine, listed in MACHINES.items():
        for arch in select_arches(profile("ALLOW", arches=listed), machine):
            numbers = load_table(arch)
            assert names <= numbers.keys(), arch
            assert min(numbers.values()) >= arch.first


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_as_their_script_writes_them(name: str) -> None:
    text = (seccomp_tables.TABLES / f"{name}.py").read_text()
    assert text == seccomp_tables.render(name, table(name))


def test_assembler_reaches_across_255_instructions() -> None:
    asm = Assembler()
    far = asm.load(0, asm.jump(0x15, 1, asm.ret(1), asm.ret(2)))
    label = far
    for i in range(300):
        label = asm.jump(0x15, 1000 + i, asm.ret(7), label)
    label = asm.jump(0x15, 5, far, label)
    asm.load(4, label)
    program = Program(asm.program(big_endian=False))
    assert program.run(1, 5).action == 1
    assert program.run(9, 5).action == 2
    assert program.run(9, 1299).action == 7


def test_byte_order() -> None:
    little = compile_seccomp(profile("TRAP", rule("read", "LOG")), "ppc64le").program
    big = compile_seccomp(profile("TRAP", rule("read", "LOG")), "ppc64").program
    swapped = [(c, t, f, k) for c, t, f, k in struct.iter_unpack(">HBBI", big)]
    audits = {0xC0000015: 0x80000015}
    assert swapped == [
        (c, t, f, audits.get(k, k)) for c, t, f, k in struct.iter_unpack("<HBBI", little)
    ]
