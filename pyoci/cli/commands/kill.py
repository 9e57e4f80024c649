"""``pyoci kill``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.signals import parse_signal
from pyoci.engine import kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Send the signal; the engine asks for its number once it has found the container."""
    word = call.arguments[1] if len(call.arguments) > 1 else "TERM"
    kill.kill(call.root, call.container_id(), lambda: parse_signal(word), everyone=call.flag("all"))
    return Answer()
