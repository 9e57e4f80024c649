"""What a container mounts from the host, opened while its path can be reached; id-mapped mounts.

Root of a user namespace cannot pass a directory that is closed to all but its owner. Who still
can, opens: main, if it is root, or init, before it becomes another user. Only main can map ids.
config.md, "Mounts": uidMappings, gidMappings, and the options idmap and ridmap.
"""

from __future__ import annotations

from pyoci.errors import ConfigError, UnsupportedError
from pyoci.linux import consts as c
from pyoci.plan.rootfs_steps import BindMount, BindRootfs, SetPropagation
from pyoci.plan.steps import IdMap, OpenSource
from pyoci.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.namespaces import NamespacePlan
    from pyoci.plan.step_types import InitStep
    from pyoci.spec.model import Linux, Mount, Spec

_WORDS = ("idmap", "ridmap")


def is_id_mapped(mount: Mount) -> bool:
    """Whether the mount asks for other ids than the filesystem has."""
    return bool(mount.uid_mappings) or any(word in mount.options for word in _WORDS)


def plan_sources(
    spec: Spec, steps: list[InitStep], namespaces: NamespacePlan
) -> tuple[list[OpenSource], list[InitStep]]:
    """The sources to open, and the steps as they are once those are; ConfigError,
    UnsupportedError.
    """
    mounts = {f"mounts[{n}]": mount for n, mount in enumerate(spec.mounts)}
    reach = namespaces.has("user") and "mount" in namespaces.new
    propagations = _propagations(steps, own_user_namespace=namespaces.has("user"))
    sources: list[OpenSource] = []
    changed: list[InitStep] = []
    for step in steps:
        source = None
        if isinstance(step, BindMount):
            source = _plan_bind(step, mounts[step.config], spec.linux, namespaces, reach=reach)
        elif isinstance(step, BindRootfs) and reach:
            source = OpenSource(config=step.config, path=step.path, recursive=True)
        if source is None:
            changed.append(step)
            continue
        sources.append(replace(source, propagations=propagations))
        # What main opens only to be safe init still tries itself: what it opens keeps its locks.
        opened = source.id_map is not None or not namespaces.privileged
        changed.append(replace(step, opened=opened))
    return sources, changed


def check_id_mapped(mount: Mount, path: str, *, bind: bool) -> None:
    """ConfigError for a mount whose ids cannot be mapped, or not as it says."""
    if is_id_mapped(mount) and not bind:
        raise ConfigError(path, "only a bind mount can be id-mapped")


def _plan_bind(
    step: BindMount, mount: Mount, linux: Linux, namespaces: NamespacePlan, *, reach: bool
) -> OpenSource | None:
    id_map = _plan_id_map(mount, linux, namespaces) if is_id_mapped(mount) else None
    if id_map is not None and not namespaces.privileged:
        raise UnsupportedError(
            f"{step.config}: only root can make an id-mapped mount",
            "leave the mappings and idmap away: the container sees the ids of its user namespace",
        )
    # A link that is to be copied leads nowhere on the host, perhaps.
    if id_map is None and (step.copy_symlink or not reach):
        return None
    return OpenSource(
        config=step.config,
        path=step.source,
        recursive=step.recursive,
        follow=step.follow_source,
        id_map=id_map,
    )


def _plan_id_map(mount: Mount, linux: Linux, namespaces: NamespacePlan) -> IdMap:
    """The mount's own mappings, or those of the container; none: the joined namespace's."""
    recursive = "ridmap" in mount.options
    if mount.uid_mappings:
        uids, gids = mount.uid_mappings, mount.gid_mappings
    elif "user" in namespaces.new:
        uids, gids = linux.uid_mappings, linux.gid_mappings
    else:
        uids = gids = ()
    return IdMap(uid_mappings=uids, gid_mappings=gids, recursive=recursive)


def _propagations(steps: list[InitStep], *, own_user_namespace: bool) -> tuple[int, ...]:
    """What the kernel and init do to the mounts of a new mount namespace, for those from outside.

    Of another user namespace it makes slaves first, so that nothing of it reaches the host.
    """
    flags = next((step.flags for step in steps if isinstance(step, SetPropagation)), 0)
    if not flags:
        return ()
    slave = c.MS_SLAVE | c.MS_REC
    if own_user_namespace and flags != slave:
        return (slave, flags)
    return (flags,)
