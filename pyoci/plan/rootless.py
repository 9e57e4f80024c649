"""What an ordinary user may do, and what not: imported only for one, or with --rootless=true."""

from __future__ import annotations

from pyoci.errors import UnsupportedError
from pyoci.plan.steps import WriteIdMaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import HostFacts
    from pyoci.spec.model import IdMapping, Linux, Spec

DELEGATE = (
    "run pyoci in a cgroup that is delegated to the user"
    " (systemd-run --user --scope -p Delegate=yes), or leave the limit away"
)


def check_rootless(spec: Spec, facts: HostFacts) -> None:
    """UnsupportedError for what takes root on the host, and could be known to fail."""
    if facts.euid == 0:
        return
    if spec.linux.net_devices:
        path = f"linux.netDevices.{spec.linux.net_devices[0].host_name}"
        message = f"{path}: only root can move a network device of the host"
        raise UnsupportedError(message)
    new_user = any(n.type == "user" and not n.path for n in spec.linux.namespaces)
    gids = spec.process.user.additional_gids if spec.process is not None else ()
    if new_user and gids and is_own_id(spec.linux.gid_mappings, facts.egid):
        raise UnsupportedError(
            "process.user.additionalGids: an ordinary user has no other groups to give",
            "map a range of /etc/subgid in linux.gidMappings: newgidmap(1) then allows them",
        )


def refuse_limit(config: str) -> UnsupportedError:
    """The error of a limit for which there is no cgroup."""
    return UnsupportedError(f"{config}: there is no cgroup that this user may limit", DELEGATE)


def is_own_id(mappings: tuple[IdMapping, ...], own: int) -> bool:
    """Whether that is the one mapping which the kernel takes from anybody: of his own id."""
    return len(mappings) == 1 and (mappings[0].host_id, mappings[0].size) == (own, 1)


def plan_id_maps(linux: Linux, facts: HostFacts) -> WriteIdMaps:
    """The maps of an ordinary user's namespace: written directly, or by newuidmap and newgidmap.

    Without newgidmap nobody may drop groups in it (user_namespaces(7), "setgroups").
    """
    own_group = is_own_id(linux.gid_mappings, facts.egid)
    return WriteIdMaps(
        config="linux.uidMappings",
        uid_mappings=linux.uid_mappings,
        gid_mappings=linux.gid_mappings,
        uid_helper="" if is_own_id(linux.uid_mappings, facts.euid) else "newuidmap",
        gid_helper="" if own_group else "newgidmap",
        deny_setgroups=own_group,
    )
