"""start: tell the waiting init to become the program, and learn whether it did."""

from __future__ import annotations

import posix
from select import POLLERR, poll

from pyoci.engine.containers import Container
from pyoci.errors import PyociError, StateError
from pyoci.linux.pidfd import open_process
from pyoci.state import store
from pyoci.state.lifecycle import check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.state.store import ContainerState


def start(root: str, container_id: str, log: Callable[[str, str], None]) -> None:
    """Start a created container; returns once execve has happened and poststart hooks have run.

    StateError if it is not created, or another start was faster. PyociError
    with init's own words if a startContainer hook or execve fails; the
    container is stopped then.
    """
    with Container(root, container_id) as container:
        container.lock()
        state = container.read_state()
        check_operation("start", container.read_status(state), container_id)
        fifo_fd = store.open_fifo(container.dir_fd)
        if fifo_fd is None:  # init died between the two looks
            check_operation("start", container.read_status(state), container_id)
            raise StateError("cannot start a container whose init does not wait")
        pidfd = _open_init(state)
        try:
            posix.write(fifo_fd, b"s")
            posix.unlink(store.FIFO, dir_fd=container.dir_fd)
            container.unlock()  # hooks may run for long, and may look at the container
            _await_exec(fifo_fd, pidfd)
        finally:
            posix.close(fifo_fd)
            posix.close(pidfd)
        _check_result(container)
        run_poststart(container, state, log)


def _open_init(state: ContainerState) -> int:
    try:
        return open_process(state.pid, state.start_time)
    except ProcessLookupError:
        raise StateError("cannot start a container that has stopped") from None


def _await_exec(fifo_fd: int, pidfd: int) -> None:
    """Wait until nobody reads the FIFO any more: init's descriptor went with execve, or with init.

    The end of init is waited for as well: a child of it may hold the descriptor.
    """
    poller = poll()
    poller.register(fifo_fd, POLLERR)
    poller.register(pidfd)
    poller.poll()


def _check_result(container: Container) -> None:
    """StateError if init left word that it failed."""
    try:
        raw = store.read_file(container.dir_fd, store.RESULT)
    except FileNotFoundError:
        return
    if not raw:
        return
    from pyoci.engine.failures import start_error

    raise start_error(raw)


def run_poststart(
    container: Container, state: ContainerState, log: Callable[[str, str], None]
) -> None:
    """Run the poststart hooks; if one fails the container is stopped (runtime.md, "Lifecycle")."""
    try:
        config = store.read_config(container.dir_fd, container.container_id)
    except StateError:  # deleted meanwhile: it has stopped, and its hooks with it
        return
    hooks = (config.get("hooks") or {}).get("poststart")
    if not hooks:
        return
    from pyoci.engine.delete import kill_init
    from pyoci.engine.hooks import run_hooks, state_of_container
    from pyoci.spec.parse import parse_hook

    described = state_of_container(
        state.oci_version,
        state.container_id,
        "running",
        state.pid,
        state.bundle,
        state.annotations,
    )
    try:
        run_hooks("poststart", tuple([parse_hook(hook) for hook in hooks]), described)
    except PyociError as error:
        log("debug", f"container {state.container_id} is stopped: {error.message}")
        kill_init(state, frozen=False)
        raise
