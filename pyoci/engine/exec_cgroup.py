"""The cgroup of exec's process, where it is not just the one that create has made."""

from __future__ import annotations

import errno
import posix

from pyoci.cgroup import manager
from pyoci.errors import StateError, StepError, describe_oserror
from pyoci.host.rootless import is_ordinary_user
from pyoci.linux.pidfd import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.exec import ExecPlan
    from pyoci.state.store import ContainerState


def open_entry(state: ContainerState, inner: str) -> int:
    """How a process gets into a cgroup that others may have killed: see manager.open_entry.

    `inner` is the path below the container's cgroup; StepError if it is not there. -1 where
    systemd is to move the process: a user cannot from a cgroup outside of his own.
    """
    if state.unit and is_ordinary_user():
        return -1
    path = state.cgroup_path
    try:
        # With controllers for those below it, it has no processes (cgroups(7)).
        if not inner and read_kernel_file(f"{path}/cgroup.subtree_control").strip():
            path = find_cgroup_of_init(state)
        return manager.open_entry(path + inner)
    except OSError as error:
        raise StepError(
            "main", "open the cgroup", describe_oserror(error), error.errno or 0
        ) from None


def clone_elsewhere(state: ContainerState, plan: ExecPlan, error: OSError) -> tuple[int, int]:
    """As clone3, after it has failed with this error in the container's cgroup.

    The error itself if nothing is to be done about it, StepError, StateError.
    """
    if plan.cgroup:
        raise error
    if error.errno == errno.EACCES and posix.geteuid() != 0:
        return _clone_outside(plan)
    # EBUSY: the container has handed its controllers on, and lives further down itself.
    if error.errno != errno.EBUSY:
        raise error
    return _clone_below(find_cgroup_of_init(state))


def _clone_below(path: str) -> tuple[int, int]:
    from pyoci.linux.clone import clone3

    lower_fd = manager.open_cgroup(path)
    try:
        return clone3(0, lower_fd)
    finally:
        posix.close(lower_fd)


def _clone_outside(plan: ExecPlan) -> tuple[int, int]:
    """For an ordinary user in a session outside of what is delegated to him."""
    if plan.has_limits:
        detail = "EACCES: the container has limits, but its cgroup takes nobody from ours"
        hint = "call pyoci from a cgroup below the delegated one, as for the create"
        raise StepError("main", "make the process", detail, errno.EACCES, hint=hint)
    from pyoci.linux.clone import clone3

    return clone3(0)


def find_cgroup_of_init(state: ContainerState) -> str:
    """The directory of the cgroup that init is in by now; StateError if it is not ours."""
    from pyoci.host.cgroupfs import find_cgroup_mount, read_cgroup_of
    from pyoci.paths import is_below

    path = f"{find_cgroup_mount()}{read_cgroup_of(str(state.pid))}".rstrip("/")
    if not is_below(path, state.cgroup_path) or "/.." in path:
        raise StateError(f"init has left the container's cgroup for {path}")
    return path
