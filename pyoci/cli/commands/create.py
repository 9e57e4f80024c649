"""``pyoci create``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.request import create_request
from pyoci.engine import create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Make the container; nothing is printed, because stdout is the container's."""
    create.create(create_request(call), call.log)
    return Answer()
