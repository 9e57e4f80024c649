"""The machine under the programs: a mount namespace of our own, a view of the cgroups, facts."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec import kernel
from conformance.spec.host import CAP_SYS_RESOURCE, CGROUPS, has_capability, own_mounts

if TYPE_CHECKING:
    from collections.abc import Callable

MS_RDONLY, MS_REMOUNT, MS_MOVE = 1, 32, 8192
MS_NOSUID_NODEV_NOEXEC = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


class ViewError(Exception):
    """The machine cannot give the view of the cgroups that was asked for."""


def lock_cgroups() -> int:
    """Waits for other runs to end: some cgroups have fixed names. Holds while the fd is open."""
    lock_fd = os.open(CGROUPS, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(lock_fd, fcntl.LOCK_EX)
    return lock_fd


def enter_private_mounts(view: str) -> None:
    """Takes a mount namespace and shows the cgroups there as `view` says; needs root.

    The namespace is shared within itself, as systemd leaves a machine's: one program tests
    propagation. Another, linux_ns_itype, has runtimes mount into the namespace of their caller:
    that must never be the machine's.
    """
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    if view == "v1":
        show_v1()
    elif view == "v2":
        show_v2()
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_SHARED)


def v1_hierarchies() -> list[Path]:
    """The roots of the cgroup v1 hierarchies in view."""
    return sorted(path for path in CGROUPS.iterdir() if (path / "tasks").exists())


def show_v1() -> None:
    """Shows the v1 hierarchies and nothing else.

    The directory that holds them is read-only: a runtime would else make plain directories there
    for the controllers that the kernel has, but the machine does not mount.
    """
    hierarchies = v1_hierarchies()
    if not hierarchies:
        raise ViewError(f"no cgroup v1 hierarchy below {CGROUPS}")
    with tempfile.TemporaryDirectory() as directory:
        kernel.mount("cgroup", directory, "tmpfs", MS_NOSUID_NODEV_NOEXEC, "mode=755")
        for hierarchy in hierarchies:
            target = Path(directory, hierarchy.name)
            target.mkdir()
            kernel.mount(str(hierarchy), str(target), None, kernel.MS_BIND)
        umount_below(CGROUPS)
        kernel.mount(directory, str(CGROUPS), None, MS_MOVE)
    flags = MS_REMOUNT | kernel.MS_BIND | MS_RDONLY | MS_NOSUID_NODEV_NOEXEC
    kernel.mount("none", str(CGROUPS), None, flags)


def show_v2() -> None:
    """Shows the unified hierarchy alone, whatever controllers it has."""
    umount_below(CGROUPS)
    kernel.mount("cgroup2", str(CGROUPS), "cgroup2", MS_NOSUID_NODEV_NOEXEC)


def umount_below(directory: Path) -> list[str]:
    """Takes away what is mounted at or below a directory; returns where that was."""
    points = [mount.point for mount in own_mounts() if is_below(mount.point, directory)]
    for point in reversed(points):
        kernel.umount(point)
    return points


def is_below(path: str, directory: Path) -> bool:
    """True for the directory itself and all in it."""
    return Path(path).is_relative_to(directory)


def has_apparmor() -> bool:
    """True if the kernel has AppArmor and it is on."""
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    return enabled.exists() and enabled.read_text(encoding="ascii").startswith("Y")


FACTS: dict[str, Callable[[], bool]] = {
    "apparmor": has_apparmor,
    "cap_sys_resource": lambda: has_capability(CAP_SYS_RESOURCE),
    "cgroup_v1": lambda: bool(v1_hierarchies()),
    "cgroup_v1_cpu": (CGROUPS / "cpu/cpu.shares").exists,
    "cgroup_v1_devices": (CGROUPS / "devices/devices.list").exists,
    "cgroup_v1_pids": (CGROUPS / "pids/tasks").exists,
    "selinux": Path("/sys/fs/selinux/enforce").exists,
}


def read_facts() -> frozenset[str]:
    """What the machine, in the view entered, has of what verdicts depend on."""
    return frozenset(fact for fact, holds in FACTS.items() if holds())
