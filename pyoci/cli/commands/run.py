"""``pyoci run``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.request import create_request
from pyoci.engine import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Make and start the container; the program's exit status is ours."""
    return Answer(exit_code=run.run(create_request(call), call.log))
