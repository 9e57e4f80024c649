"""Giving a cgroup to the user who will live in it (cgroups(7), "Delegation")."""

from __future__ import annotations

import posix

from pyoci.linux.pidfd import read_kernel_file

# Where the kernel does not say (config-linux.md, "Cgroup ownership").
_USUAL = ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads")


def delegate(path: str, uid: int) -> None:
    """Make the user the owner of the cgroup, and of the files that the kernel says go with it.

    Its limits stay ours. A file of the list need not exist.
    """
    for name in read_delegated():
        try:
            posix.chown(f"{path}/{name}", uid, -1)
        except FileNotFoundError:
            continue
    posix.chown(path, uid, -1)


def read_delegated(path: str = "/sys/kernel/cgroup/delegate") -> tuple[str, ...]:
    """The names of the files that go with a delegated cgroup."""
    try:
        return tuple(read_kernel_file(path).decode().split())
    except FileNotFoundError:
        return _USUAL
