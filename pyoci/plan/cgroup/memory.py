"""Memory: limit, reservation and swap to memory.max, memory.low and memory.swap.max.

config-linux.md, "Memory". Numbers are bytes; -1 lifts a limit; 0 is not set,
as in runc. Keys without a meaning on v2 are in ``ignored.py``.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.model import (
    INT64_MAX,
    RESOURCES,
    CgroupWrite,
    UsageCheck,
    parse_set_number,
    render_limit,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.cgroup.model import Section

_PATH = f"{RESOURCES}.memory"


def plan_memory(memory: Section, page_size: int) -> tuple[CgroupWrite, ...]:
    """The writes for the memory controller.

    Swap comes first: where swap grows and memory shrinks, the pages that must
    go have somewhere to go. The kernel refuses none of these writes for the
    value that another has.
    """
    limit = _parse_limit(memory, page_size)
    reservation = parse_set_number(memory, "reservation", _PATH, -1, INT64_MAX)
    writes = plan_swap(parse_set_number(memory, "swap", _PATH, -1, INT64_MAX), limit)
    if limit is not None:
        writes += (_write("memory.max", limit, "limit"),)
    if reservation is not None:
        writes += (_write("memory.low", reservation, "reservation"),)
    return writes


def plan_swap(total: int | None, limit: int | None) -> tuple[CgroupWrite, ...]:
    """The write of memory.swap.max, from a limit of memory and swap together, the v1 meaning.

    Lifting the memory limit lifts that of swap too unless one is given, as on
    v1, where the sum could not stay below. A kernel without swap accounting
    lacks the file, which matters only if some swap was to be allowed.
    """
    if total is None:
        return (_write("memory.swap.max", -1, "limit", optional=True),) if limit == -1 else ()
    swap = convert_swap(total, limit)
    return (_write("memory.swap.max", swap, "swap", optional=swap in (-1, 0)),)


def convert_swap(total: int, limit: int | None) -> int:
    """Swap alone, out of the limit of memory and swap together; -1 is no limit."""
    if total == -1 or limit == -1:
        return total
    if limit is None:
        raise ConfigError(f"{_PATH}.swap", "unable to set swap limit without memory limit")
    if total < limit:
        reason = f"memory+swap limit should be >= memory limit ({total} < {limit})"
        raise ConfigError(f"{_PATH}.swap", reason)
    return total - limit


def plan_memory_checks(memory: Section) -> tuple[UsageCheck, ...]:
    """What `checkBeforeUpdate` asks for: the kernel would take a low limit, and kill for it."""
    if not memory.get("checkBeforeUpdate"):
        return ()
    wanted = (
        ("swap", ("memory.current", "memory.swap.current")),
        ("limit", ("memory.current",)),
    )
    return tuple(
        UsageCheck(files=files, limit_bytes=memory[key], config_path=f"{_PATH}.{key}")
        for key, files in wanted
        if (memory.get(key) or 0) > 0
    )


def _parse_limit(memory: Section, page_size: int) -> int | None:
    """memory.limit; less than a page would be rounded down to nothing at all."""
    limit = parse_set_number(memory, "limit", _PATH, -1, INT64_MAX)
    if limit is not None and 0 < limit < page_size:
        raise ConfigError(f"{_PATH}.limit", f"{limit} is less than one page ({page_size} bytes)")
    return limit


def _write(file: str, value: int, key: str, *, optional: bool = False) -> CgroupWrite:
    return CgroupWrite(
        controller="memory",
        file=file,
        value=render_limit(value),
        config_path=f"{_PATH}.{key}",
        optional=optional,
    )
