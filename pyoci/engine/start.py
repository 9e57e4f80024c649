"""start: tell the waiting init to become the program, and learn whether it did."""

from __future__ import annotations

import posix
from select import POLLERR, poll

from pyoci.engine import sync
from pyoci.engine.containers import Container
from pyoci.engine.remove import destroy, read_hooks
from pyoci.errors import PyociError, StateError
from pyoci.linux.pidfd import open_process
from pyoci.state import store
from pyoci.state.lifecycle import check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.debug import Log
    from pyoci.engine.notify import Proxy
    from pyoci.engine.sync import Failure
    from pyoci.state.store import ContainerState


def start(root: str, container_id: str, log: Log, notify_socket: str = "") -> None:
    """Start a created container; returns once execve has happened and poststart hooks have run.

    With a service manager's socket it returns once the program has said that it is ready.

    StateError if it is not created, or another start was faster. StepError with
    init's own words if execve fails: the container is stopped then; or if a
    startContainer or poststart hook fails: it is gone then (runtime.md,
    "Lifecycle", steps 7 and 9).
    """
    with Container(root, container_id) as container:
        container.lock()
        state = container.read_state()
        check_operation("start", container.read_status(state), container_id)
        proxy = _open_proxy(container, notify_socket, log)
        _tell_init(container, state)
        failure = _read_failure(container)
        if failure is None:
            run_poststart(container, state, log)
            if proxy is not None:
                _await_ready(proxy, state)
        elif failure.step == sync.NOTHING_TO_START:
            # The specification has start fail; runtime-tools' program for it has it exit with 0.
            log("error", f"start {container_id}: {failure.detail}")
        else:
            if failure.step == sync.START_HOOK:
                _destroy(container, state, log)
            from pyoci.engine.failures import start_error

            raise start_error(failure)


def _open_proxy(container: Container, notify_socket: str, log: Log) -> Proxy | None:
    if not notify_socket:
        return None
    from pyoci.engine.notify import open_proxy

    return open_proxy(container.dir_fd, notify_socket, log)


def _await_ready(proxy: Proxy, state: ContainerState) -> None:
    try:
        pidfd = open_process(state.pid, state.start_time)
    except ProcessLookupError:  # it has ended already
        proxy.finish()
        return
    proxy.await_ready(state.pid, pidfd)
    posix.close(pidfd)
    proxy.close()


def _tell_init(container: Container, state: ContainerState) -> None:
    """Write to the FIFO, give the lock back, and wait until init is the program, or dead."""
    fifo_fd = store.open_fifo(container.dir_fd)
    if fifo_fd is None:  # init died between the two looks
        check_operation("start", container.read_status(state), container.container_id)
        raise StateError("cannot start a container whose init does not wait")
    pidfd = _open_init(state)
    try:
        posix.write(fifo_fd, b"s")
        posix.unlink(store.FIFO, dir_fd=container.dir_fd)
        container.unlock()  # hooks may run for long, and may look at the container
        _await_exec(fifo_fd, pidfd)
    except BrokenPipeError:  # init, the only reader, has just ended
        raise StateError("cannot start a container that has stopped") from None
    finally:
        posix.close(fifo_fd)
        posix.close(pidfd)


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


def _read_failure(container: Container) -> Failure | None:
    """Why init failed, if it left word of that."""
    try:
        raw = store.read_file(container.dir_fd, store.RESULT)
    except FileNotFoundError:
        return None
    return sync.decode_failure(raw) if raw else None


def _destroy(container: Container, state: ContainerState, log: Log) -> None:
    poststop = read_hooks(container.dir_fd, container.container_id, "poststop")
    destroy(container.root, container.dir_fd, state, poststop, log)


def run_poststart(container: Container, state: ContainerState, log: Log) -> None:
    """Run the poststart hooks; if one fails the container ends (runtime.md, "Lifecycle")."""
    hooks = read_hooks(container.dir_fd, container.container_id, "poststart")
    if not hooks:
        return
    from pyoci.engine.hooks import enter_bundle, run_hooks, state_of_container

    described = state_of_container(
        state.oci_version,
        state.container_id,
        "running",
        state.pid,
        state.bundle,
        state.annotations,
    )
    enter_bundle(state.bundle)
    try:
        run_hooks("poststart", hooks, described)
    except PyociError:
        _destroy(container, state, log)
        raise
