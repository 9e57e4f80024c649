"""delete: whatever create left on the host goes, step by step; a second one finishes a first."""

from __future__ import annotations

import posix

from pyoci.cgroup import manager
from pyoci.engine.containers import Container
from pyoci.engine.remove import kill_init, read_hooks, remove, run_poststop
from pyoci.engine.waits import pause
from pyoci.errors import ContainerNotFound, StateError
from pyoci.state import store
from pyoci.state.lifecycle import PAUSED, STOPPED, check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.debug import Log


def delete(root: str, container_id: str, *, force: bool, log: Log) -> None:
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


def _delete_locked(container: Container, *, force: bool, log: Log) -> None:
    try:
        state = container.read_state()
    except StateError as error:
        _delete_damaged(container, error, force=force)
        return
    status = container.read_status(state)
    check_operation("delete --force" if force else "delete", status, container.container_id)
    hooks = read_hooks(container.dir_fd, container.container_id, "poststop")
    if status != STOPPED:
        kill_init(state, frozen=status == PAUSED)
    remove(container.root, container.dir_fd, state)
    container.unlock()  # whoever waits for it finds that the container is gone
    run_poststop(state, hooks, log)


def _delete_damaged(container: Container, error: StateError, *, force: bool) -> None:
    """Without a readable state no pid is trusted: only the directory is ours for sure, and the
    cgroups that create has said it would make, beside the config.
    """
    if not force and posix.listdir(container.dir_fd):
        raise error
    made = read_cgroups_made(container.dir_fd, container.container_id)
    if made:
        manager.kill_all(made[-1], pause)
        manager.remove_cgroup(made[-1], made, pause)
    store.remove_directory(container.root, container.container_id, container.dir_fd)
    if not force:
        raise ContainerNotFound(container.container_id)


def read_cgroups_made(dir_fd: int, container_id: str) -> tuple[str, ...]:
    """What the stored config says of the cgroups that were made; nothing if it is damaged, too."""
    try:
        own = store.read_config(dir_fd, container_id).get("pyoci")
    except StateError:
        return ()
    made = own.get("cgroups_made") if isinstance(own, dict) else None
    if not isinstance(made, list) or not all(isinstance(path, str) for path in made):
        return ()
    return tuple(made) if all(store.is_cgroup_path(path) for path in made) else ()
