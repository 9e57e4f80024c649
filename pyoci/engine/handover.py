"""What changes hands with the caller: descriptors that it passes on, the file for the pid."""

from __future__ import annotations

import posix

from pyoci.errors import StateError, StepError, describe_oserror


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
    """Write the pid, digits only, so that a reader sees all of it or no file; StepError."""
    parent, _, name = path.rpartition("/")
    temporary = f"{parent}/.{name}.{posix.getpid()}"
    try:
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
        fd = posix.open(temporary, flags, 0o644)
        try:
            posix.write(fd, str(pid).encode())
        finally:
            posix.close(fd)
        posix.rename(temporary, path)
    except OSError as error:
        detail = describe_oserror(error)
        raise StepError("main", f"write pid file {path}", detail, error.errno or 0) from None
