"""What the caller may do without being root: looked at only where he is not, or might not be."""

from __future__ import annotations

import posix

from pyoci.linux.pidfd import read_kernel_file
from pyoci.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import HostFacts

# user_namespaces(7): the initial user namespace maps all ids to themselves.
_INITIAL_MAP = ["0", "0", "4294967295"]


def in_user_namespace() -> bool:
    """Whether we are in a user namespace other than the initial one."""
    return read_kernel_file("/proc/self/uid_map").decode().split() != _INITIAL_MAP


def is_ordinary_user() -> bool:
    """Whether we are one outside of all user namespaces, whoever we are in ours."""
    return posix.geteuid() != 0 or in_user_namespace()


def add_rootless_facts(facts: HostFacts, rootless: str) -> HostFacts:
    """The facts with what an ordinary user's plan depends on; `rootless` as --rootless."""
    tolerant = rootless != "false"
    parent = find_parent(facts.cgroup_mount, facts.own_cgroup) if tolerant else None
    return replace(facts, egid=posix.getegid(), rootless=tolerant, parent_cgroup=parent)


def find_parent(mount: str, own: str) -> str | None:
    """The cgroup below the mount in which we may make one and move into it: that above our own,
    else our own; None if neither is delegated to us (cgroups(7), "Delegation containment").
    """
    if not mount or "/.." in own:
        return None
    for path in dict.fromkeys((own.rpartition("/")[0], own.rstrip("/"))):
        where = f"{mount}{path}"
        # A process is moved by writing here, and into both a common ancestor and its target.
        if _may_write(where) and _may_write(f"{where}/cgroup.procs"):
            return path
    return None


def _may_write(path: str) -> bool:
    return posix.access(path, posix.W_OK, effective_ids=True)
