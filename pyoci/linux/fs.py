"""Paths below a root that somebody else may be changing: openat2(2) and walks by descriptor.

Nothing here ever joins a root and a path into one string. A container path is
resolved inside its root by the kernel (RESOLVE_IN_ROOT); what is missing is
made relative to the descriptor of its parent. Descriptors are close-on-exec
and belong to the caller.
"""

from __future__ import annotations

import errno
import posix
import sys

from pyoci.linux.consts import (
    AT_EMPTY_PATH,
    NR_OPENAT2,
    O_PATH,
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    STATX_MNT_ID,
    STATX_MNT_ID_OFFSET,
    STATX_SIZE,
)
from pyoci.linux.libc import buffer, call, encode, function, number_of, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_fstatfs = function("fstatfs", 2)

S_IFMT, S_IFDIR, S_IFLNK, S_IFREG = 0o170000, 0o040000, 0o120000, 0o100000
IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
BENEATH_NO_SYMLINKS = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_MAX_LINKS = 40  # path_resolution(7): the kernel's own limit


def openat2(dirfd: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """Open path below dirfd (openat2(2)); retried where a rename raced with `..` (EAGAIN)."""
    words = (flags | posix.O_CLOEXEC, mode, resolve)
    how = b"".join([word.to_bytes(8, sys.byteorder) for word in words])
    name = encode(path)
    for _ in range(64):
        try:
            return syscall(NR_OPENAT2, dirfd, name, how, len(how))
        except BlockingIOError:
            continue
        except OSError as error:
            error.filename = path
            raise
    raise OSError(errno.EAGAIN, posix.strerror(errno.EAGAIN), path)


def open_in_root(root_fd: int, path: str) -> int:
    """An O_PATH descriptor of what path is inside the root, symlinks followed inside it."""
    return openat2(root_fd, path.lstrip("/") or ".", O_PATH, IN_ROOT)


def open_beneath(dirfd: int, path: str, flags: int = O_PATH) -> int:
    """What path is below dirfd if no component is a symlink (ELOOP) or leads out (EXDEV)."""
    return openat2(dirfd, path.strip("/") or ".", flags, BENEATH_NO_SYMLINKS)


def reopen(fd: int, flags: int, proc_fd: int = -1) -> int:
    """What an O_PATH descriptor is, opened in earnest: by the procfs at proc_fd, or else on /proc.

    Nobody but us may have a say in what that is: on /proc it is the host's.
    """
    if proc_fd < 0:
        proc_fd = posix.open("/proc/", O_PATH | posix.O_CLOEXEC)
        try:
            return reopen(fd, flags, proc_fd)
        finally:
            posix.close(proc_fd)
    return posix.open(f"self/fd/{fd}", flags | posix.O_CLOEXEC, dir_fd=proc_fd)


def open_file(open_with: Callable[[int], int], proc_fd: int) -> int | None:
    """A regular file, to be read; None if what open_with(flags) opens is no such. OSError.

    It is looked at before it is opened: to open a device can do something. Without a procfs to
    open by (proc_fd is -1) that takes two looks, between which it may change.
    """
    found_fd = open_with(O_PATH)
    try:
        if kind_of(found_fd) != S_IFREG:
            return None
        flags = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY
        return open_with(flags) if proc_fd < 0 else reopen(found_fd, flags, proc_fd)
    finally:
        posix.close(found_fd)


def kind_of(fd: int) -> int:
    """The S_IFMT bits of an open file."""
    return posix.fstat(fd).st_mode & S_IFMT


def split(path: str) -> tuple[str, str]:
    """Parent and last name of a path without trailing slashes."""
    parent, _, name = path.rstrip("/").rpartition("/")
    return parent, name


def make_in_root(root_fd: int, path: str, *, directory: bool, mode: int = 0o755) -> int:
    """An O_PATH descriptor of path inside the root; what is missing is made.

    Missing parents become directories, the last part a directory or an empty
    file. A symlink is followed inside the root even if it dangles, as the
    kernel would. An existing last part is taken as it is.
    """
    try:
        return open_in_root(root_fd, path)
    except FileNotFoundError:
        return _Walk(root_fd, mode).make(path, directory=directory)


def make_entry(dirfd: int, name: str, *, directory: bool, mode: int = 0o755) -> int:
    """An O_PATH descriptor of one name in a directory, made if missing; no symlink is followed."""
    encoded = encode(name)
    try:
        return _open_entry(dirfd, encoded)
    except FileNotFoundError:
        _make_entry(dirfd, encoded, directory=directory, mode=mode)
        return _open_entry(dirfd, encoded)


def _open_entry(dirfd: int, name: bytes) -> int:
    return posix.open(name, O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC, dir_fd=dirfd)


def _make_entry(dirfd: int, name: bytes, *, directory: bool, mode: int) -> None:
    try:
        if directory:
            posix.mkdir(name, mode, dir_fd=dirfd)
        else:
            flags = posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
            posix.close(posix.open(name, flags | posix.O_WRONLY, 0o644, dir_fd=dirfd))
    except FileExistsError:  # somebody else made it meanwhile: it is opened next
        return


class _Walk:
    """Resolution in user space, component by component, that makes what is missing.

    The stack holds a descriptor of every directory from the root down, so that
    `..` goes back to where we came from and never above the root, whatever is
    renamed meanwhile.
    """

    def __init__(self, root_fd: int, mode: int) -> None:
        self.stack = [posix.dup(root_fd)]
        self.mode = mode
        self.links = 0

    def make(self, path: str, *, directory: bool) -> int:
        """Walk; returns the last descriptor and closes the others."""
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        try:
            while todo:
                part = todo.pop()
                if part == "..":
                    self._up()
                else:
                    self._enter(part, todo, directory=directory or bool(todo))
            return self.stack.pop()
        finally:
            for fd in self.stack:
                posix.close(fd)

    def _up(self) -> None:
        if len(self.stack) > 1:
            posix.close(self.stack.pop())

    def _enter(self, part: str, todo: list[str], *, directory: bool) -> None:
        fd = make_entry(self.stack[-1], part, directory=directory, mode=self.mode)
        if kind_of(fd) != S_IFLNK:
            self.stack.append(fd)
            return
        target = posix.readlink(b"", dir_fd=fd)
        posix.close(fd)
        self._follow(target.decode("utf-8", "surrogateescape"), todo)

    def _follow(self, target: str, todo: list[str]) -> None:
        self.links += 1
        if self.links > _MAX_LINKS:
            raise OSError(errno.ELOOP, posix.strerror(errno.ELOOP), target)
        if target.startswith("/"):
            while len(self.stack) > 1:
                self._up()
        todo += [part for part in reversed(target.split("/")) if part not in ("", ".")]


def filesystem_type(fd: int) -> int:
    """The magic number of the filesystem that an open file is on (statfs(2))."""
    out = buffer(256)
    call(_fstatfs, fd, out)
    return int.from_bytes(bytes(out)[: 8 if posix.uname().machine != "s390x" else 4], sys.byteorder)


def mount_id(fd: int) -> int:
    """The id of the mount that an open file is reached through (statx(2), STATX_MNT_ID)."""
    out = buffer(STATX_SIZE)
    syscall(number_of("statx"), fd, b"", AT_EMPTY_PATH, STATX_MNT_ID, out)
    at = STATX_MNT_ID_OFFSET
    return int.from_bytes(bytes(out)[at : at + 8], sys.byteorder)
