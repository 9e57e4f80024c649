"""A property of a unit in words, much as `systemctl show` has it."""

from __future__ import annotations

from pyoci.plan.systemd.properties import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.systemd.model import Property


def describe_property(made: Property) -> str:
    """NAME=VALUE."""
    if made.name in ("AllowedCPUs", "AllowedMemoryNodes"):
        return f"{made.name}={_list(made.value)}"
    return f"{made.name}={_value(made.value)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return f"[{', '.join([_value(item) for item in value])}]"
    if isinstance(value, tuple):
        return " ".join([_value(item) for item in value])
    return "infinity" if value == INFINITY else str(value)


def _list(mask: list[int]) -> str:
    """The numbers of the bits that are set."""
    numbers = [8 * n + bit for n, byte in enumerate(mask) for bit in range(8) if byte >> bit & 1]
    return " ".join(map(str, numbers))
