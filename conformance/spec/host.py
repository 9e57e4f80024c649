"""The machine under the suite: its cgroups, what it can do, what a container left on it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec import kernel
from conformance.spec.report import Mount, parse_mountinfo, parse_status

if TYPE_CHECKING:
    from collections.abc import Callable

CGROUPS = Path("/sys/fs/cgroup")
CAP_SYS_RESOURCE = 24


def poll_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Asks every 5 ms; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def is_pure_v2() -> bool:
    """True if the unified hierarchy is what is mounted on /sys/fs/cgroup."""
    return (CGROUPS / "cgroup.controllers").exists()


def enter_private_namespaces(view: str) -> None:
    """Leaves the machine's mounts, network, names and IPC behind; "v2" shows cgroup2 alone.

    The new mount namespace is shared within itself, as a machine's is: propagation needs that.
    """
    private = kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC
    kernel.unshare(private)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    if view == "v2" and not is_pure_v2():
        flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        kernel.umount(str(CGROUPS))
        kernel.mount("cgroup2", str(CGROUPS), "cgroup2", flags)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_SHARED)


def has_capability(number: int) -> bool:
    """True if this process's effective set holds the capability."""
    status = parse_status(Path("/proc/self/status").read_text(encoding="ascii"))
    return bool(int(status["CapEff"], 16) >> number & 1)


def hierarchies() -> list[Path]:
    """The roots of all cgroup hierarchies in view."""
    if is_pure_v2():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists()]


def controller_directory(controller: str) -> Path | None:
    """The root of the hierarchy that has the controller, or None."""
    if (CGROUPS / controller / "cgroup.procs").exists():
        return CGROUPS / controller
    listed = CGROUPS / "cgroup.controllers"
    if listed.exists() and controller in listed.read_text(encoding="ascii").split():
        return CGROUPS
    return None


def can_make_veth() -> bool:
    """True if ip(8) is there and the kernel has veth; tried in our own network namespace."""
    ip = shutil.which("ip")
    if ip is None:
        return False
    add = [ip, "link", "add", "pyoci-t0", "type", "veth", "peer", "name", "pyoci-t1"]
    if subprocess.run(add, capture_output=True, check=False, timeout=10).returncode:
        return False
    subprocess.run([ip, "link", "del", "pyoci-t0"], check=True, timeout=10)
    return True


NEEDS: dict[str, tuple[str, Callable[[], bool]]] = {
    "cap_sys_resource": ("CAP_SYS_RESOURCE is missing", lambda: has_capability(CAP_SYS_RESOURCE)),
    "cgroup_v2": ("no pure cgroup v2 in view", is_pure_v2),
    "pids": ("no pids controller in view", lambda: controller_directory("pids") is not None),
    "memory": ("no memory controller in view", lambda: controller_directory("memory") is not None),
    "cpu": ("no cpu controller in view", lambda: controller_directory("cpu") is not None),
    "cpuset": ("no cpuset controller in view", lambda: controller_directory("cpuset") is not None),
    "hugetlb": (
        "no hugetlb controller in view",
        lambda: controller_directory("hugetlb") is not None,
    ),
    "missing_controller": (
        "no cgroup v2 view that lacks a controller",
        lambda: is_pure_v2() and controller_directory("rdma") is None,
    ),
    "no_resctrl": (
        "resctrl is mounted",
        lambda: all(m.kind != "resctrl" for m in own_mounts()),
    ),
    "numa": ("the kernel has no NUMA policy", lambda: Path("/proc/self/numa_maps").exists()),
    "time_namespace": ("no time namespaces", lambda: Path("/proc/self/ns/time").exists()),
    "veth": ("ip(8) or the kernel's veth is missing", can_make_veth),
    "selinux": ("no SELinux", lambda: Path("/sys/fs/selinux/enforce").exists()),
    "apparmor": ("no AppArmor", lambda: Path("/sys/module/apparmor").exists()),
}


class Machine:
    """Answers whether this machine has what a statement needs; asks each question once."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._answers: dict[str, bool] = {}

    def lacks(self, needs: tuple[str, ...]) -> str | None:
        """The reason to skip, or None."""
        for need in needs:
            reason, question = NEEDS[need]
            if need not in self._answers:
                self._answers[need] = question()
            if not self._answers[need]:
                return reason
        return None


def own_mounts() -> list[Mount]:
    """The mount table of this process."""
    return parse_mountinfo(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))


def cgroups_named(token: str) -> list[Path]:
    """Every cgroup directory, deepest first, that has `token` in its path."""
    found = []
    for root in hierarchies():
        for path, _, _ in os.walk(root, topdown=False):
            if token in path:
                found.append(Path(path))
    return found


def reap() -> bool:
    """Reaps what has died; True if no child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def children() -> list[int]:
    """The living children of this process."""
    me = os.getpid()
    path = Path(f"/proc/{me}/task/{me}/children")
    return [int(word) for word in path.read_text(encoding="ascii").split()]


def leftovers(token: str, directory: Path, state_root: Path) -> list[str]:
    """What still exists of the containers whose names hold `token`, in words."""
    found = [] if poll_until(reap, 2.0) else [f"process {pid}" for pid in children()]
    found += [f"mount {m.point}" for m in own_mounts() if m.point.startswith(f"{directory}/")]
    found += [f"cgroup {path}" for path in cgroups_named(token)]
    if state_root.exists():
        found += [f"state {path.name}" for path in state_root.iterdir()]
    return found


def scrub(token: str, directory: Path, state_root: Path) -> None:
    """Removes by force what `leftovers` found, so that one statement cannot spoil the next."""
    for path in cgroups_named(token):
        for word in (path / "cgroup.procs").read_text(encoding="ascii").split():
            os.kill(int(word), signal.SIGKILL)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    poll_until(reap, 5.0)
    for mounted in reversed(own_mounts()):
        if mounted.point.startswith(f"{directory}/"):
            kernel.umount(mounted.point)
    for path in cgroups_named(token):
        poll_until(lambda path=path: remove_cgroup(path), 2.0)  # type: ignore[misc]
    shutil.rmtree(state_root, ignore_errors=True)


def remove_cgroup(path: Path) -> bool:
    """True once the directory is gone; the kernel may be busy with it for a moment."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def remove_cgroup_if_there(path: Path) -> bool:
    """Removes an empty cgroup; False if it was gone before."""
    there = path.exists()
    remove_cgroup(path)
    return there
