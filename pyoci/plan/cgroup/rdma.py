"""RDMA: `hcaHandles` and `hcaObjects` of each device to rdma.max. config-linux.md, "RDMA"."""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.model import RESOURCES, CgroupWrite, parse_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyoci.plan.cgroup.model import Section

_PATH = f"{RESOURCES}.rdma"
_LIMIT_MAX = 2**31 - 1  # the kernel keeps an int; its largest value is "max"
_WORDS = (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))


def plan_rdma(devices: Mapping[str, Section]) -> tuple[CgroupWrite, ...]:
    """One line of rdma.max for each device."""
    return tuple(
        CgroupWrite(
            controller="rdma",
            file="rdma.max",
            value=render_line(name, limits),
            config_path=f"{_PATH}.{name}",
        )
        for name, limits in devices.items()
    )


def render_line(name: str, limits: Section) -> str:
    """``mlx5_1 hca_handle=3 hca_object=10000``; ConfigError if it limits nothing."""
    path = f"{_PATH}.{name}"
    if not name.isprintable() or name.split() != [name]:
        raise ConfigError(_PATH, f"{name!r} is not the name of a device")
    words = []
    for key, word in _WORDS:
        limit = parse_number(limits, key, path, 0, _LIMIT_MAX)
        if limit is not None:
            words.append(f"{word}={limit}")
    if not words:
        raise ConfigError(path, "needs hcaHandles or hcaObjects")
    return " ".join((name, *words))
