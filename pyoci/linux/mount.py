"""The mount system calls: fsopen(2) to move_mount(2), mount_setattr(2), umount2(2), pivot_root(2).

Every function acts on descriptors; the ones that take a path take a host path,
never one below a container's root. All raise OSError. Descriptors returned are
close-on-exec and belong to the caller.
"""

from __future__ import annotations

import posix
import sys

from pyoci.linux.consts import (
    AT_EMPTY_PATH,
    AT_RECURSIVE,
    FSCONFIG_CMD_CREATE,
    FSCONFIG_SET_FLAG,
    FSCONFIG_SET_STRING,
    FSMOUNT_CLOEXEC,
    FSOPEN_CLOEXEC,
    MOUNT_ATTR_IDMAP,
    MOVE_MOUNT_F_EMPTY_PATH,
    MOVE_MOUNT_T_EMPTY_PATH,
    NR_FSCONFIG,
    NR_FSMOUNT,
    NR_FSOPEN,
    NR_MOUNT_SETATTR,
    NR_MOVE_MOUNT,
    NR_OPEN_TREE,
    OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
)
from pyoci.linux.libc import call, encode, function, number_of, syscall

_umount2 = function("umount2", 2)
_mount = function("mount", 5)


def fsopen(filesystem: str) -> int:
    """A context to configure a new superblock of this filesystem type (fsopen(2))."""
    return syscall(NR_FSOPEN, encode(filesystem), FSOPEN_CLOEXEC)


def fsconfig_flag(context_fd: int, key: str) -> None:
    """Set a parameter without value, like `ro` (fsconfig(2))."""
    syscall(NR_FSCONFIG, context_fd, FSCONFIG_SET_FLAG, encode(key), None, 0)


def fsconfig_string(context_fd: int, key: str, value: str) -> None:
    """Set a parameter, like `size` to `64k` or `source` (fsconfig(2))."""
    syscall(NR_FSCONFIG, context_fd, FSCONFIG_SET_STRING, encode(key), encode(value), 0)


def fsconfig_create(context_fd: int) -> None:
    """Make the superblock (fsconfig(2))."""
    syscall(NR_FSCONFIG, context_fd, FSCONFIG_CMD_CREATE, None, None, 0)


def fsmount(context_fd: int, attributes: int) -> int:
    """A detached mount of the superblock with these MOUNT_ATTR_ flags (fsmount(2))."""
    return syscall(NR_FSMOUNT, context_fd, FSMOUNT_CLOEXEC, attributes)


def read_context_log(context_fd: int) -> str:
    """What the kernel said about a failed fsconfig or fsmount, in one line; often nothing."""
    lines: list[str] = []
    while len(lines) < 8:
        try:
            line = posix.read(context_fd, 1024)
        except OSError:  # ENODATA: no more messages
            break
        lines.append(line.decode("utf-8", "backslashreplace").strip()[2:])
    return "; ".join(lines)


def open_tree_at(dirfd: int, path: str, flags: int) -> int:
    """A descriptor of the mount or directory at path (open_tree(2)); OPEN_TREE_CLONE copies it."""
    return syscall(NR_OPEN_TREE, dirfd, encode(path), flags | OPEN_TREE_CLOEXEC)


def clone_tree(fd: int, *, recursive: bool) -> int:
    """A detached copy of the mount tree at `fd` (open_tree(2) with OPEN_TREE_CLONE)."""
    flags = OPEN_TREE_CLONE | AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    return open_tree_at(fd, "", flags)


def move_mount(tree_fd: int, target_fd: int) -> None:
    """Attach a detached tree on the file or directory that `target_fd` is (move_mount(2))."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    syscall(NR_MOVE_MOUNT, tree_fd, b"", target_fd, b"", flags)


def mount_setattr(
    fd: int, attr_set: int = 0, attr_clr: int = 0, propagation: int = 0, *, recursive: bool = False
) -> None:
    """Change attributes and propagation of the mount whose root `fd` is (mount_setattr(2))."""
    words = (attr_set, attr_clr, propagation, 0)
    attr = b"".join([word.to_bytes(8, sys.byteorder) for word in words])
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall(NR_MOUNT_SETATTR, fd, b"", flags, attr, len(attr))


def map_ids(fd: int, userns_fd: int, *, recursive: bool) -> None:
    """Map the ids of a detached mount as the user namespace does (MOUNT_ATTR_IDMAP)."""
    words = (MOUNT_ATTR_IDMAP, 0, 0, userns_fd)
    attr = b"".join([word.to_bytes(8, sys.byteorder) for word in words])
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall(NR_MOUNT_SETATTR, fd, b"", flags, attr, len(attr))


def mount_propagation(path: str, flags: int) -> None:
    """Change the propagation of the mount at a host path (mount(2) with MS_SHARED and so on)."""
    call(_mount, b"none", encode(path), None, flags, None)


def mount_data(source: str, target: str, filesystem: str, data: str, flags: int = 0) -> None:
    """mount(2) of a new filesystem with its options as one string, of which a page is read."""
    call(_mount, encode(source), encode(target), encode(filesystem), flags, encode(data))


def mount_move(source: str, target: str, flags: int) -> None:
    """mount(2) from path to path, for MS_MOVE of the current directory."""
    call(_mount, encode(source), encode(target), None, flags, None)


def umount2(path: str, flags: int) -> None:
    """Unmount (umount2(2))."""
    call(_umount2, encode(path), flags)


def pivot_root(new_root: str, put_old: str) -> None:
    """Make new_root the root mount (pivot_root(2))."""
    syscall(number_of("pivot_root"), encode(new_root), encode(put_old))
