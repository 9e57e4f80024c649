"""Waiting for a child in the foreground: signals that we get are its own, its status is ours."""

from __future__ import annotations

import posix

from pyoci.linux import signals
from pyoci.linux.consts import P_PIDFD
from pyoci.linux.pidfd import pidfd_send_signal, status_of

# Not forwarded: ours to reap; about the window of our terminal, which is not the container's; and
# what the kernel sends for something we did ourselves.
_NOT_FORWARDED = (signals.SIGCHLD, signals.SIGWINCH, signals.SIGURG)


def await_exit(pidfd: int) -> int:
    """The child's exit status, 128 + signal if one ended it; all signals must be blocked.

    What is left to us as subreaper meanwhile is reaped.
    """
    while True:
        status = status_of(posix.waitid(P_PIDFD, pidfd, posix.WEXITED | posix.WNOHANG))
        if status is not None:
            return status
        take_signal(signals.wait_signal(), pidfd)


def take_signal(number: int, pidfd: int) -> None:
    """Do what a signal that we got is for: most are the child's."""
    if number == signals.SIGCHLD:
        reap_orphans(pidfd)
    if number in _NOT_FORWARDED:
        return
    try:
        pidfd_send_signal(pidfd, number)
    except ProcessLookupError:  # it has just ended: the next turn sees that
        return


def reap_orphans(pidfd: int) -> None:
    """Reap every dead child but the one that is waited for, whose status is still wanted."""
    awaited = posix.waitid(P_PIDFD, pidfd, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
    while True:
        try:
            dead = posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None or (awaited is not None and dead.si_pid == awaited.si_pid):
            return
        posix.waitid(posix.P_PID, dead.si_pid, posix.WEXITED)
