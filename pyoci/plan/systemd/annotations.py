"""Annotations `org.systemd.property.NAME` -> properties of the container's unit, as in runc."""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.systemd.gvariant import parse_variant
from pyoci.plan.systemd.model import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PREFIX = "org.systemd.property."

# What makes the unit the container's own, by who sets it.
_OURS = {
    "Slice": "linux.cgroupsPath",
    "Wants": "linux.cgroupsPath",
    "PIDs": "pyoci",
    "PIDFDs": "pyoci",
    "Delegate": "pyoci",
}
_INTEGERS = ("y", "n", "q", "i", "u", "x", "t")
_US_PER_S = 1_000_000
_UINT64_MAX = 2**64 - 1


def plan_annotations(annotations: tuple[tuple[str, str], ...]) -> tuple[Property, ...]:
    """The properties in the order of the annotations; ConfigError names the one at fault."""
    return tuple(
        [_parse(key, text) for key, text in annotations if key.startswith(PREFIX)],
    )


def _parse(key: str, text: str) -> Property:
    path = f"annotations[{key!r}]"
    name = key.removeprefix(PREFIX)
    if len(name) < 3 or not (name.isascii() and name.isalpha()):
        raise ConfigError(path, f"{name!r} is not the name of a property of systemd")
    if name in _OURS:
        raise ConfigError(path, f"{name} is set by {_OURS[name]}")
    try:
        signature, value = parse_variant(text)
        if name.endswith("Sec") and name[-4].islower():
            # The manual has TimeoutStopSec where D-Bus has TimeoutStopUSec.
            return Property(
                name=f"{name[:-3]}USec", signature="t", value=_microseconds(signature, value)
            )
    except ValueError as error:
        raise ConfigError(
            path, f"{text!r}: {error}", "it is GVariant text: 'text', uint64 5"
        ) from None
    if name == "Description" and signature != "s":
        raise ConfigError(path, "it is a string")
    return Property(name=name, signature=signature, value=value)


def _microseconds(signature: str, value: Any) -> int:  # noqa: ANN401  (any type of D-Bus)
    """The time in microseconds, of a number of seconds."""
    if signature not in (*_INTEGERS, "d"):
        raise ValueError("a time is a number of seconds")
    # Not a number is not in the range either.
    if not 0 <= value <= _UINT64_MAX // _US_PER_S:
        raise ValueError("no time is so long" if value > 0 else "a time is a number from 0 on")
    return int(value * _US_PER_S)
