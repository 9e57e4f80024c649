"""kill: a signal to init, or to everything in the container."""

from __future__ import annotations

import posix

from pyoci.cgroup import manager
from pyoci.engine.containers import Container
from pyoci.engine.waits import pause
from pyoci.errors import StateError
from pyoci.linux.pidfd import open_pidfd, open_process, pidfd_send_signal
from pyoci.state.lifecycle import PAUSED, STOPPED, check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.state.store import ContainerState

_SIGKILL = 9
# A container that forks without end is not waited for; descriptors have a limit, too.
_MAX_ROUNDS, _MAX_PINNED = 100, 200


def kill(root: str, container_id: str, parse_signal: Callable[[], int], *, everyone: bool) -> None:
    """Send the signal; the container is looked for before the signal is looked at.

    StateError `container not running` for a stopped one, but with `everyone`,
    where there is just nobody left to kill.
    """
    with Container(root, container_id) as container:
        state = container.read_state()
        number = parse_signal()
        status = container.read_status(state)
        if everyone and status == STOPPED:
            _kill_cgroup(state, number)
            return
        check_operation("kill", status, container_id)
        # Without a pid namespace of its own, the end of init would end nobody else.
        if everyone or (number == _SIGKILL and not state.own_pid_namespace):
            _kill_cgroup(state, number)
        else:
            _signal_init(state, number)
        if number == _SIGKILL and status == PAUSED:
            manager.thaw(state.cgroup_path)


def _signal_init(state: ContainerState, number: int) -> None:
    try:
        pidfd = open_process(state.pid, state.start_time)
        try:
            pidfd_send_signal(pidfd, number)
        finally:
            posix.close(pidfd)
    except ProcessLookupError:
        raise StateError("container not running") from None


def _kill_cgroup(state: ContainerState, number: int) -> None:
    if not state.cgroup_path:
        _kill_processes(state, number)
        return
    if number == _SIGKILL:
        manager.kill_all(state.cgroup_path, pause)
        return
    _signal_all(state.cgroup_path, number)


def _signal_all(cgroup: str, number: int) -> None:
    """Signal every process of the cgroup once, also those that are forked meanwhile.

    Each is pinned and then looked for again before it is signalled: its number may have become
    another's who is none of the container's.
    """
    signalled: set[int] = set()
    for _ in range(_MAX_ROUNDS):
        pinned = _pin(set(manager.read_processes(cgroup, deep=True)) - signalled)
        if not pinned:
            return
        try:
            members = set(manager.read_processes(cgroup, deep=True))
            for pid in pinned.keys() & members:
                _send(pinned[pid], number)
        finally:
            for pidfd in pinned.values():
                posix.close(pidfd)
        signalled |= pinned.keys()


def _pin(pids: set[int]) -> dict[int, int]:
    pinned = {}
    for pid in sorted(pids)[:_MAX_PINNED]:
        try:
            pinned[pid] = open_pidfd(pid)
        except ProcessLookupError:  # gone; or a pid of another namespace
            continue
    return pinned


def _send(pidfd: int, number: int) -> None:
    try:
        pidfd_send_signal(pidfd, number)
    except ProcessLookupError:  # it has ended
        return


def _kill_processes(state: ContainerState, number: int) -> None:
    """The same without a cgroup."""
    from pyoci.engine.processes import kill_processes, signal_processes

    if number == _SIGKILL:
        kill_processes(state)
    else:
        signal_processes(state, number)
