"""Ending a container for good: its init, what is left in its cgroup, its state, the poststop hooks.

Each part may be gone already: another delete, or one that was killed half-way, has done it.
"""

from __future__ import annotations

import posix

from pyoci.cgroup import manager
from pyoci.engine.waits import pause
from pyoci.errors import ContainerNotFound, PyociError, StateError
from pyoci.linux.pidfd import open_process, pidfd_send_signal, poll_exit
from pyoci.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyoci.engine.debug import Log
    from pyoci.spec.model import Hook
    from pyoci.state.store import ContainerState

_SIGKILL, _KILL_TIMEOUT_MS = 9, 10_000


def kill_init(state: ContainerState, *, frozen: bool) -> None:
    """SIGKILL init and wait for its end, by pidfd; StateError if it is still there after 10 s."""
    try:
        pidfd = open_process(state.pid, state.start_time)
    except ProcessLookupError:
        return
    try:
        if not state.cgroup_path and not state.own_pid_namespace:
            from pyoci.engine.processes import signal_processes

            signal_processes(state, _SIGKILL)  # nothing else will end them, or find them
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
    if state.unit:
        from pyoci.engine.unit import remove_unit

        remove_unit(state)
    # A create that ended before it had a process may have met a cgroup of somebody else.
    elif state.cgroup_path and (state.pid or state.cgroup_path in state.cgroups_made):
        if manager.is_populated(state.cgroup_path):
            manager.kill_all(state.cgroup_path, pause)
        manager.remove_cgroup(state.cgroup_path, state.cgroups_made, pause)
    manager.remove_made(state.cgroups_made)
    store.remove_directory(root, state.container_id, dir_fd)


def destroy(
    root: str, dir_fd: int, state: ContainerState, poststop: tuple[Hook, ...], log: Log
) -> None:
    """End a container that we have started: kill, remove, run the poststop hooks.

    Nothing if somebody else has deleted it meanwhile.
    """
    try:
        store.lock(dir_fd, state.container_id)
    except ContainerNotFound:
        return
    kill_init(state, frozen=False)
    remove(root, dir_fd, state)
    store.unlock(dir_fd)
    run_poststop(state, poststop, log)


def read_hooks(dir_fd: int, container_id: str, kind: str) -> tuple[Hook, ...]:
    """Hooks of one kind in the config that the container was made with; none if it is damaged."""
    try:
        config = store.read_config(dir_fd, container_id)
    except StateError:
        return ()
    hooks = config.get("hooks")
    found: Any = hooks.get(kind) if isinstance(hooks, dict) else None
    if not found:
        return ()
    from pyoci.spec.accept import accept
    from pyoci.spec.parse import parse_hook

    if not accept({"ociVersion": "1.0.0", "root": {"path": "/"}, "hooks": {kind: found}}):
        return ()
    return tuple([parse_hook(hook) for hook in found])


def run_poststop(state: ContainerState, hooks: tuple[Hook, ...], log: Log) -> None:
    """Run the poststop hooks, all of them; failures are only logged (runtime.md, "Lifecycle")."""
    if not hooks:
        return
    from pyoci.engine.hooks import enter_bundle, run_hooks, state_of_container

    described = state_of_container(
        state.oci_version, state.container_id, "stopped", 0, state.bundle, state.annotations
    )
    enter_bundle(state.bundle)
    for hook in hooks:
        try:
            run_hooks("poststop", (hook,), described)
        except PyociError as error:
            log("warning", error.message)
