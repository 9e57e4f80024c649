"""Who owns the container's cgroup: config-linux.md, "Cgroup ownership"."""

from __future__ import annotations

from pyoci.paths import clean
from pyoci.plan.steps import DelegateCgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import IdMapping, Spec

_PLACE = "/sys/fs/cgroup"


def plan_ownership(spec: Spec) -> tuple[DelegateCgroup, ...]:
    """The step for a container with a cgroup namespace of its own, if it mounts that read-write.

    The owner is the host's name for the user of the container process. None if that is root, who
    owns it anyway, or a user whom no mapping knows: of a joined user namespace without mappings.
    """
    at = [
        index
        for index, mount in enumerate(spec.mounts)
        if mount.source == "cgroup" and clean(mount.destination) == _PLACE
    ]
    if not at or "ro" in spec.mounts[at[-1]].options:
        return ()
    mapped = any(namespace.type == "user" for namespace in spec.linux.namespaces)
    inside = spec.process.user.uid if spec.process is not None else 0
    owner = find_host_id(inside, spec.linux.uid_mappings) if mapped else inside
    return (DelegateCgroup(config=f"mounts[{at[-1]}]", uid=owner),) if owner else ()


def find_host_id(inside: int, mappings: tuple[IdMapping, ...]) -> int | None:
    """The host's id for one of the container's; None if none of the mappings has it."""
    for mapping in mappings:
        if 0 <= inside - mapping.container_id < mapping.size:
            return mapping.host_id + inside - mapping.container_id
    return None
