"""Controllers for a container's cgroup: enabled in every cgroup above it (cgroups(7)).

Imported only where there are limits. What is enabled stays so: a controller without a limit limits
nothing, and others may have come to use it.
"""

from __future__ import annotations

import errno

from pyoci.cgroup.manager import write_value
from pyoci.errors import StepError, describe_errno
from pyoci.linux.pidfd import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    # The first use of each controller: the file to be written and the config path that wants it.
    Uses: TypeAlias = Mapping[str, tuple[str, str]]

# Why the kernel refuses a controller for the cgroups below one, and what to do about it.
_REFUSALS = {
    errno.EBUSY: (
        "has processes of its own",
        "a cgroup has either processes or controllers for those below it: choose a"
        " linux.cgroupsPath below a cgroup without processes",
    ),
    errno.EOPNOTSUPP: ("is threaded", "choose a linux.cgroupsPath that is not below it"),
    errno.EACCES: ("is not ours to change", "it must be delegated to us (cgroups(7))"),
    errno.EPERM: ("is not ours to change", "it must be delegated to us (cgroups(7))"),
    errno.EROFS: ("is on a read-only mount", "mount the cgroup2 filesystem read-write"),
}
_CHOOSE = "its parent must have it in cgroup.subtree_control"
_NOWHERE = "the kernel does not have it, or has it on a cgroup v1 hierarchy"


def first_uses(controllers: Iterable[str], writes: Iterable[tuple[str, str]]) -> Uses:
    """Which of the writes (file and config path) first needs each controller: files begin so."""
    uses: dict[str, tuple[str, str]] = {}
    for file, config_path in writes:
        controller = file.partition(".")[0]
        if controller in controllers:
            uses.setdefault(controller, (file, config_path))
    return uses


def enable_controllers(mount: str, path: str, uses: Uses, process: str = "") -> None:
    """Have these controllers in the cgroup, `path` below the mount.

    StepError that names the limit, its file, the controller, and the cgroup that lacks it.
    """
    where = mount
    for part in path.strip("/").split("/"):
        available = _read_words(f"{where}/cgroup.controllers")
        enabled = _read_words(f"{where}/cgroup.subtree_control")
        for controller, (file, config_path) in uses.items():
            number = 0
            if controller not in available:
                reason = f"controller {controller} is not available in {where}"
                hint = _NOWHERE if where == mount else _why_not(where)
            elif controller not in enabled and (number := _enable(where, controller)):
                why, hint = _REFUSALS.get(number, ("refuses it", ""))
                reason = f"controller {controller} is not available below {where}, which {why}"
                reason = f"{reason}: {describe_errno(number)}"
            else:
                continue
            raise StepError(process, config_path, f"{file}: {reason}", number, where, hint)
        where = f"{where}/{part}"


def _enable(where: str, controller: str) -> int:
    """The errno of a refusal, 0 once it is enabled: one at a time, to know which is refused."""
    try:
        write_value(where, "cgroup.subtree_control", f"+{controller}")
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _why_not(where: str) -> str:
    """Why a cgroup below the root lacks what its parent has."""
    kind = " ".join(_read_words(f"{where}/cgroup.type"))
    return _CHOOSE if kind == "domain" else f"it is {kind}: only controllers of threads are there"


def _read_words(path: str) -> list[str]:
    return read_kernel_file(path).decode().split()
