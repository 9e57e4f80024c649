"""root and mounts of config.json -> the steps that build the container's filesystem, in order."""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.linux import consts as c
from pyoci.paths import absolute, clean, nearest
from pyoci.plan.devices import plan_devices
from pyoci.plan.mounts import PROPAGATION, MountContext, is_bind, plan_mounts
from pyoci.plan.rootfs_steps import (
    BindRootfs,
    MakeDirectory,
    MaskPath,
    MountFilesystem,
    PivotRoot,
    ReadonlyPath,
    ReadonlyRoot,
    SetPropagation,
    SetRootPropagation,
    VerifyMount,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreateRequest
    from pyoci.plan.namespaces import NamespacePlan
    from pyoci.plan.step_types import InitStep
    from pyoci.spec.model import Linux, Spec


def plan_rootfs(
    spec: Spec,
    request: CreateRequest,
    namespaces: NamespacePlan,
    cgroup_path: str,
    warnings: list[str],
) -> list[InitStep]:
    """A root of its own: mounts, devices, what is hidden, and the move into it."""
    linux = spec.linux
    context = MountContext(
        request.bundle,
        cgroup_path,
        own_cgroup_namespace=namespaces.has("cgroup"),
        privileged=namespaces.privileged,
    )
    mounts, later, mount_warnings = plan_mounts(spec.mounts, context)
    warnings += mount_warnings
    mounted = [mount.destination for mount in mounts]
    steps: list[InitStep] = [
        SetPropagation(config="linux.rootfsPropagation", flags=_initial_propagation(linux)),
        BindRootfs(
            config="root.path",
            path=absolute(spec.root.path, request.bundle),
            shared=_initial_propagation(linux) & c.MS_SHARED != 0,
        ),
        *mounts,
    ]
    if not any(is_bind(m) and clean(m.destination) == "/dev" for m in spec.mounts):
        bind = namespaces.has("user")
        steps += plan_devices(linux.devices, mounted, bind=bind)
    if spec.process is not None and spec.process.cwd != "/":
        steps.append(MakeDirectory(config="process.cwd", path=clean(spec.process.cwd)))
    # Read-only and masked on the handles of our own mounts, before anybody else can be inside.
    steps += _plan_hidden(linux, mounted)
    steps += later
    steps.append(PivotRoot(config="root.path", how="move" if request.no_pivot else "pivot_root"))
    steps += [
        VerifyMount(config=mount.config, destination=mount.destination)
        for mount in mounts
        if isinstance(mount, MountFilesystem) and mount.type == "proc"
    ]
    if linux.rootfs_propagation:
        flags = PROPAGATION[linux.rootfs_propagation]
        steps.append(SetRootPropagation(config="linux.rootfsPropagation", flags=flags))
    if spec.root.readonly:
        steps.append(ReadonlyRoot(config="root.readonly"))
    return steps


def plan_shared_rootfs(spec: Spec, request: CreateRequest, warnings: list[str]) -> list[InitStep]:
    """Without a mount namespace: every mount would appear on the host and stay there."""
    linux = spec.linux
    if linux.masked_paths or linux.readonly_paths or spec.root.readonly:
        raise ConfigError(
            "linux.namespaces",
            "masked or read-only paths and a read-only root need a mount namespace",
        )
    if spec.mounts or linux.devices:
        warnings.append(
            "mounts, linux.devices: not made, since the container shares its mount namespace"
        )
    return [
        BindRootfs(config="root.path", path=absolute(spec.root.path, request.bundle), bind=False),
        PivotRoot(config="root.path", how="chroot"),
    ]


def _plan_hidden(linux: Linux, mounted: list[str]) -> list[InitStep]:
    steps: list[InitStep] = []
    for n, path in enumerate(linux.readonly_paths):
        where = clean(path)
        steps.append(
            ReadonlyPath(
                config=f"linux.readonlyPaths[{n}]", base=nearest(where, mounted), path=where
            )
        )
    for n, path in enumerate(linux.masked_paths):
        where = clean(path)
        steps.append(
            MaskPath(config=f"linux.maskedPaths[{n}]", base=nearest(where, mounted), path=where)
        )
    return steps


def _initial_propagation(linux: Linux) -> int:
    """Slave, so that nothing of ours reaches the host; shared only if the config asks for it."""
    word = linux.rootfs_propagation
    if word in ("shared", "rshared"):
        return c.MS_SHARED | c.MS_REC
    if word in ("private", "rprivate"):
        return c.MS_PRIVATE | c.MS_REC
    return c.MS_SLAVE | c.MS_REC
