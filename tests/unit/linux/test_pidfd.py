"""Processes by descriptor: who is there, and how one ended, told to others than its parent."""

from __future__ import annotations

import errno
import os
import posix
import signal

import pytest

from pyoci.linux.pidfd import await_status, open_pidfd, open_process


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


def test_a_session_that_outlives_its_leader_is_no_process() -> None:
    """Its id stays in use, for which older kernels say EINVAL, and newer ones ESRCH."""
    ends, keeps_open = os.pipe()
    leader = os.fork()
    if leader == 0:
        os.close(keeps_open)
        os.setsid()
        if os.fork() == 0:
            os.read(ends, 1)
        os._exit(0)
    os.close(ends)
    try:
        os.waitpid(leader, 0)
        assert os.getpgid(0) != leader
        with pytest.raises(ProcessLookupError):
            open_pidfd(leader)
        with pytest.raises(ProcessLookupError):
            open_process(leader, 1)
    finally:
        os.close(keeps_open)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EINVAL, ProcessLookupError),
        (errno.ESRCH, ProcessLookupError),
        (errno.EMFILE, OSError),
    ],
)
def test_what_kernels_say_of_a_pid(
    monkeypatch: pytest.MonkeyPatch, number: int, expected: type[OSError]
) -> None:
    def refuse(pid: int, flags: int = 0) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(posix, "pidfd_open", refuse)
    with pytest.raises(OSError, match=r".") as caught:
        open_pidfd(os.getpid())
    assert type(caught.value) is expected
