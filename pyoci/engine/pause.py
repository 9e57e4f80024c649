"""pause and resume: all processes of a container stand still, and go on."""

from __future__ import annotations

from pyoci.cgroup import freezer
from pyoci.engine.containers import Container, cgroup_of
from pyoci.state.lifecycle import check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def pause(root: str, container_id: str) -> None:
    """Freeze a container that runs or is created; returns once it stands still.

    StateError for any other status, and if it does not come to a stop.
    """
    _change("pause", root, container_id, freezer.freeze)


def resume(root: str, container_id: str) -> None:
    """Let a paused container go on; StateError for one that is not paused."""
    _change("resume", root, container_id, freezer.unfreeze)


def _change(operation: str, root: str, container_id: str, act: Callable[[str], None]) -> None:
    with Container(root, container_id) as container:
        container.lock()
        state = container.read_state()
        check_operation(operation, container.read_status(state), container_id)
        act(cgroup_of(state))
