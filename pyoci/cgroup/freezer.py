"""Stop and let go the processes of a cgroup: write cgroup.freeze, wait for cgroup.events."""

from __future__ import annotations

import posix

from pyoci.cgroup.manager import write_value
from pyoci.errors import StateError

_TIMEOUT_MS = 10_000


def freeze(path: str) -> None:
    """Freeze the cgroup and come back once all its processes stand still.

    StateError if they do not within 10 s; they go on then.
    """
    write_value(path, "cgroup.freeze", "1")
    if _await_frozen(path, frozen=True):
        return
    write_value(path, "cgroup.freeze", "0")
    message = "not all processes can be frozen: they run again"
    raise StateError(message, f"look in {path} for one in an uninterruptible sleep")


def unfreeze(path: str) -> None:
    """Let the cgroup go on; StateError if it still stands after 10 s."""
    write_value(path, "cgroup.freeze", "0")
    if not _await_frozen(path, frozen=False):
        message = "still frozen"
        raise StateError(message, f"is a parent of {path} frozen?")


def _await_frozen(path: str, *, frozen: bool) -> bool:
    """Whether the cgroup comes to be so within the time; a change wakes poll(2) (cgroups(7))."""
    from select import POLLPRI, poll

    wanted = b"frozen 1" if frozen else b"frozen 0"
    fd = posix.open(f"{path}/cgroup.events", posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        poller = poll()
        poller.register(fd, POLLPRI)
        while True:
            # What comes after this read wakes the poll below.
            if wanted in posix.pread(fd, 4096, 0):
                return True
            if not poller.poll(_TIMEOUT_MS):
                return False
    finally:
        posix.close(fd)
