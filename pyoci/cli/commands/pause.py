"""``pyoci pause``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.engine import pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Returns once all processes stand still."""
    pause.pause(call.root, call.container_id())
    return Answer()
