"""A container that exists: its state directory opened, its state read, its status derived."""

from __future__ import annotations

import posix

from pyoci.cgroup.manager import is_frozen
from pyoci.errors import StateError
from pyoci.linux.pidfd import is_running
from pyoci.record import replace
from pyoci.state import store
from pyoci.state.lifecycle import derive_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


# What comes of an object that has not the members, or members not the types, that it should have.
UNTYPED_ERRORS = (AttributeError, KeyError, TypeError, ValueError)


def cgroup_of(state: store.ContainerState) -> str:
    """The path of the container's cgroup; StateError for one that has none."""
    if state.cgroup_path:
        return state.cgroup_path
    raise StateError(
        f"container {state.container_id} has no cgroup, which this takes",
        "create it in a cgroup that is delegated to the user (cgroups(7), Delegation)",
    )


def has_own_cgroup(state: store.ContainerState) -> bool:
    """Whether the cgroup is the one that systemd has made for this container.

    It goes when the unit ends, and another unit may then have its name.
    """
    try:
        return posix.stat(state.cgroup_path).st_ino == state.unit_inode
    except OSError:  # ENOENT
        return False


class Container:
    """An open state directory; close it, or use it as a context manager."""

    def __init__(self, root: str, container_id: str) -> None:
        """Open the container's state directory; ContainerNotFound if there is none."""
        self.root = root
        self.container_id = container_id
        self.dir_fd = store.open_directory(root, container_id)

    def __enter__(self) -> Self:
        """The container itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the directory, which gives the lock back too."""
        self.close()

    def close(self) -> None:
        """Close the state directory."""
        if self.dir_fd >= 0:
            posix.close(self.dir_fd)
            self.dir_fd = -1

    def lock(self) -> None:
        """Keep others from changing the container until `unlock` or `close`."""
        store.lock(self.dir_fd, self.container_id)

    def unlock(self) -> None:
        """Give the lock back."""
        store.unlock(self.dir_fd)

    def read_state(self) -> store.ContainerState:
        """The stored state; StateError if it is damaged.

        Without the path of a cgroup that is not the container's, or not any more.
        """
        state = store.read_state(self.dir_fd, self.container_id)
        if state.unit and not has_own_cgroup(state):
            return replace(state, cgroup_path="")
        return state

    def write_state(self, state: store.ContainerState) -> None:
        """Replace the stored state; the container must be locked."""
        store.write_state(self.dir_fd, state)

    def blame(self, config: object, error: Exception) -> Exception:
        """What to raise for an error over the stored config: damage, if create never accepted it.

        It is not checked beforehand, which would cost more than all else that is done with it.
        """
        from pyoci.spec.accept import accept

        # Half of a surrogate pair is nothing that create lets in, either (spec/document.py).
        if accept(config) and not isinstance(error, UnicodeError):
            return error
        reason = f"{store.CONFIG}: {type(error).__name__}: {error}"
        return store.damaged(self.container_id, reason)

    def read_status(self, state: store.ContainerState) -> str:
        """The status, from what is true now."""
        alive = is_running(state.pid, state.start_time)
        return derive_status(
            init_alive=alive,
            creator_alive=is_running(state.creator_pid, state.creator_start_time),
            being_created=state.being_created,
            frozen=alive and state.cgroup_path != "" and is_frozen(state.cgroup_path),
            waiting=alive and self._init_waits(),
        )

    def _init_waits(self) -> bool:
        fifo_fd = store.open_fifo(self.dir_fd)
        if fifo_fd is None:
            return False
        posix.close(fifo_fd)
        return True
