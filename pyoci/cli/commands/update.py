"""``pyoci update``: new limits for a container, from options or from a file."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.options import parse_int
from pyoci.cli.paths import absolute_path
from pyoci.cli.sizes import parse_size
from pyoci.engine import update
from pyoci.errors import UnsupportedError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyoci.cli.call import Call

# Option, section and member of linux.resources, kind of its value.
_OPTIONS = (
    ("blkio-weight", "blockIO", "weight", "number"),
    ("cpu-period", "cpu", "period", "number"),
    ("cpu-quota", "cpu", "quota", "number"),
    ("cpu-burst", "cpu", "burst", "number"),
    ("cpu-share", "cpu", "shares", "number"),
    ("cpu-rt-period", "cpu", "realtimePeriod", "number"),
    ("cpu-rt-runtime", "cpu", "realtimeRuntime", "number"),
    ("cpu-idle", "cpu", "idle", "number"),
    ("cpuset-cpus", "cpu", "cpus", "text"),
    ("cpuset-mems", "cpu", "mems", "text"),
    ("memory", "memory", "limit", "size"),
    ("memory-reservation", "memory", "reservation", "size"),
    ("memory-swap", "memory", "swap", "size"),
    ("kernel-memory", "memory", "kernel", "size"),
    ("kernel-memory-tcp", "memory", "kernelTCP", "size"),
    ("pids-limit", "pids", "limit", "number"),
)
_PARSERS: dict[str, Callable[[str], int | str | None]] = {
    "number": parse_int,
    "size": parse_size,
    "text": str,
}
_HINTS = {"size": "write it like 67108864, 64M or 1.5G; -1 is no limit"}
_UNSUPPORTED = ("l3-cache-schema", "mem-bw-schema")


def execute(call: Call) -> Answer:
    """Set the limits; with ``--resources`` the other options do not count, as in runc."""
    for name in _UNSUPPORTED:
        if call.text(name):
            message = f"--{name}: not supported by this version of pyoci"
            raise UnsupportedError(message)
    path = call.text("resources")
    if path:
        given = path if path == "-" else absolute_path(path)
        update.update(call.root, call.container_id(), lambda: _read(given), call.log)
    else:
        resources = parse_options({name: call.text(name) for name, *_ in _OPTIONS})
        update.update(call.root, call.container_id(), lambda: resources, call.log)
    return Answer()


def _read(path: str) -> dict[str, Any]:
    from pyoci.host.resources import read_resources

    return read_resources(path)


def parse_options(texts: dict[str, str]) -> dict[str, Any]:
    """The options as a `linux.resources` object, without those that are empty; UsageError."""
    resources: dict[str, Any] = {}
    for name, section, member, kind in _OPTIONS:
        text = texts[name]
        if not text:
            continue
        value = _PARSERS[kind](text)
        if value is None:
            raise UsageError(f"--{name}: {text!r} is not a {kind}", _HINTS.get(kind, ""))
        resources.setdefault(section, {})[member] = value
    return resources
