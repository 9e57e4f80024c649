"""Block devices: weights to io.bfq.weight or io.weight, throttles to io.max.

config-linux.md, "Block IO". Weights are v1's, 10 to 1000, which BFQ keeps; a
kernel whose scheduler is another has io.weight (1 to 10000) instead.
"""

from __future__ import annotations

from pyoci.plan.cgroup.model import (
    RESOURCES,
    UINT64_MAX,
    CgroupWrite,
    parse_number,
    parse_set_number,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.cgroup.model import Section

_PATH = f"{RESOURCES}.blockIO"
_WEIGHT_MIN, _WEIGHT_MAX = 10, 1000
_MAJOR_MAX, _MINOR_MAX = 2**12 - 1, 2**20 - 1  # linux/kdev_t.h

_THROTTLES = (
    ("throttleReadBpsDevice", "rbps"),
    ("throttleWriteBpsDevice", "wbps"),
    ("throttleReadIOPSDevice", "riops"),
    ("throttleWriteIOPSDevice", "wiops"),
)


def plan_block_io(block_io: Section) -> tuple[CgroupWrite, ...]:
    """The writes for the io controller: the group's weight, the devices' weights, throttles."""
    return (
        *plan_group_weight(block_io),
        *plan_device_weights(block_io),
        *plan_throttles(block_io),
    )


def plan_group_weight(block_io: Section) -> tuple[CgroupWrite, ...]:
    """The weight on all devices; 0 is not set."""
    weight = parse_set_number(block_io, "weight", _PATH, _WEIGHT_MIN, _WEIGHT_MAX)
    return () if weight is None else (_weight("", weight, f"{_PATH}.weight"),)


def plan_device_weights(block_io: Section) -> tuple[CgroupWrite, ...]:
    """The weight on one device each; leafWeight is v1's (see ``ignored.py``)."""
    writes = []
    for index, entry in enumerate(block_io.get("weightDevice") or ()):
        path = f"{_PATH}.weightDevice[{index}]"
        weight = parse_set_number(entry, "weight", path, _WEIGHT_MIN, _WEIGHT_MAX)
        device = parse_device(entry, path)
        if weight is not None:
            writes.append(_weight(f"{device} ", weight, f"{path}.weight"))
    return tuple(writes)


def plan_throttles(block_io: Section) -> tuple[CgroupWrite, ...]:
    """One line of io.max for each throttle; io.max keeps what a line does not mention.

    A rate of 0 lifts the limit, as on v1; io.max has the word max for that, and
    refuses a zero (ERANGE).
    """
    writes = []
    for key, word in _THROTTLES:
        for index, entry in enumerate(block_io.get(key) or ()):
            path = f"{_PATH}.{key}[{index}]"
            rate = parse_number(entry, "rate", path, 0, UINT64_MAX)
            line = f"{parse_device(entry, path)} {word}={rate or 'max'}"
            writes.append(_io("io.max", line, f"{path}.rate"))
    return tuple(writes)


def parse_device(entry: Section, path: str) -> str:
    """`major:minor` of an entry."""
    major = parse_number(entry, "major", path, 0, _MAJOR_MAX)
    minor = parse_number(entry, "minor", path, 0, _MINOR_MAX)
    return f"{major}:{minor}"


def convert_weight(weight: int) -> int:
    """io.weight (1 to 10000) for a v1 weight (10 to 1000), linearly, as runc and crun do."""
    return 1 + (weight - _WEIGHT_MIN) * 9999 // 990


def _weight(device: str, weight: int, path: str) -> CgroupWrite:
    instead = _io("io.weight", f"{device}{convert_weight(weight)}", path)
    return _io("io.bfq.weight", f"{device}{weight}", path, instead)


def _io(file: str, value: str, path: str, instead: CgroupWrite | None = None) -> CgroupWrite:
    return CgroupWrite(controller="io", file=file, value=value, config_path=path, instead=instead)
