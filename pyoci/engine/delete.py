"""delete: whatever create left on the host goes, step by step; a second one finishes a first."""

from __future__ import annotations

import posix

from pyoci.cgroup import manager
from pyoci.engine.containers import Container
from pyoci.engine.waits import pause
from pyoci.errors import ContainerNotFound, PyociError, StateError
from pyoci.linux.pidfd import open_process, pidfd_send_signal, poll_exit
from pyoci.state import store
from pyoci.state.lifecycle import PAUSED, STOPPED, check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyoci.state.store import ContainerState

_SIGKILL, _KILL_TIMEOUT_MS = 9, 10_000


def delete(root: str, container_id: str, *, force: bool, log: Callable[[str, str], None]) -> None:
    """Delete a stopped or created container; with `force` one in any status, or none at all.

    ContainerNotFound without `force`; StateError for one that runs. A poststop
    hook that fails is only logged (runtime.md, "Lifecycle").
    """
    try:
        container = Container(root, container_id)
    except ContainerNotFound:
        if force:
            return
        raise
    with container:
        try:
            container.lock()
        except ContainerNotFound:
            if force:
                return
            raise
        _delete_locked(container, force=force, log=log)


def _delete_locked(container: Container, *, force: bool, log: Callable[[str, str], None]) -> None:
    try:
        state = container.read_state()
    except StateError as error:
        _delete_damaged(container, error, force=force)
        return
    status = container.read_status(state)
    check_operation("delete --force" if force else "delete", status, container.container_id)
    hooks = _read_poststop(container)
    if status != STOPPED:
        kill_init(state, frozen=status == PAUSED)
    remove(container.root, container.dir_fd, state)
    if hooks:
        run_poststop(state, hooks, log)


def _delete_damaged(container: Container, error: StateError, *, force: bool) -> None:
    """Without a readable state nothing of it is trusted: only the directory is ours for sure."""
    if not force and posix.listdir(container.dir_fd):
        raise error
    store.remove_directory(container.root, container.container_id, container.dir_fd)
    if not force:
        raise ContainerNotFound(container.container_id)


def kill_init(state: ContainerState, *, frozen: bool) -> None:
    """SIGKILL init and wait for its end, by pidfd; StateError if it is still there after 10 s."""
    try:
        pidfd = open_process(state.pid, state.start_time)
    except ProcessLookupError:
        return
    try:
        pidfd_send_signal(pidfd, _SIGKILL)
        if frozen:
            manager.thaw(state.cgroup_path)
        if not poll_exit(pidfd, _KILL_TIMEOUT_MS):
            message = f"container {state.container_id}: init (pid {state.pid}) does not end"
            raise StateError(message, f"look at /proc/{state.pid}/stack for what it waits for")
    finally:
        posix.close(pidfd)


def remove(root: str, dir_fd: int, state: ContainerState) -> None:
    """Remove the cgroup with all that is left in it, then the state directory."""
    if state.cgroup_path:
        # A create that ended before it had a process may have met a cgroup of somebody else.
        ours = state.pid or state.cgroup_path in state.cgroups_made
        if ours and manager.is_populated(state.cgroup_path):
            manager.kill_all(state.cgroup_path, pause)
        manager.remove_cgroup(state.cgroup_path, state.cgroups_made, pause)
    store.remove_directory(root, state.container_id, dir_fd)


def _read_poststop(container: Container) -> list[Any]:
    """The poststop hooks of the config that the container was made with; none if it is damaged."""
    try:
        config = store.read_config(container.dir_fd, container.container_id)
    except StateError:
        return []
    hooks = config.get("hooks")
    found = hooks.get("poststop") if isinstance(hooks, dict) else None
    return found if isinstance(found, list) else []


def run_poststop(state: ContainerState, hooks: list[Any], log: Callable[[str, str], None]) -> None:
    """Run the poststop hooks, all of them; failures are logged."""
    from pyoci.engine.hooks import run_hooks, state_of_container
    from pyoci.spec.parse import parse_hook

    described = state_of_container(
        state.oci_version, state.container_id, STOPPED, 0, state.bundle, state.annotations
    )
    for hook in hooks:
        try:
            run_hooks("poststop", (parse_hook(hook),), described)
        except PyociError as error:
            log("warning", error.message)
