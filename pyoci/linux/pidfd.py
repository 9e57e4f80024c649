"""Processes by descriptor, and what /proc says of them; no ctypes, for the short commands."""

from __future__ import annotations

import errno
import posix
import sys

from pyoci.linux.consts import P_PIDFD, PIDFD_GET_INFO, PIDFD_INFO_EXIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from signal import pidfd_send_signal
else:
    import _signal
    from _signal import pidfd_send_signal

__all__ = [
    "await_status",
    "is_running",
    "keep_dead_children",
    "open_pidfd",
    "open_process",
    "pidfd_getfd",
    "pidfd_send_signal",
    "poll_exit",
    "read_kernel_file",
    "read_process",
    "reap",
    "status_of",
    "write_process_file",
]


_MAX_READS = 1 << 12
_SIGCHLD = 17  # on every architecture that pyoci knows


def read_kernel_file(path: str) -> bytes:
    """The whole of a file of procfs or the like; OSError where it cannot be read."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        parts = [posix.read(fd, 1 << 16)]
        while parts[-1]:
            parts.append(posix.read(fd, 1 << 16))
            if len(parts) > _MAX_READS:
                raise OSError(errno.EFBIG, posix.strerror(errno.EFBIG), path)
        return b"".join(parts)
    finally:
        posix.close(fd)


def keep_dead_children() -> None:
    """Have children stay until they are waited for, though our caller may ignore SIGCHLD."""
    if _signal.getsignal(_SIGCHLD) == _signal.SIG_IGN:
        _signal.signal(_SIGCHLD, _signal.SIG_DFL)


def write_process_file(pid: int | str, name: str, value: str) -> None:
    """Write a file of a process in /proc; OSError that names it."""
    path = f"/proc/{pid}/{name}"
    fd = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(fd, value.encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        posix.close(fd)


def read_process(pid: int) -> tuple[str, int] | None:
    """State letter and start time in clock ticks of a process (proc(5) stat 3 and 22), or None."""
    try:
        stat = read_kernel_file(f"/proc/{pid}/stat")
    except OSError:  # ENOENT: gone; ESRCH: went while we read
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return fields[0].decode(), int(fields[19])


def is_running(pid: int, start_time: int) -> bool:
    """Whether the process with this pid and start time exists and is no zombie."""
    found = read_process(pid) if pid > 0 else None
    return found is not None and found[1] == start_time and found[0] not in "ZXx"


def open_pidfd(pid: int) -> int:
    """A pidfd of the process that has this pid now; OSError(ESRCH) if none has (pidfd_open(2)).

    EINVAL, of older kernels (seen on 6.1): the number is none of a process, but of the session or
    process group that a process led which is gone.
    """
    try:
        return posix.pidfd_open(pid)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ProcessLookupError(errno.ESRCH, posix.strerror(errno.ESRCH)) from None


def open_process(pid: int, start_time: int) -> int:
    """A pidfd of exactly this process; OSError(ESRCH) if it is gone, its pid used again or not."""
    if pid > 0:
        fd = open_pidfd(pid)
        if is_running(pid, start_time):
            return fd
        posix.close(fd)
    raise ProcessLookupError(3, posix.strerror(3))


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """A close-on-exec copy of the process's descriptor (pidfd_getfd(2)); takes CAP_SYS_PTRACE."""
    from pyoci.linux.consts import NR_PIDFD_GETFD
    from pyoci.linux.libc import syscall

    return syscall(NR_PIDFD_GETFD, pidfd, fd, 0)


def poll_exit(pidfd: int, timeout_ms: int) -> bool:
    """Whether the process ended, waiting at most this long (-1: without limit)."""
    from select import POLLIN, poll

    waiter = poll()
    waiter.register(pidfd, POLLIN)
    return bool(waiter.poll(timeout_ms))


def await_status(pidfd: int, pid: int) -> int | None:
    """How any process has ended, 128 + signal if one ended it; waits until it has.

    None where the kernel does not tell: before Linux 6.15 it must be a zombie still, and we root.
    """
    poll_exit(pidfd, -1)
    for read in (_read_kept_status, _read_zombie_status, _await_kept_status):
        status = read(pidfd, pid)
        if status is not None:
            code = posix.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
    return None


def _read_kept_status(pidfd: int, _pid: int) -> int | None:
    """The wait status that the kernel keeps once the process is reaped (PIDFD_GET_INFO)."""
    try:
        info = _read_info(pidfd)
    except OSError:  # ENOTTY, EINVAL: an older kernel; ESRCH: reaped, and nothing is kept
        return None
    if not int.from_bytes(info[:8], sys.byteorder) & PIDFD_INFO_EXIT:
        return None
    return int.from_bytes(info[60:64], sys.byteorder)


def _read_info(pidfd: int) -> bytes:
    """struct pidfd_info, as far as it always was."""
    from fcntl import ioctl

    return ioctl(pidfd, PIDFD_GET_INFO, PIDFD_INFO_EXIT.to_bytes(8, sys.byteorder) + bytes(56))


def _await_kept_status(pidfd: int, pid: int) -> int | None:
    """As above, once it is reaped: a kernel that keeps a status tells of that, too (POLLHUP)."""
    from select import poll

    try:
        _read_info(pidfd)
    except ProcessLookupError:  # just now
        return _read_kept_status(pidfd, pid)
    except OSError:
        return None
    waiter = poll()
    waiter.register(pidfd, 0)
    waiter.poll()
    return _read_kept_status(pidfd, pid)


def _read_zombie_status(pidfd: int, pid: int) -> int | None:
    """The wait status of a zombie (proc(5), stat, exit_code), which others than root see as 0."""
    if posix.geteuid() != 0:
        return None
    try:
        stat = read_kernel_file(f"/proc/{pid}/stat")
    except OSError:
        return None
    if not _is_unreaped(pidfd):  # the pid may be another one's
        return None
    return int(stat[stat.rindex(b")") + 2 :].split()[49])


def _is_unreaped(pidfd: int) -> bool:
    try:
        pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        return False
    return True


def reap(pidfd: int) -> int | None:
    """Exit status of our child, 128 + signal if one ended it; None if it is not our child."""
    try:
        result = posix.waitid(P_PIDFD, pidfd, posix.WEXITED)
    except ChildProcessError:
        return None
    return status_of(result)


def status_of(result: posix.waitid_result | None) -> int | None:
    """Exit status out of a waitid(2) result, 128 + signal if one ended the process."""
    if result is None:
        return None
    return result.si_status if result.si_code == posix.CLD_EXITED else 128 + result.si_status
