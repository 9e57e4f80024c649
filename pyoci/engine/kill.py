"""kill: a signal to init, or to everything in the container."""

from __future__ import annotations

import posix

from pyoci.cgroup import manager
from pyoci.engine.containers import Container
from pyoci.engine.waits import pause
from pyoci.errors import StateError
from pyoci.linux.pidfd import open_process, pidfd_send_signal
from pyoci.state.lifecycle import PAUSED, STOPPED, check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.state.store import ContainerState

_SIGKILL = 9


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
        return
    if number == _SIGKILL:
        manager.kill_all(state.cgroup_path, pause)
        return
    for pid in manager.read_processes(state.cgroup_path, deep=True):
        try:
            posix.kill(pid, number)
        except ProcessLookupError:
            continue
