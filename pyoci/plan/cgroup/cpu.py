"""CPU time: shares, quota, period, burst and idle to the cpu.* files.

config-linux.md, "CPU". Times are microseconds. The same section's `cpus` and
`mems` belong to another controller, in ``cpuset.py``.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
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

_PATH = f"{RESOURCES}.cpu"

# kernel/sched/core.c: tg_set_cfs_bandwidth()
_PERIOD_MIN_US, _PERIOD_MAX_US, _PERIOD_DEFAULT_US = 1000, 1_000_000, 100_000
_QUOTA_MIN_US, _RUNTIME_MAX_US = 1000, 2**44 - 1

_SHARES_MIN, _SHARES_MAX = 2, 262_144  # of v1; the kernel moved what was outside to the border
_WEIGHT_MIN, _WEIGHT_MAX = 1, 10_000


def plan_cpu(cpu: Section) -> tuple[CgroupWrite, ...]:
    """The writes for the cpu controller."""
    return (*plan_weight(cpu), *plan_bandwidth(cpu))


def plan_weight(cpu: Section) -> tuple[CgroupWrite, ...]:
    """cpu.idle, then cpu.weight: the kernel refuses a weight (EINVAL) while the group is idle.

    An idle group has the lowest weight there is, so shares beside idle 1 say
    nothing; ``ignored.py`` has the note.
    """
    idle = parse_number(cpu, "idle", _PATH, 0, 1)
    shares = parse_set_number(cpu, "shares", _PATH, 1, UINT64_MAX)
    writes: tuple[CgroupWrite, ...] = ()
    if idle is not None:
        writes += (_write("cpu.idle", str(idle), "idle"),)
    if shares is not None and idle != 1:
        writes += (_write("cpu.weight", str(convert_shares(shares)), "shares"),)
    return writes


def convert_shares(shares: int) -> int:
    """The weight (1 to 10000) for v1 shares (2 to 262144): both ends meet, and 1024 gives 100.

    The exponent of 10 is a parabola through those three points in log2(shares),
    the formula of runc since 1.3.2 and crun since 1.23.
    """
    if shares <= _SHARES_MIN:
        return _WEIGHT_MIN
    if shares >= _SHARES_MAX:
        return _WEIGHT_MAX
    from math import ceil, log2

    log = log2(shares)
    weight: float = 10.0 ** ((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0)
    return ceil(weight)


def plan_bandwidth(cpu: Section) -> tuple[CgroupWrite, ...]:
    """cpu.max and cpu.max.burst, so that neither is refused for the old value of the other.

    The kernel holds burst <= quota at every moment. Which way the values move
    is not known here, so burst goes to zero first, where it is never in the way.
    """
    quota, period = _parse_quota(cpu), _parse_period(cpu)
    burst = parse_number(cpu, "burst", _PATH, 0, _RUNTIME_MAX_US)
    _check_burst(burst, quota)
    limit = _plan_max(quota, period)
    if burst is None:
        return limit
    steps = (0, burst) if limit and burst else (burst,)
    first, *last = (_write("cpu.max.burst", str(step), "burst") for step in steps)
    return (first, *limit, *last)


def _plan_max(quota: int | None, period: int | None) -> tuple[CgroupWrite, ...]:
    if quota is None and period is None:
        return ()
    time = "max" if quota in (None, -1) else str(quota)
    key = "period" if quota is None else "quota"
    return (_write("cpu.max", f"{time} {period or _PERIOD_DEFAULT_US}", key),)


def _parse_quota(cpu: Section) -> int | None:
    quota = parse_set_number(cpu, "quota", _PATH, -1, _RUNTIME_MAX_US)
    if quota is not None and 0 < quota < _QUOTA_MIN_US:
        raise ConfigError(f"{_PATH}.quota", f"{quota} is less than {_QUOTA_MIN_US} (1 ms)")
    return quota


def _parse_period(cpu: Section) -> int | None:
    return parse_set_number(cpu, "period", _PATH, _PERIOD_MIN_US, _PERIOD_MAX_US)


def _check_burst(burst: int | None, quota: int | None) -> None:
    if burst is None or quota is None or quota == -1:
        return
    if burst > quota:
        raise ConfigError(f"{_PATH}.burst", f"{burst} is larger than the quota ({quota})")
    if burst + quota > _RUNTIME_MAX_US:
        raise ConfigError(f"{_PATH}.burst", f"with the quota it is larger than {_RUNTIME_MAX_US}")


def _write(file: str, value: str, key: str) -> CgroupWrite:
    return CgroupWrite(controller="cpu", file=file, value=value, config_path=f"{_PATH}.{key}")
