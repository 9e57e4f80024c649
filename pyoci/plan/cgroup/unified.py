"""The `unified` map: file names and values of cgroup v2 as they are.

config-linux.md, "Unified". What we do not know is written all the same; the
kernel says whether it takes it.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.model import RESOURCES, CgroupWrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH = f"{RESOURCES}.unified"

# They are not parameters but acts of the lifecycle: they move, stop or kill processes.
_RUNTIME_ONLY = ("cgroup.freeze", "cgroup.kill", "cgroup.procs", "cgroup.threads")


def plan_unified(unified: Mapping[str, str]) -> tuple[CgroupWrite, ...]:
    """A write for each line of each value: the kernel takes one line of io.max at a time."""
    writes = []
    for key, text in unified.items():
        controller = check_key(key)
        path = f"{_PATH}[{key!r}]"
        if "\0" in text:
            raise ConfigError(path, "holds a NUL character")
        writes += [
            CgroupWrite(controller=controller, file=key, value=line, config_path=path)
            for line in text.splitlines() or [""]
        ]
    return tuple(writes)


def check_key(key: str) -> str:
    """The controller that a key needs, empty for the core; ConfigError if it is no file name."""
    controller, _, parameter = key.partition(".")
    if "/" in key:
        raise ConfigError(_PATH, f"{key!r} must be a file name (no slashes)")
    if not controller or not parameter or ".." in key:
        raise ConfigError(_PATH, f"{key!r} must be in the form CONTROLLER.PARAMETER")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(_PATH, f"{key!r} is not a name that a cgroup file can have")
    if key in _RUNTIME_ONLY:
        raise ConfigError(_PATH, f"{key!r} is the runtime's to write")
    return "" if controller == "cgroup" else controller
