"""New filesystems as detached mounts: nothing here knows a place in the container."""

from __future__ import annotations

import errno
import posix

from pyoci.errors import StepError, describe_errno
from pyoci.linux import consts as c
from pyoci.linux import mount
from pyoci.linux.libc import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Parameters: TypeAlias = tuple[tuple[str, str | None], ...]

_VALUE_BYTES = 255  # fsconfig(2) takes no longer strings...
_DATA_BYTES = 4095  # ...and mount(2) cuts off what goes beyond a page


def new_filesystem(kind: str, source: str, parameters: Parameters, attributes: int) -> int:
    """A detached mount of a new superblock; StepError with the kernel's own words if refused."""
    context_fd = mount.fsopen(kind)
    try:
        mount.fsconfig_string(context_fd, "source", source)
        for key, value in parameters:
            if value is None:
                mount.fsconfig_flag(context_fd, key)
            else:
                mount.fsconfig_string(context_fd, key, value)
        mount.fsconfig_create(context_fd)
        return mount.fsmount(context_fd, attributes)
    except OSError as error:
        said = mount.read_context_log(context_fd)
        if not said:
            raise
        detail = f"{describe_errno(error.errno or 0)}: {said}"
        raise StepError("", "", detail, errno=error.errno or 0) from None
    finally:
        posix.close(context_fd)


def is_long(source: str, parameters: Parameters) -> bool:
    """Whether a value is too long for `new_filesystem`: the layers of an overlay, mostly."""
    values = [source, *[value for _, value in parameters if value]]
    return any(len(encode(value)) > _VALUE_BYTES for value in values)


def _as_data(key: str, value: str | None) -> str:
    """A parameter as mount(2) takes it; the comma of an SELinux context stands in quotes."""
    from pyoci.plan.mounts import CONTEXTS  # there is no such step without it; exec has none

    if value is None:
        return key
    return f'{key}="{value}"' if key in CONTEXTS else f"{key}={value}"


def split_flags(parameters: Parameters) -> tuple[int, Parameters]:
    """The flags of mount(2) for what every filesystem knows, and the parameters left.

    Only a filesystem that was written for fsconfig(2) takes these among its options, too: overlay
    does since Linux 6.5.
    """
    from pyoci.plan.mounts import SUPERBLOCK

    known = {"ro": (c.MS_RDONLY, 0), **SUPERBLOCK}
    flags = 0
    for key, _ in parameters:
        to_set, to_clear = known.get(key, (0, 0))
        flags = flags & ~to_clear | to_set
    return flags, tuple([item for item in parameters if item[0] not in known])


def new_filesystem_at(
    place_fd: int, kind: str, source: str, parameters: Parameters, attributes: int
) -> int:
    """The same by mount(2), which takes long values but must mount somewhere.

    It does so in a filesystem of our own that for the time being covers the
    directory `place_fd`, whose mount must not be shared; the working directory
    is `/` afterwards.
    """
    flags, own = split_flags(parameters)
    data = ",".join([_as_data(key, value) for key, value in own])
    if len(encode(data)) > _DATA_BYTES:
        raise OSError(errno.E2BIG, posix.strerror(errno.E2BIG))
    scratch_fd = new_filesystem("tmpfs", "tmpfs", (), 0)
    mount.move_mount(scratch_fd, place_fd)
    posix.fchdir(scratch_fd)
    try:
        posix.mkdir("new", 0o700)
        mount.mount_data(source, "new", kind, data, flags)
        tree_fd = mount.open_tree_at(scratch_fd, "new", c.OPEN_TREE_CLONE)
        mount.mount_setattr(tree_fd, attr_set=attributes, attr_clr=c.MOUNT_ATTR__ATIME)
        return tree_fd
    finally:
        mount.umount2(".", c.MNT_DETACH)
        posix.chdir("/")
        posix.close(scratch_fd)
