"""prctl, capabilities, keyrings and filters, in a child that may lose its rights."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from pyoci.linux import caps, keyring, prctl, seccomp
from pyoci.linux.libc import syscall
from pyoci.plan.caps import NAMES
from pyoci.plan.seccomp.compile import compile_seccomp
from pyoci.spec.model import Seccomp, SyscallArg, SyscallRule
from tests.support.child import exit_status_of, in_child, in_user_namespace

ALL = (1 << int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1) - 1
CHOWN, KILL, SETPCAP = (1 << NAMES.index(f"CAP_{name}") for name in ("CHOWN", "KILL", "SETPCAP"))


def read_status(*names: str) -> dict[str, int]:
    """Numbers of /proc/self/status; sets are in hexadecimal."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: int(found[name], 16) for name in names}


def read_sets() -> tuple[int, ...]:
    return tuple(read_status("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd").values())


# --- prctl


def test_no_new_privileges() -> None:
    def child() -> int:
        prctl.set_no_new_privileges()
        return read_status("NoNewPrivs")["NoNewPrivs"]

    assert in_child(child) == 1


def test_a_process_that_is_not_dumpable_belongs_to_root() -> None:
    def child() -> tuple[int, int]:
        prctl.set_dumpable(dumpable=True)
        before = os.stat("/proc/self/environ").st_uid
        prctl.set_dumpable(dumpable=False)
        return before, os.stat("/proc/self/environ").st_uid

    assert in_child(child) == (os.geteuid(), 0)


def test_a_child_dies_with_its_parent() -> None:
    def parent() -> int:
        read_fd, write_fd = os.pipe()
        middle = os.fork()
        if middle == 0:
            child = os.fork()
            if child == 0:
                prctl.set_parent_death_signal(signal.SIGKILL)
                os.write(write_fd, b"x")
                signal.pause()
            os.close(write_fd)
            os.read(read_fd, 1)
            os._exit(0)
        os.close(write_fd)
        os.waitpid(middle, 0)
        # Only a dead child has closed its end.
        return len(os.read(read_fd, 9)) + len(os.read(read_fd, 9))

    assert in_child(parent) <= 1


def test_a_subreaper_gets_the_orphans() -> None:
    def parent() -> bool:
        prctl.set_child_subreaper()
        read_fd, write_fd = os.pipe()
        middle = os.fork()
        if middle == 0:
            child = os.fork()
            if child == 0:
                os._exit(5)
            os.write(write_fd, str(child).encode())
            os._exit(0)
        os.waitpid(middle, 0)
        child = int(os.read(read_fd, 9))
        return os.waitpid(child, 0) == (child, 5 << 8)

    assert in_child(parent)


def test_bounding_set() -> None:
    last = ALL.bit_length() - 1
    assert prctl.read_bounding_capability(last) in (0, 1)
    with pytest.raises(OSError, match="Invalid argument"):
        prctl.read_bounding_capability(last + 1)


# --- capabilities


def test_capget_says_what_proc_says() -> None:
    effective, permitted, inheritable, _, _ = read_sets()
    assert caps.capget() == (effective, permitted, inheritable)


def test_sets_become_exactly_what_was_asked() -> None:
    def child() -> tuple[tuple[int, ...], tuple[int, ...]]:
        caps.drop_bounding(CHOWN | KILL)
        caps.capset(CHOWN | KILL, CHOWN | KILL, KILL)
        caps.set_ambient(KILL)
        return caps.capget(), read_sets()

    got, seen = in_user_namespace(child)
    assert got == (CHOWN | KILL, CHOWN | KILL, KILL)
    assert seen == (CHOWN | KILL, CHOWN | KILL, KILL, KILL, CHOWN | KILL)


def test_sets_reach_above_the_32nd() -> None:
    high = 1 << NAMES.index("CAP_BPF")

    def child() -> tuple[int, int, int]:
        caps.capset(high, high | CHOWN, 0)
        return caps.capget()

    assert in_user_namespace(child) == (high, high | CHOWN, 0)


def test_the_callers_ambient_set_goes() -> None:
    def child() -> tuple[int, int]:
        caps.capset(ALL, ALL, CHOWN | KILL)
        caps.set_ambient(CHOWN | KILL)
        before = read_sets()[3]
        caps.set_ambient(0)
        return before, read_sets()[3]

    assert in_user_namespace(child) == (CHOWN | KILL, 0)


def test_ambient_only_from_permitted_and_inheritable() -> None:
    def child() -> None:
        caps.capset(ALL, ALL, 0)
        caps.set_ambient(KILL)

    with pytest.raises(PermissionError):
        in_user_namespace(child)


def test_without_setpcap_there_is_nothing_to_drop_if_nothing_is_there() -> None:
    def child() -> int:
        caps.drop_bounding(0)
        caps.capset(0, 0, 0)
        caps.drop_bounding(0)
        return read_sets()[4]

    assert in_user_namespace(child) == 0


def test_without_setpcap_a_drop_is_refused() -> None:
    def child() -> None:
        caps.capset(ALL & ~SETPCAP, ALL & ~SETPCAP, 0)
        caps.drop_bounding(0)

    with pytest.raises(PermissionError):
        in_user_namespace(child)


@pytest.mark.parametrize("keep", [True, False])
def test_keep_capabilities(keep: bool) -> None:
    def child() -> bool:
        prctl.set_keep_capabilities(keep=keep)
        return bool(syscall(PRCTL, PR_GET_KEEPCAPS))

    PRCTL, PR_GET_KEEPCAPS = {"x86_64": 157, "aarch64": 167}.get(os.uname().machine, 0), 7  # noqa: N806
    if not PRCTL:
        pytest.skip("no number of prctl here")
    assert in_child(child) is keep


# --- keyring


def test_a_session_keyring_of_our_own() -> None:
    def child() -> tuple[int, int]:
        return keyring.join_session_keyring("_ses.a"), keyring.join_session_keyring("_ses.b")

    try:
        first, second = in_child(child)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EDQUOT, errno.EPERM):
            raise
        pytest.skip(f"no keyrings here: {error.strerror}")
    assert first > 0
    assert first != second


# --- seccomp


def compile_filter(action: str, *rules: SyscallRule) -> tuple[bytes, int]:
    compiled = compile_seccomp(Seccomp(default_action=action, syscalls=rules), os.uname().machine)
    return compiled.program, compiled.flags


def test_a_filter_filters() -> None:
    program, flags = compile_filter(
        "SCMP_ACT_ALLOW",
        SyscallRule(names=("getpgid",), action="SCMP_ACT_ERRNO", errno_ret=errno.EXDEV),
        SyscallRule(
            names=("getsid",),
            action="SCMP_ACT_ERRNO",
            errno_ret=errno.ELOOP,
            args=(SyscallArg(index=0, value=77, op="SCMP_CMP_EQ"),),
        ),
    )

    def child() -> list[int]:
        prctl.set_no_new_privileges()
        assert seccomp.install_filter(program, flags) == 0
        found = []
        for call, pid in ((os.getpgid, 0), (os.getsid, 77), (os.getsid, 2**31 - 1)):
            try:
                call(pid)
            except OSError as error:
                found.append(error.errno or 0)
        return found

    assert in_child(child) == [errno.EXDEV, errno.ELOOP, errno.ESRCH]


def test_a_filter_that_kills_leaves_only_what_it_allows() -> None:
    program, flags = compile_filter(
        "SCMP_ACT_KILL_PROCESS", SyscallRule(names=("exit_group",), action="SCMP_ACT_ALLOW")
    )

    def install() -> None:
        prctl.set_no_new_privileges()
        seccomp.install_filter(program, flags)

    def install_and_ask() -> None:
        install()
        os.getppid()

    # os._exit is the next call after the function: nothing else may be called in between.
    assert exit_status_of(install) == 0
    assert exit_status_of(install_and_ask) == -signal.SIGSYS


def test_a_filter_needs_a_right_or_no_new_privileges() -> None:
    program, flags = compile_filter("SCMP_ACT_ALLOW")

    def child() -> None:
        caps.capset(0, 0, 0)
        seccomp.install_filter(program, flags)

    with pytest.raises(PermissionError):
        in_child(child)


def test_a_bad_program_is_refused() -> None:
    def child() -> None:
        prctl.set_no_new_privileges()
        seccomp.install_filter(bytes(8), 0)

    with pytest.raises(OSError, match="Invalid argument"):
        in_child(child)
