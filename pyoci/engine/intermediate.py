"""The intermediate process: a pid namespace is used from inside the user namespace that owns it.

The first process that main makes enters the user namespace, makes init as its sibling, a child of
main too (CLONE_PARENT), tells main its pid, and ends.
"""

from __future__ import annotations

import posix

from pyoci.engine import sync
from pyoci.errors import StepError
from pyoci.linux import prctl
from pyoci.linux.clone import clone3
from pyoci.linux.consts import CLONE_PARENT
from pyoci.linux.pidfd import reap

_SIGKILL = 9


def clone_sibling(clone_flags: int, sync_fd: int) -> None:
    """Come back as the sibling, once main knows of it; the process that calls this ends."""
    pid, _ = clone3(clone_flags | CLONE_PARENT)
    if pid:
        posix.write(sync_fd, b"%b %d" % (sync.SIBLING, pid))
        posix._exit(0)  # noqa: SLF001  (its name)
    prctl.set_parent_death_signal(_SIGKILL)
    posix.setsid()
    if sync.receive(sync_fd)[0] != sync.ADOPTED:
        raise StepError("", "", "main ended before it knew of init")


def adopt_sibling(sync_fd: int, pidfd: int, content: bytes) -> tuple[int, int]:
    """The pid and a pidfd of the sibling that `content` tells of; its maker is waited for."""
    pid = int(content)
    # Our child, and nobody has waited for it: the pid is still its own.
    sibling_pidfd = posix.pidfd_open(pid)
    reap(pidfd)
    posix.close(pidfd)
    sync.send(sync_fd, sync.ADOPTED)
    return pid, sibling_pidfd
