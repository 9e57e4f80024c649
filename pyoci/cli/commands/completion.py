"""``pyoci completion``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.completion import script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """The script of the shell that the argument names."""
    return Answer(text=script(call.arguments[0]))
