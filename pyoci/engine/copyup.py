"""tmpcopyup: filling a new tmpfs with what the image has at its place.

Both sides are descriptors; the image's side may be changing while it is read,
so nothing in it is followed, opened for writing, or waited for.
"""

from __future__ import annotations

import posix

from pyoci.linux.consts import O_PATH
from pyoci.linux.fs import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, reopen

_CHUNK_BYTES = 1 << 20
_MAX_DEPTH = 256


def copy_tree(source_fd: int, target_fd: int, *, attributes: bool = True) -> None:
    """Copy everything below one directory (an O_PATH descriptor will do) into another.

    Directories, regular files, symlinks, device nodes and FIFOs with owner,
    mode and times; sockets have no use without their server. With `attributes`
    the directory itself gets those of its source, too.
    """
    source = posix.open(
        b".", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC, dir_fd=source_fd
    )
    try:
        _copy_directory(source, target_fd, 0)
        if attributes:
            _copy_attributes(posix.fstat(source), b".", target_fd)
    finally:
        posix.close(source)


def _copy_directory(source_fd: int, target_fd: int, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise OSError(36, posix.strerror(36))
    for name in posix.listdir(source_fd):
        encoded = name.encode("utf-8", "surrogateescape")
        fd = posix.open(encoded, O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC, dir_fd=source_fd)
        try:
            _copy_entry(fd, encoded, source_fd, target_fd, depth)
        finally:
            posix.close(fd)


def _copy_entry(fd: int, name: bytes, source_fd: int, target_fd: int, depth: int) -> None:
    found = posix.fstat(fd)
    kind = found.st_mode & S_IFMT
    if kind == S_IFDIR:
        posix.mkdir(name, 0o700, dir_fd=target_fd)
        _copy_below(name, source_fd, target_fd, depth)
    elif kind == S_IFLNK:
        posix.symlink(posix.readlink(b"", dir_fd=fd), name, dir_fd=target_fd)
    elif kind == S_IFREG:
        _copy_file(fd, name, target_fd)
    elif kind in (0o020000, 0o060000, 0o010000):
        posix.mknod(name, found.st_mode, found.st_rdev, dir_fd=target_fd)
    else:
        return
    _copy_attributes(found, name, target_fd)


def _copy_below(name: bytes, source_fd: int, target_fd: int, depth: int) -> None:
    flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
    source = posix.open(name, flags, dir_fd=source_fd)
    target = posix.open(name, flags, dir_fd=target_fd)
    try:
        _copy_directory(source, target, depth + 1)
    finally:
        posix.close(source)
        posix.close(target)


def _copy_file(found_fd: int, name: bytes, target_fd: int) -> None:
    """Not by its name, under which there may be a device by now; /proc is still the host's."""
    source = reopen(found_fd, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY)
    try:
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
        target = posix.open(name, flags, 0o600, dir_fd=target_fd)
        try:
            while posix.sendfile(target, source, None, _CHUNK_BYTES):
                pass
        finally:
            posix.close(target)
    finally:
        posix.close(source)


def _copy_attributes(found: posix.stat_result, name: bytes, target_fd: int) -> None:
    posix.chown(name, found.st_uid, found.st_gid, dir_fd=target_fd, follow_symlinks=False)
    if found.st_mode & S_IFMT != S_IFLNK:
        posix.chmod(name, found.st_mode & 0o7777, dir_fd=target_fd)
    times = (found.st_atime_ns, found.st_mtime_ns)
    posix.utime(name, ns=times, dir_fd=target_fd, follow_symlinks=False)
