"""``pyoci start``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.paths import environment
from pyoci.engine import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Let the created container run its program."""
    start.start(call.root, call.container_id(), call.log, environment("NOTIFY_SOCKET"))
    return Answer()
