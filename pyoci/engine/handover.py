"""What changes hands with the caller: descriptors that it passes on, the file for the pid."""

from __future__ import annotations

import posix

from pyoci.errors import StateError, StepError, describe_oserror
from pyoci.linux.fs import S_IFLNK, S_IFMT
from pyoci.state import store

S_IFCHR, S_IFBLK = 0o020000, 0o060000
_SOCKET_PATIENCE_S = 10.0  # an engine that hangs shall not hang the exec


def check_preserved(count: int) -> None:
    """Refuse to pass a descriptor that the caller did not open: the number might become ours."""
    for fd in range(3, 3 + count):
        try:
            inherited = posix.get_inheritable(fd)
        except OSError:  # EBADF
            inherited = False
        if not inherited:  # all of ours are close-on-exec
            message = f"unable to stat preserved-fd {fd}: EBADF (bad file descriptor)"
            raise StateError(message, "--preserve-fds and LISTEN_FDS count from 3 on")


def write_pid_file(path: str, pid: int) -> None:
    """Write the pid, digits only, so that a reader sees all of it or no file; StepError.

    A device (/dev/null) or a link (/dev/stdout) is not replaced but written to.
    """
    try:
        if _is_replaceable(path):
            _replace(path, str(pid).encode())
        else:
            flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NONBLOCK
            _write(path, flags | posix.O_NOCTTY, str(pid).encode())
    except OSError as error:
        detail = describe_oserror(error)
        raise StepError("main", f"write pid file {path}", detail, error.errno or 0) from None


def _is_replaceable(path: str) -> bool:
    try:
        return posix.lstat(path).st_mode & S_IFMT not in (S_IFCHR, S_IFBLK, S_IFLNK)
    except FileNotFoundError:
        return True


def _replace(path: str, content: bytes) -> None:
    parent, _, name = path.rpartition("/")
    temporary = f"{parent}/.{name}.{posix.getpid()}"
    _write(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL, content)
    try:
        posix.rename(temporary, path)
    except OSError:
        posix.unlink(temporary)
        raise


def _write(path: str, flags: int, content: bytes) -> None:
    fd = posix.open(path, flags | posix.O_CLOEXEC, 0o644)
    try:
        posix.write(fd, content)
    finally:
        posix.close(fd)


def make_result(dir_fd: int) -> int:
    """Make exec.result, in which init says to a later `start` why it failed."""
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    return posix.open(store.RESULT, flags, 0o600, dir_fd=dir_fd)


def send_pidfd(path: str, pidfd: int) -> None:
    """Send the pidfd of a process of exec to the socket at this path; StepError."""
    from pyoci.linux.sockets import send_fd

    try:
        send_fd(path, b"setns", pidfd, _SOCKET_PATIENCE_S)
    except OSError as error:
        detail = describe_oserror(error)
        raise StepError("main", "send the pidfd", detail, error.errno or 0) from None
