"""What is written to the cgroup's files, said to systemd as well: properties of the unit.

systemd writes the files that it knows itself, again at every daemon-reload: what a limit is there
must be known to it, or it would be lifted then. The files are written nevertheless, since systemd
knows only some, and some of them in coarser steps (systemd.resource-control(5)).
"""

from __future__ import annotations

from pyoci.plan.systemd.model import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyoci.plan.cgroup.model import CgroupWrite
    from pyoci.plan.steps import WriteCgroup

INFINITY = 2**64 - 1
_US_PER_S = 1_000_000
_QUOTA_STEP_US = 10_000
_PERIOD_DEFAULT_US = 100_000
_IDLE = 0
_CPUS_MAX = 8192  # of the kernel, and systemd
# lib/cmdline.c: memparse()
_SUFFIXES = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}

# From which version on systemd knows a property.
_SINCE = {
    "CPUQuotaPeriodUSec": 242,
    "AllowedCPUs": 244,
    "AllowedMemoryNodes": 244,
    "MemoryZSwapMax": 253,
}
_IDLE_SINCE = 252

_NUMBERS = {
    "memory.max": "MemoryMax",
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.min": "MemoryMin",
    "memory.swap.max": "MemorySwapMax",
    "memory.zswap.max": "MemoryZSwapMax",
    "pids.max": "TasksMax",
    "cpu.weight": "CPUWeight",
    "io.weight": "IOWeight",
}
_CPUSETS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}


def plan_limit_properties(
    writes: Iterable[CgroupWrite | WriteCgroup], version: int
) -> tuple[Property, ...]:
    """The properties that say what these writes do; a later write to a file wins.

    What this version of systemd does not know is not among them, nor a value
    that it could not take: the kernel has the word on those.
    """
    found = {made.name: made for write in writes for made in _plan_one(write, version)}
    return tuple([made for made in found.values() if version >= _SINCE.get(made.name, 0)])


def _plan_one(write: CgroupWrite | WriteCgroup, version: int) -> list[Property]:
    file, value = write.file, write.value.strip()
    if file == "io.bfq.weight" and write.instead is not None:
        return _plan_one(write.instead, version)  # systemd has one weight for both
    if file in _NUMBERS:
        return _number(_NUMBERS[file], value)
    if file in _CPUSETS:
        mask = make_mask(value)
        return [Property(name=_CPUSETS[file], signature="ay", value=mask)] if mask else []
    if file == "cpu.idle":
        return _plan_idle(value, version)
    return _plan_quota(value) if file == "cpu.max" else []


def _number(name: str, value: str) -> list[Property]:
    number = _parse_number(value)
    return [] if number is None else [Property(name=name, signature="t", value=number)]


def _parse_number(text: str) -> int | None:
    """A number as the kernel takes it, or max; of memory with K, M or G behind it."""
    if text == "max":
        return INFINITY
    shift = _SUFFIXES.get(text[-1:].lower(), 0)
    digits = text[:-1] if shift else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        return None
    return min(int(digits) << shift, INFINITY)


def _plan_idle(value: str, version: int) -> list[Property]:
    """An idle group has the weight 0; the weight that follows in the plan replaces that of none."""
    if version < _IDLE_SINCE or value not in ("0", "1"):
        return []
    weight = _IDLE if value == "1" else INFINITY
    return [Property(name="CPUWeight", signature="t", value=weight)]


def _plan_quota(value: str) -> list[Property]:
    """systemd keeps whole percents of a CPU: rounded up, so that none gets less than it asks."""
    quota_text, _, period_text = value.partition(" ")
    quota, period = _parse_number(quota_text), _parse_number(period_text or str(_PERIOD_DEFAULT_US))
    if quota is None or period is None or not 0 < period <= _US_PER_S:
        return []
    per_second = INFINITY
    if quota != INFINITY:
        steps = -(-quota * _US_PER_S // (period * _QUOTA_STEP_US))
        per_second = steps * _QUOTA_STEP_US
    return [
        Property(name="CPUQuotaPerSecUSec", signature="t", value=per_second),
        Property(name="CPUQuotaPeriodUSec", signature="t", value=period),
    ]


def make_mask(text: str) -> list[int]:
    """A list like 0-3,7 as the bytes of a mask, the lowest numbers first; empty if it is none."""
    mask = 0
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = _parse_number(first), _parse_number(last if dash else first)
        if low is None or high is None or not low <= high < _CPUS_MAX:
            return []
        mask |= (1 << (high + 1)) - (1 << low)
    return list(mask.to_bytes((mask.bit_length() + 7) // 8, "little"))
