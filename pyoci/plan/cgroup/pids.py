"""Number of tasks: `limit` to pids.max. config-linux.md, "PIDs"."""

from __future__ import annotations

from pyoci.plan.cgroup.model import RESOURCES, CgroupWrite, parse_number, render_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.cgroup.model import Section

_PATH = f"{RESOURCES}.pids"
_PID_MAX_LIMIT = 4 * 1024 * 1024  # linux/threads.h; pids.max takes no more


def plan_pids(pids: Section) -> tuple[CgroupWrite, ...]:
    """The write for the pids controller; -1 is no limit.

    Zero is a limit since runtime-spec 1.3.0: the container process, and not one
    task more. It is written as 1, as runc does: clone3 into a cgroup whose
    pids.max is 0 fails with EAGAIN, and systemd refuses TasksMax=0.
    """
    limit = parse_number(pids, "limit", _PATH, -1, _PID_MAX_LIMIT)
    if limit is None:
        return ()
    value = render_limit(limit or 1)
    path = f"{_PATH}.limit"
    return (CgroupWrite(controller="pids", file="pids.max", value=value, config_path=path),)
