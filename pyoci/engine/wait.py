"""wait: the exit status of a container, from whoever can know it.

init is the child of whoever started the container, and only a parent learns how a child ended.
Others have these ways: the kernel keeps the status for the holders of a pidfd (Linux 6.15), and
tells it of a process that nobody has reaped yet; a `run` in the foreground is the parent, and
leaves word in the state. Where none of these saw the end, nobody can tell, and that is said.
"""

from __future__ import annotations

import posix

from pyoci.engine.containers import Container
from pyoci.errors import ContainerNotFound, StateError
from pyoci.linux.pidfd import await_status, open_pidfd, open_process, poll_exit, read_process
from pyoci.record import replace
from pyoci.state.lifecycle import check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.state.store import ContainerState


def wait(root: str, container_id: str) -> int:
    """Come back when the container has ended; its exit status, 128 + signal if one ended it.

    It is kept: who asks again gets it again. StateError if nobody knows it (any more).
    """
    with Container(root, container_id) as container:
        state = container.read_state()
        if state.exit_status is not None:
            return state.exit_status
        check_operation("wait", container.read_status(state), container_id)
        status = _await_init(state)
        if status is None:
            return _ask_creator(container, state)
        keep_status(container, status)
        return status


def _await_init(state: ContainerState) -> int | None:
    """The status that the kernel tells once init has ended; None where it is too late for that."""
    try:
        pidfd = open_pidfd(state.pid)
    except (ProcessLookupError, ValueError, OverflowError):
        return None
    try:
        found = read_process(state.pid)
        if found is None or found[1] != state.start_time:
            return None
        return await_status(pidfd, state.pid)
    finally:
        posix.close(pidfd)


def _ask_creator(container: Container, state: ContainerState) -> int:
    """The status that a `run` in the foreground keeps when it ends; StateError if it does not."""
    try:
        pidfd = open_process(state.creator_pid, state.creator_start_time)
    except ProcessLookupError:
        pass
    else:
        poll_exit(pidfd, -1)
        posix.close(pidfd)
    try:
        kept = container.read_state().exit_status
    except ContainerNotFound:
        kept = None
    if kept is None:
        raise StateError(
            f"the exit status of container {container.container_id} is not known: it had ended,"
            " and its parent has reaped it",
            "call wait while the container runs, or run it in the foreground with --keep",
        )
    return kept


def keep_status(container: Container, status: int) -> None:
    """Write it into the state; nothing if the container is deleted by now."""
    try:
        container.lock()
        container.write_state(replace(container.read_state(), exit_status=status))
        container.unlock()
    except ContainerNotFound:
        return
