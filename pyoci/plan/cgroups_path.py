"""linux.cgroupsPath -> where below the cgroup2 mount (config-linux.md, "Cgroups Path")."""

from __future__ import annotations

from pyoci.errors import ConfigError, UnsupportedError
from pyoci.paths import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import HostFacts


def plan_cgroups_path(cgroups_path: str, container_id: str, facts: HostFacts) -> str:
    """The container's cgroup, from the cgroup2 mount down, clean and absolute.

    An absolute path starts at the mount; a relative one, or none, beside our
    own cgroup. UnsupportedError if the machine has no cgroup2 filesystem,
    ConfigError for a path with `..`, and for one that leads to the mount, or to
    our own parent: others live there.
    Empty if none is asked for, none is permitted, and that is tolerated.
    """
    if facts.rootless and not cgroups_path and facts.parent_cgroup is None:
        return ""
    if not facts.cgroup_mount:
        raise UnsupportedError(
            "no cgroup2 filesystem is mounted", "pyoci needs cgroup v2: mount it on /sys/fs/cgroup"
        )
    if ".." in cgroups_path.split("/"):
        raise ConfigError("linux.cgroupsPath", f"must not lead upwards by ..: {cgroups_path}")
    inner = clean(cgroups_path or container_id)
    if inner == "/":
        raise ConfigError("linux.cgroupsPath", f"names no cgroup: {cgroups_path}")
    if cgroups_path.startswith("/"):
        return inner
    parent = facts.own_cgroup.rpartition("/")[0]
    if facts.rootless and facts.parent_cgroup is not None:
        parent = facts.parent_cgroup
    return clean(f"{parent}{inner}")
