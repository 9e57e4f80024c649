"""``pyoci wait``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.engine.wait import wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """The exit status as a number on a line; ours is about the waiting."""
    return Answer(text=f"{wait(call.root, call.container_id())}\n")
