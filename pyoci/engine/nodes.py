"""Device nodes and symlinks, made in a directory that is an open descriptor."""

from __future__ import annotations

import errno
import posix

from pyoci.errors import StepError
from pyoci.linux import fs
from pyoci.linux.libc import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan import rootfs_steps as r

_NODE_KINDS = {"c": 0o020000, "b": 0o060000, "p": 0o010000}


def is_device(found: posix.stat_result, kind: str, major: int, minor: int) -> bool:
    """Whether that is a node of this kind (c, b, p) and number."""
    same_kind = found.st_mode & fs.S_IFMT == _NODE_KINDS[kind]
    return same_kind and (kind == "p" or found.st_rdev == posix.makedev(major, minor))


def make_node(step: r.MakeDevice, name: bytes, parent_fd: int) -> bool:
    """Make the node with its mode and owner; one that is there already is left as it is.

    False where none may be made at all: below a user namespace that we did not make, as in Podman's
    of an ordinary user, mknod(2) is forbidden to its root, too.
    """
    number = 0 if step.type == "p" else posix.makedev(step.major, step.minor)
    try:
        posix.mknod(name, _NODE_KINDS[step.type] | step.mode, number, dir_fd=parent_fd)
    except FileExistsError:
        check_node(step, posix.stat(name, dir_fd=parent_fd, follow_symlinks=False))
        return True
    except PermissionError as error:
        if error.errno != errno.EPERM or step.type == "p":
            raise
        return False
    if step.uid or step.gid:
        posix.chown(name, step.uid, step.gid, dir_fd=parent_fd, follow_symlinks=False)
    return True


def check_node(step: r.MakeDevice, found: posix.stat_result) -> None:
    """StepError unless what was found is the device (config-linux.md, "Devices")."""
    if not is_device(found, step.type, step.major, step.minor):
        detail = f"{step.path} exists and is not {step.type} {step.major}:{step.minor}"
        raise StepError("", "", detail, errno=errno.EEXIST, path=step.path)


def symlink(target: str | bytes, name: str, parent_fd: int, *, replace: bool) -> None:
    """Make the link, unless there is something of that name which is not to be replaced."""
    try:
        posix.symlink(target, encode(name), dir_fd=parent_fd)
    except FileExistsError:
        if not replace:
            return
        posix.unlink(encode(name), dir_fd=parent_fd)
        posix.symlink(target, encode(name), dir_fd=parent_fd)


def is_symlink(target: str | bytes, name: str, parent_fd: int) -> bool:
    """Whether there is a link of that name to this target."""
    try:
        return posix.readlink(encode(name), dir_fd=parent_fd) == target
    except OSError:  # EINVAL: no symlink
        return False
