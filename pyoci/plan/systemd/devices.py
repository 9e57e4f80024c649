"""The device rules as systemd says them (systemd.resource-control(5), DevicePolicy=).

systemd's filter stands beside ours, and each must allow a request. So it has to say exactly what
ours says, or nothing at all: one that only comes close would deny devices that the config allows.
"""

from __future__ import annotations

from pyoci.plan.cgroup.devices import DEFAULT_DEVICE_RULES, OTHER, accesses_in_words, plan_accesses
from pyoci.plan.systemd.model import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.cgroup.devices import Majors
    from pyoci.spec.model import DeviceRule

# Since then a device is known by its numbers alone, whether it has a node or not.
_NUMBERS_SINCE = 240
_TYPES = {"b": "block", "c": "char"}
_ALL = "rwm"


def plan_device_properties(rules: tuple[DeviceRule, ...], version: int) -> tuple[Property, ...]:
    """The policy of the unit for these rules and the default ones, checked by now."""
    entries = None
    if version >= _NUMBERS_SINCE:
        entries = plan_allowed((*rules, *DEFAULT_DEVICE_RULES))
    policy = "auto" if entries is None else "strict"
    return (
        Property(name="DevicePolicy", signature="s", value=policy),
        # A list is added to; empty, it is cleared.
        Property(name="DeviceAllow", signature="a(ss)", value=[]),
        *([Property(name="DeviceAllow", signature="a(ss)", value=entries)] if entries else []),
    )


def plan_allowed(rules: tuple[DeviceRule, ...]) -> list[tuple[str, str]] | None:
    """Devices and their accesses that together say what the rules leave; None if they cannot."""
    entries: list[tuple[str, str]] = []
    unlimited = 0
    for kind, word in _TYPES.items():
        table = plan_accesses(rules, kind)
        found = _plan_type(table, word)
        if found is None:
            return None
        unlimited += accesses_in_words(table[OTHER][OTHER]) == _ALL
        entries += found
    # Nothing is denied: that is no filter at all.
    return None if unlimited == len(_TYPES) else entries


def _plan_type(table: Majors, word: str) -> list[tuple[str, str]] | None:
    """Accesses add up in systemd: a number can be given more than its group, and never less."""
    others = table[OTHER]
    if len(others) > 1:  # a minor number of every major one
        return None
    general = others[OTHER]
    entries = [(f"{word}-*", accesses_in_words(general))] if general else []
    for major, minors in table.items():
        if major == OTHER:
            continue
        of_major = minors[OTHER]
        if general & ~of_major or any(of_major & ~bits for bits in minors.values()):
            return None
        if of_major != general:
            entries.append((f"{word}-{major}", accesses_in_words(of_major)))
        entries += [
            (f"/dev/{word}/{major}:{minor}", accesses_in_words(bits))
            for minor, bits in minors.items()
            if minor != OTHER and bits != of_major
        ]
    return entries
