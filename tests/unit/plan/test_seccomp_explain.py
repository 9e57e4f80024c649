"""The words of `pyoci seccomp`: a small profile, and which rule each answer names."""

from __future__ import annotations

import pytest

from pyoci.errors import ConfigError, UnsupportedError, UsageError
from pyoci.plan.seccomp.explain import (
    describe_action,
    explain_call,
    explain_profile,
    parse_argument,
)
from pyoci.plan.seccomp.render import render_call, render_profile, to_json
from pyoci.record import replace
from pyoci.spec.model import Seccomp
from tests.support.seccomp_profiles import arg, profile, rule

PROFILE = profile(
    "ERRNO",
    rule("read write bogus", "ALLOW"),
    rule("personality", "ALLOW", arg(0, "EQ", 8)),
    rule("personality", "LOG", arg(0, "GE", 0x20000), arg(1, "MASKED_EQ", 0xFF, 5)),
    rule("socket", "ALLOW", arg(0, "LT", 3), arg(2, "NE", 9)),
    rule("mount", "ERRNO", errno=1),
    rule("clone3", "ERRNO", errno=38),
    rule("swapon", "TRACE", errno=7),
    arches=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_MIPS"),
    errno=1,
)


def ask(call: str, *args: int, of: Seccomp = PROFILE) -> str:
    return render_call(explain_call(of, "x86_64", call, args or None))


def test_by_rule() -> None:
    assert ask("read") == (
        "SCMP_ARCH_X86_64: read (0)\n  SCMP_ACT_ALLOW  # linux.seccomp.syscalls[0]\n"
        "SCMP_ARCH_X86: read (3)\n  SCMP_ACT_ALLOW  # linux.seccomp.syscalls[0]\n"
    )
    assert "  SCMP_ACT_ERRNO (ENOSYS)  # linux.seccomp.syscalls[5]\n" in ask("clone3")
    assert "  SCMP_ACT_TRACE (7)  # linux.seccomp.syscalls[6]\n" in ask("swapon")


def test_by_default() -> None:
    assert "  SCMP_ACT_ERRNO (EPERM)  # no rule names it: the default\n" in ask("chmod")
    # A rule of the default action changes nothing, but who looks for it shall find it.
    assert "  SCMP_ACT_ERRNO (EPERM)  # linux.seccomp.syscalls[4], as the default\n" in ask("mount")


def test_newer_than_the_profile() -> None:
    said = "  SCMP_ACT_ERRNO (ENOSYS)  # newer than every call of the profile\n"
    assert said in ask("epoll_pwait2")
    assert said in ask("4000")
    assert ask("4000").startswith("SCMP_ARCH_X86_64: no call (4000)\n")


def test_by_arguments() -> None:
    assert ask("personality").splitlines()[1:4] == [
        "  SCMP_ACT_ALLOW if arg0 == 0x8  # linux.seccomp.syscalls[1]",
        "  SCMP_ACT_LOG if arg0 >= 0x20000 and arg1 & 0xff == 0x5  # linux.seccomp.syscalls[2]",
        "  SCMP_ACT_ERRNO (EPERM)  # no rule fits its arguments: the default",
    ]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((8,), "SCMP_ACT_ALLOW if arg0 == 0x8  # linux.seccomp.syscalls[1]"),
        ((9,), "SCMP_ACT_ERRNO (EPERM)  # no rule fits its arguments: the default"),
        ((0x20000, 0x105), "SCMP_ACT_LOG if arg0 >= 0x20000 and arg1 & 0xff == 0x5  #"),
    ],
)
def test_with_arguments(args: tuple[int, ...], said: str) -> None:
    lines = ask("personality", *args).splitlines()
    assert len(lines) == 4  # a line for each architecture's name, and one for its verdict
    assert lines[1].strip().startswith(said)


def test_through_another_call() -> None:
    lines = ask("socket").splitlines()
    at = lines.index("SCMP_ARCH_X86: socket (102) through socketcall, arg0 == 0x1")
    assert lines[at + 1 :] == [
        "  SCMP_ACT_ALLOW if arg0 == 0x1 and arg2 != 0x9  # linux.seccomp.syscalls[3]",
        "  SCMP_ACT_ERRNO (EPERM)  # no rule fits its arguments: the default",
    ]


def test_a_call_that_one_architecture_lacks() -> None:
    assert ask("mmap2").startswith("SCMP_ARCH_X86_64: has no mmap2\nSCMP_ARCH_X86: mmap2 (192)\n")


def test_x32_without_being_listed() -> None:
    text = ask(str(0x40000000))
    assert "SCMP_ACT_KILL (" not in text
    assert "  SCMP_ACT_KILL  # of no architecture of the profile\n" in text


@pytest.mark.parametrize("call", ["nosuch", "", "-1", "1" * 21, "4294967296", "\uff11"])
def test_no_call(call: str) -> None:
    with pytest.raises(UsageError, match="system call"):
        explain_call(PROFILE, "x86_64", call, None)


def test_the_whole() -> None:
    lines = render_profile(PROFILE, "x86_64").splitlines()
    assert lines[:6] == [
        "machine   x86_64",
        "default   SCMP_ACT_ERRNO (EPERM)",
        lines[2],
        "flags     SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "unknown   linux.seccomp.syscalls[0].names: bogus",
        "ignored   SCMP_ARCH_MIPS: not this machine's",
    ]
    assert "SCMP_ARCH_X86_64 (native):" in lines
    assert "  SCMP_ACT_ALLOW: read, write" in lines
    assert "  SCMP_ACT_ERRNO (ENOSYS): clone3" in lines
    assert (
        "  socket: SCMP_ACT_ALLOW if arg0 < 0x3 and arg2 != 0x9, else SCMP_ACT_ERRNO (EPERM)"
        in lines
    )
    assert any(line.startswith("  SCMP_ACT_ERRNO (ENOSYS) from 436 on (newer): ") for line in lines)


def test_a_permissive_default_has_nothing_newer() -> None:
    made = explain_profile(
        replace(PROFILE, default_action="SCMP_ACT_ALLOW", default_errno_ret=None), "x86_64"
    )
    assert [arch.newer_from for arch in made.arches] == [-1, -1]


def test_json() -> None:
    made = to_json(explain_call(PROFILE, "x86_64", "read", None))
    assert isinstance(made, list)
    assert made[0] == {
        "arch": "SCMP_ARCH_X86_64",
        "name": "read",
        "number": 0,
        "alternatives": [
            {"when": "", "action": "SCMP_ACT_ALLOW", "because": "linux.seccomp.syscalls[0]"}
        ],
        "via": "",
    }


def test_flags_and_listener() -> None:
    quiet = replace(PROFILE, flags=())
    assert "flags     none" in render_profile(quiet, "x86_64").splitlines()
    asking = profile("ALLOW", rule("mount", "NOTIFY"), listener="/run/agent")
    lines = render_profile(asking, "x86_64").splitlines()
    assert "listener  /run/agent" in lines
    assert "  SCMP_ACT_NOTIFY: mount" in lines


def test_what_compiling_refuses_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown action"):
        explain_profile(profile("SLEEP"), "x86_64")
    with pytest.raises(UnsupportedError, match="no system call table for m68k"):
        explain_call(PROFILE, "m68k", "read", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10", 10),
        ("0x7E", 126),
        ("-1", 2**64 - 1),
        ("-0x2", 2**64 - 2),
        (str(2**64 - 1), 2**64 - 1),
    ],
)
def test_arguments(text: str, value: int) -> None:
    assert parse_argument(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "-", "0x", "x", "1_0", " 1", "\uff11", "0b1", str(2**64), f"-{2**63 + 1}", "9" * 5000],
)
def test_no_arguments(text: str) -> None:
    with pytest.raises(UsageError):
        parse_argument(text)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (0x7FFF0000, "SCMP_ACT_ALLOW"),
        (0, "SCMP_ACT_KILL"),
        (0x80000000, "SCMP_ACT_KILL_PROCESS"),
        (0x50001, "SCMP_ACT_ERRNO (EPERM)"),
        (0x50FFF, "SCMP_ACT_ERRNO (4095)"),
        (0x7FF00000, "SCMP_ACT_TRACE"),
    ],
)
def test_actions(action: int, words: str) -> None:
    assert describe_action(action) == words
