"""events: what a container uses, now and again, and when the kernel kills in it for memory."""

from __future__ import annotations

import posix
from select import POLLIN, POLLPRI, poll
from time import monotonic_ns

from pyoci.cgroup.stats import parse_flat, read_stats
from pyoci.engine.containers import Container, cgroup_of
from pyoci.errors import StateError
from pyoci.linux.pidfd import open_process
from pyoci.state.lifecycle import check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyoci.state.store import ContainerState

_NS_PER_MS = 1_000_000
_LONGEST_POLL_MS = 1 << 30  # poll(2) takes an int; a wait that is cut short goes on


def read_sample(root: str, container_id: str) -> dict[str, object]:
    """One stats event of a container that is not stopped; StateError else."""
    return _describe(_read_live(root, container_id))


def watch(root: str, container_id: str, interval_ns: int) -> Iterator[dict[str, object]]:
    """A stats event each interval, the first after one, and an oom event for each rise of oom_kill.

    Ends with the container; StateError if it is stopped already.
    """
    state = _read_live(root, container_id)
    try:
        pidfd = open_process(state.pid, state.start_time)
    except ProcessLookupError:
        message = f"container with id {container_id} is not running"
        raise StateError(message) from None
    kills = _KillCounter(state.cgroup_path)
    try:
        yield from _follow(state, pidfd, kills, interval_ns)
    finally:
        kills.close()
        posix.close(pidfd)


def _read_live(root: str, container_id: str) -> ContainerState:
    with Container(root, container_id) as container:
        state = container.read_state()
        check_operation("events", container.read_status(state), container_id)
        cgroup_of(state)
        return state


def _follow(
    state: ContainerState, pidfd: int, kills: _KillCounter, interval_ns: int
) -> Iterator[dict[str, object]]:
    poller = poll()
    poller.register(pidfd, POLLIN)
    if kills.fd >= 0:
        poller.register(kills.fd, POLLPRI)
    due = monotonic_ns() + interval_ns
    while True:
        ready = [fd for fd, _ in poller.poll(_milliseconds_until(due))]
        # The kernel counts the kill before init's end can be seen: nothing is lost.
        if kills.has_risen():
            yield {"type": "oom", "id": state.container_id}
        if pidfd in ready:
            return
        if kills.is_gone and kills.fd in ready:
            poller.unregister(kills.fd)
        now = monotonic_ns()
        if now >= due:
            yield _describe(state)
            due = max(due + interval_ns, now)  # a slow reader gets fewer samples, not older ones


def _milliseconds_until(due_ns: int) -> int:
    left_ns = max(0, due_ns - monotonic_ns())
    return min(_LONGEST_POLL_MS, -(-left_ns // _NS_PER_MS))


def _describe(state: ContainerState) -> dict[str, object]:
    return {"type": "stats", "id": state.container_id, "data": read_stats(state.cgroup_path)}


class _KillCounter:
    """`oom_kill` of memory.events; a change of the file wakes a poll for POLLPRI on `fd`."""

    def __init__(self, path: str) -> None:
        """Open the file, if there is a memory controller, and remember the count."""
        self.is_gone = False
        try:
            self.fd = posix.open(f"{path}/memory.events", posix.O_RDONLY | posix.O_CLOEXEC)
        except FileNotFoundError:
            self.fd = -1
        self._count = self._read()

    def has_risen(self) -> bool:
        """Whether something has been killed since the last look."""
        before, self._count = self._count, self._read()
        return self._count > before

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            posix.close(self.fd)

    def _read(self) -> int:
        if self.fd < 0:
            return 0
        try:
            text = posix.pread(self.fd, 4096, 0).decode()
        except OSError:  # ENODEV: the cgroup is removed, the container at its end
            self.is_gone = True
            return 0
        return parse_flat(text).get("oom_kill", 0)
