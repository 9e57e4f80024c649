"""Which CPUs and memory nodes: `cpus` and `mems` to cpuset.cpus and cpuset.mems.

config-linux.md, "CPU". Whether the machine has them is for the kernel to say.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.model import RESOURCES, CgroupWrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.cgroup.model import Section

_PATH = f"{RESOURCES}.cpu"
_FILES = (("cpus", "cpuset.cpus"), ("mems", "cpuset.mems"))


def plan_cpuset(cpu: Section) -> tuple[CgroupWrite, ...]:
    """The writes for the cpuset controller; an empty list is not set, as in runc."""
    return tuple(
        CgroupWrite(
            controller="cpuset",
            file=file,
            value=check_list(cpu[key], f"{_PATH}.{key}"),
            config_path=f"{_PATH}.{key}",
        )
        for key, file in _FILES
        if cpu.get(key)
    )


def check_list(text: str, path: str) -> str:
    """The text, if it is a list like ``0-3,7`` (cpuset(7), "List format")."""
    for part in text.strip().split(","):
        first, dash, last = part.strip().partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            raise ConfigError(path, f"{text!r} is not a list of numbers and ranges like 0-3,7")
        if dash and int(first) > int(last):
            raise ConfigError(path, f"the range {part.strip()} runs backwards")
    return text.strip()


def _is_number(text: str) -> bool:
    # int() also takes signs, underscores and other scripts' digits; no machine has 10^9 CPUs.
    return text.isascii() and text.isdigit() and len(text) < 10
