"""``pyoci events``: statistics and out-of-memory kills, one JSON object a line."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.durations import parse_duration
from pyoci.engine import events
from pyoci.errors import UsageError
from pyoci.jsonio import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """One sample with ``--stats``, else events until the container stops."""
    interval_ns = _parse_interval(call.text("interval"))
    if call.flag("stats"):
        return Answer(text=dumps(events.read_sample(call.root, call.container_id())) + "\n")
    return Answer(more=_render(call, interval_ns))


def _parse_interval(text: str) -> int:
    interval_ns = parse_duration(text)
    if interval_ns is None:
        message = f"--interval: {text!r} is not a duration"
        raise UsageError(message, "write it like 5s, 500ms or 1m30s")
    if interval_ns <= 0:
        raise UsageError("duration interval must be greater than 0")
    return interval_ns


def _render(call: Call, interval_ns: int) -> Iterator[str]:
    for event in events.watch(call.root, call.container_id(), interval_ns):
        yield dumps(event) + "\n"
