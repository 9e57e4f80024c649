"""Where the cgroup2 filesystem is mounted, and which cgroup we are in (cgroups(7)).

The type of the filesystem decides, not /proc/self/cgroup: with a private view
of /sys/fs/cgroup the two disagree.
"""

from __future__ import annotations

import posix

from pyoci.linux.consts import CGROUP2_SUPER_MAGIC, O_PATH
from pyoci.linux.fs import filesystem_type
from pyoci.linux.pidfd import read_kernel_file

# Pure v2, and the tree that systemd keeps beside v1 on hybrid hosts.
_USUAL = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


def find_cgroup_mount() -> str:
    """The mount point of the cgroup2 filesystem; empty if there is none."""
    for path in _USUAL:
        if _is_cgroup2(path):
            return path
    from pyoci.host.mountinfo import read_mountinfo

    for mount in read_mountinfo():
        if mount.type == "cgroup2":
            return mount.mount_point
    return ""


def _is_cgroup2(path: str) -> bool:
    try:
        fd = posix.open(path, O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError:  # ENOENT, EACCES: not here
        return False
    try:
        return filesystem_type(fd) == CGROUP2_SUPER_MAGIC
    finally:
        posix.close(fd)


def read_own_cgroup() -> str:
    """Our own cgroup on the v2 tree, as seen from our cgroup namespace; `/` if none is told."""
    return read_cgroup_of("self")


def read_cgroup_of(pid: str) -> str:
    """The cgroup of a process on the v2 tree, as `read_own_cgroup` gives ours; OSError."""
    text = read_kernel_file(f"/proc/{pid}/cgroup").decode("utf-8", "surrogateescape")
    for line in text.split("\n"):
        if line.startswith("0::"):
            return line[3:] or "/"
    return "/"
