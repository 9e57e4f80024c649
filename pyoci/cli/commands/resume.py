"""``pyoci resume``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.engine import pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Returns once the processes may go on."""
    pause.resume(call.root, call.container_id())
    return Answer()
