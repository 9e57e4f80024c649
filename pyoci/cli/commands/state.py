"""``pyoci state``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.engine import query
from pyoci.jsonio import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """The state as JSON, without a newline at its end, as runc prints it."""
    return Answer(text=dumps(query.read_state(call.root, call.container_id()), indent="  "))
