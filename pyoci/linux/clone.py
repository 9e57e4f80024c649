"""Making the container's first process: clone3(2), and closing what it must not inherit."""

from __future__ import annotations

import sys

from pyoci.linux.consts import (
    CLONE_INTO_CGROUP,
    CLONE_PARENT,
    CLONE_PIDFD,
    CLOSE_RANGE_CLOEXEC,
    NR_CLONE3,
    NR_CLOSE_RANGE,
)
from pyoci.linux.libc import address, buffer, syscall

_SIGCHLD = 17
LAST_FD = 0xFFFFFFFF


def clone3(flags: int, cgroup_fd: int = -1) -> tuple[int, int]:
    """Fork with these CLONE_ flags, into the cgroup if one is given (clone3(2)).

    Returns (pid, pidfd) in the parent and (0, -1) in the child. The child is a
    copy as after fork(2), but nothing of Python's or libc's after-fork work is
    done: only a process without threads may call this, and the child must end
    in execve or _exit.
    """
    pidfd = buffer(4)
    if cgroup_fd >= 0:
        flags |= CLONE_INTO_CGROUP
    # A sibling (CLONE_PARENT) takes over our own exit signal: it must not name one.
    exit_signal = 0 if flags & CLONE_PARENT else _SIGCHLD
    words = (
        flags | CLONE_PIDFD,
        address(pidfd),
        0,  # child_tid
        0,  # parent_tid
        exit_signal,
        0,  # stack: a copy of ours
        0,
        0,  # tls
        0,  # set_tid
        0,
        max(cgroup_fd, 0),
    )
    args = b"".join([word.to_bytes(8, sys.byteorder) for word in words])
    pid = syscall(NR_CLONE3, args, len(args))
    if pid == 0:
        return 0, -1
    return pid, int.from_bytes(bytes(pidfd), sys.byteorder)


def close_range_on_exec(first: int) -> None:
    """Mark every descriptor from `first` up close-on-exec (close_range(2))."""
    syscall(NR_CLOSE_RANGE, first, LAST_FD, CLOSE_RANGE_CLOEXEC)


def close_range(first: int, last: int) -> None:
    """Close every descriptor from `first` to `last` (close_range(2))."""
    if first <= last:
        syscall(NR_CLOSE_RANGE, first, last, 0)
