"""--no-pivot: what must go before the rootfs is moved over the old root, which stays below it."""

from __future__ import annotations

import posix

from pyoci.host.mountinfo import read_mountinfo
from pyoci.linux import consts as c
from pyoci.linux import mount
from pyoci.paths import is_below


def remove_kernel_filesystems(root_fd: int) -> None:
    """Take every procfs and sysfs outside the rootfs out of this mount namespace.

    Where one is left the kernel lets a user namespace inside the container
    mount it anew, without our masks (mount_too_revealing in fs/namespace.c).
    """
    root = posix.readlink(f"/proc/self/fd/{root_fd}")
    for found in reversed(read_mountinfo()):
        if found.type in ("proc", "sysfs") and not is_below(found.mount_point, root):
            _remove(found.mount_point)


def _remove(path: str) -> None:
    try:
        mount.mount_propagation(path, c.MS_SLAVE | c.MS_REC)  # not on the host, too
        mount.umount2(path, c.MNT_DETACH)
    except OSError as error:
        if error.errno not in (1, 22):  # EPERM, EINVAL: locked, in a user namespace
            raise
        mount.mount_data("tmpfs", path, "tmpfs", "")
