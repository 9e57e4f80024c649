from __future__ import annotations

import errno
import os
import platform
from typing import TYPE_CHECKING

import pytest

from pyoci.linux import prctl
from pyoci.linux.libc import syscall
from pyoci.linux.seccomp import install_filter
from pyoci.plan.seccomp.arches import load_table, select_arches
from pyoci.plan.seccomp.compile import compile_seccomp
from pyoci.record import replace
from tests.support.seccomp_profiles import MACHINES, arg, docker, profile, rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.spec.model import Seccomp

MACHINE = platform.machine()
pytestmark = pytest.mark.skipif(MACHINE not in MACHINES, reason=f"no system call table: {MACHINE}")


def result_in_filtered_child(seccomp: Seccomp, check: Callable[[], int]) -> int:
    """What the check, an int below 128, gives in a child under this filter; negative: a signal."""
    made = compile_seccomp(seccomp, MACHINE)
    child = os.fork()
    if not child:
        status = 127
        try:
            prctl.set_no_new_privileges()
            install_filter(made.program, made.flags)
            status = check()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def errno_of(number: int, argument: int = 0) -> int:
    try:
        syscall(number, argument)
    except OSError as error:
        return error.errno or 0
    return 0


def test_the_kernel_follows_the_filter() -> None:
    """Docker's profile, and on top of it a refusal of a call that cannot fail."""
    refusal = rule("getppid", "ERRNO", errno=errno.EXDEV)
    seccomp = docker(MACHINE)
    seccomp = replace(seccomp, syscalls=(refusal, *seccomp.syscalls))
    numbers = load_table(select_arches(seccomp, MACHINE)[0])
    expected = {
        numbers["getppid"]: errno.EXDEV,
        numbers["acct"]: errno.EPERM,
        numbers["clone3"]: errno.ENOSYS,
        max(numbers.values()) + 1: errno.ENOSYS,
        numbers["getpid"]: 0,
    }

    def check() -> int:
        """How many calls fail in another way than expected."""
        return sum(errno_of(number) != wanted for number, wanted in expected.items())

    assert result_in_filtered_child(seccomp, check) == 0


def test_the_kernel_compares_arguments() -> None:
    seccomp = profile("ALLOW", rule("close", "ERRNO", arg(0, "EQ", 1000), errno=errno.EXDEV))
    close = load_table(select_arches(seccomp, MACHINE)[0])["close"]

    def check() -> int:
        """How many of three descriptors, none of them open, get another error than expected."""
        expected = {999: errno.EBADF, 1000: errno.EXDEV, 1001: errno.EBADF}
        return sum(errno_of(close, fd) != wanted for fd, wanted in expected.items())

    assert result_in_filtered_child(seccomp, check) == 0


def test_a_bad_program_is_an_error() -> None:
    """A filter that runs off its end is refused and leaves the process as it was."""
    child = os.fork()
    if not child:
        status = 127
        try:
            prctl.set_no_new_privileges()
            install_filter(bytes(8), 0)
        except OSError as error:
            status = int(error.errno != errno.EINVAL)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
