"""seccomp(2): installing a filter."""

from __future__ import annotations

import sys

from pyoci.linux.libc import address, buffer, number_of, syscall

# linux/seccomp.h
_SECCOMP_SET_MODE_FILTER = 1
_INSTRUCTION_SIZE = 8


def install_filter(program: bytes, flags: int) -> int:
    """Filter the calls of this process and its children from now on, for good.

    `program` is an array of struct sock_filter, `flags` are SECCOMP_FILTER_FLAG_
    ones. Gives the listener (close-on-exec) with NEW_LISTENER, else 0. OSError:
    EACCES without CAP_SYS_ADMIN and without no_new_privs, EINVAL for a bad program
    or flag, EBUSY if there is a listener already.

    After it nothing runs here but the return: everything it needs is made before.
    """
    content = buffer(len(program), program)
    # struct sock_fprog {unsigned short len; struct sock_filter *filter}
    pointer_size = 8 if sys.maxsize > 0x7FFFFFFF else 4
    length = (len(program) // _INSTRUCTION_SIZE).to_bytes(2, sys.byteorder)
    pointer = address(content).to_bytes(pointer_size, sys.byteorder)
    header = length.ljust(pointer_size, b"\0") + pointer
    number = number_of("seccomp")
    return syscall(number, _SECCOMP_SET_MODE_FILTER, flags, header)
