"""Looking at containers: state, list, ps. Nothing is changed."""

from __future__ import annotations

import posix

from pyoci.cgroup.manager import read_processes as read_cgroup_processes
from pyoci.engine.containers import Container
from pyoci.errors import ContainerNotFound, PyociError, describe_oserror
from pyoci.state.lifecycle import STOPPED
from pyoci.state.store import list_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.state.store import ContainerState


def read_state(root: str, container_id: str) -> dict[str, object]:
    """The state of a container in the shape of `runc state`; ContainerNotFound."""
    with Container(root, container_id) as container:
        state = container.read_state()
        return _to_dict(state, container.read_status(state))


def _to_dict(state: ContainerState, status: str) -> dict[str, object]:
    members: dict[str, object] = {
        "ociVersion": state.oci_version,
        "id": state.container_id,
        "pid": 0 if status == STOPPED else state.pid,
        "status": status,
        "bundle": state.bundle,
        "rootfs": state.rootfs,
        "created": state.created,
    }
    if status == STOPPED and state.exit_status is not None:
        members["exitStatus"] = state.exit_status
    if state.annotations:
        members["annotations"] = dict(state.annotations)
    members["owner"] = ""
    return members


def read_list(root: str, *, must_exist: bool) -> tuple[list[dict[str, object]], list[str]]:
    """The states of all containers with their owners, and a line for each that cannot be read."""
    try:
        ids = list_ids(root)
    except FileNotFoundError:
        if must_exist:
            raise
        return [], []
    states: list[dict[str, object]] = []
    problems: list[str] = []
    for container_id in ids:
        try:
            state = read_state(root, container_id)
            state["owner"] = _owner(f"{root}/{container_id}")
        except (ContainerNotFound, FileNotFoundError):  # no directory, or deleted meanwhile
            continue
        except PyociError as error:
            problems.append(f"load container {container_id}: {error.message}")
        except OSError as error:
            problems.append(f"load container {container_id}: {describe_oserror(error)}")
        else:
            states.append(state)
    return states, problems


def _owner(path: str) -> str:
    from pwd import getpwuid

    uid = posix.stat(path).st_uid
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def read_processes(root: str, container_id: str) -> list[int]:
    """The pids of all processes in the container, as our pid namespace sees them."""
    with Container(root, container_id) as container:
        state = container.read_state()
        if state.cgroup_path:
            return read_cgroup_processes(state.cgroup_path, deep=True)
        from pyoci.engine import processes

        return processes.read_processes(state)
