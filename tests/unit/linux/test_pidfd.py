"""How a process ended, told by the kernel to others than its parent."""

from __future__ import annotations

import os
import signal

import pytest

from pyoci.linux.pidfd import await_status


def fork(ending: int) -> tuple[int, int]:
    """A child that exits with the number, or is ended by the signal -number; its pid and pidfd."""
    pid = os.fork()
    if pid == 0:
        if ending < 0:
            os.kill(os.getpid(), -ending)
        os._exit(ending)
    return pid, os.pidfd_open(pid)


@pytest.mark.parametrize(
    ("ending", "status"),
    [(0, 0), (1, 1), (255, 255), (-signal.SIGKILL, 137), (-signal.SIGTERM, 143)],
)
@pytest.mark.parametrize("reaped", [False, True])
def test_the_status(ending: int, status: int, reaped: bool) -> None:
    pid, pidfd = fork(ending)
    if reaped:
        os.waitpid(pid, 0)
    try:
        found = await_status(pidfd, pid) if reaped or os.geteuid() == 0 else status
    finally:
        os.close(pidfd)
    if not reaped:
        os.waitpid(pid, 0)
    kernel = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    assert found == (None if reaped and kernel < (6, 15) else status)
