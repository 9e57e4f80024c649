"""``pyoci delete``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.engine import delete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Remove the container; with --force, one that runs or does not exist, too."""
    delete.delete(call.root, call.container_id(), force=call.flag("force"), log=call.log)
    return Answer()
