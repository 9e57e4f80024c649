"""The processes of a container without a cgroup: found in /proc by its pid namespace.

One without either is not known but by its parents: what outlives init is lost from sight.
"""

from __future__ import annotations

import posix

from pyoci.linux.pidfd import (
    is_running,
    open_pidfd,
    open_process,
    pidfd_send_signal,
    poll_exit,
    read_kernel_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.state.store import ContainerState

_SIGKILL, _PATIENCE_MS = 9, 5000
_MAX_PINNED = 256


def read_processes(state: ContainerState) -> list[int]:
    """The pids of init, of its descendants, and of all in its pid namespace; none without init."""
    if not is_running(state.pid, state.start_time):
        return []
    parents = _read_parents()
    found = {state.pid}
    if state.own_pid_namespace and (namespace := _pid_namespace(state.pid)):
        found |= {pid for pid in parents if _pid_namespace(pid) == namespace}
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found}
        grown = not children <= found
        found |= children
    return sorted(found)


def signal_processes(state: ContainerState, number: int) -> None:
    """Send the signal to all of them; init last, for with it the others may get out of sight.

    Each is pinned and then looked for again: its number may have become another's.
    """
    others = [pid for pid in read_processes(state) if pid != state.pid]
    for start in range(0, len(others), _MAX_PINNED):
        _signal(state, others[start : start + _MAX_PINNED], number)
    _signal(state, [state.pid], number)


def _signal(state: ContainerState, pids: list[int], number: int) -> None:
    pinned: dict[int, int] = {}
    try:
        for pid in pids:
            try:
                pinned[pid] = open_pidfd(pid)
            except ProcessLookupError:
                continue
        for pid in pinned.keys() & set(read_processes(state)):
            try:
                pidfd_send_signal(pinned[pid], number)
            except ProcessLookupError:
                continue
    finally:
        for pidfd in pinned.values():
            posix.close(pidfd)


def kill_processes(state: ContainerState) -> None:
    """SIGKILL all of them, and wait (at most 5 s) for the end of init."""
    try:
        pidfd = open_process(state.pid, state.start_time)
    except ProcessLookupError:
        return
    try:
        signal_processes(state, _SIGKILL)
        poll_exit(pidfd, _PATIENCE_MS)
    finally:
        posix.close(pidfd)


def _read_parents() -> dict[int, int]:
    """The parent of every process (proc(5) stat 4)."""
    parents: dict[int, int] = {}
    for name in posix.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = read_kernel_file(f"/proc/{name}/stat")
        except OSError:  # ENOENT, ESRCH: gone
            continue
        parents[int(name)] = int(stat[stat.rindex(b")") + 2 :].split()[1])
    return parents


def _pid_namespace(pid: int) -> str:
    """Its pid namespace; empty if we may not know, which is for others than our own container's."""
    try:
        return posix.readlink(f"/proc/{pid}/ns/pid")
    except OSError:  # EACCES; ENOENT, ESRCH: gone
        return ""
