"""Huge pages: `hugepageLimits` to hugetlb.<size>.max and hugetlb.<size>.rsvd.max.

config-linux.md, "Huge page limits". Limits are bytes.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.model import RESOURCES, UINT64_MAX, CgroupWrite, parse_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyoci.plan.cgroup.model import Section

_PATH = f"{RESOURCES}.hugepageLimits"


def plan_hugetlb(limits: Sequence[Section]) -> tuple[CgroupWrite, ...]:
    """Two writes for each size: what is used and, where the kernel counts it, what is reserved.

    Both, as runc does: a reservation limit alone would not hold for pages that
    are faulted in without a reservation.
    """
    writes = []
    for index, entry in enumerate(limits):
        path = f"{_PATH}[{index}]"
        size = check_page_size(entry["pageSize"], f"{path}.pageSize")
        limit = str(parse_number(entry, "limit", path, 0, UINT64_MAX))
        for file, optional in ((f"hugetlb.{size}.max", False), (f"hugetlb.{size}.rsvd.max", True)):
            write = CgroupWrite(
                controller="hugetlb",
                file=file,
                value=limit,
                config_path=f"{path}.limit",
                optional=optional,
            )
            writes.append(write)
    return tuple(writes)


def check_page_size(size: str, path: str) -> str:
    """The size, if it is written as in the file names: 64KB, 2MB, 1GB."""
    digits, unit = size[:-2], size[-2:]
    if unit not in ("KB", "MB", "GB") or not digits.isascii() or not digits.isdigit():
        raise ConfigError(path, f"{size!r} is not a page size like 64KB, 2MB or 1GB")
    if digits.startswith("0"):
        raise ConfigError(path, f"{size!r} has a leading zero")
    return size
