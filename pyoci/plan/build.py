"""(Spec, CreateRequest, HostFacts) -> CreatePlan: the order of everything.

This file is the review of a change in order: the engine adds none of its own.
Why each step stands where it does is said beside it.
"""

from __future__ import annotations

from pyoci.errors import UnsupportedError
from pyoci.paths import absolute
from pyoci.plan.cgroup.default_filter import plan_device_filter
from pyoci.plan.cgroups_path import plan_cgroups_path
from pyoci.plan.model import CreatePlan
from pyoci.plan.namespaces import NamespacePlan
from pyoci.plan.process import asks_for_labels, plan_execution, plan_process
from pyoci.plan.rootfs import plan_rootfs, plan_shared_rootfs
from pyoci.plan.rootfs_steps import (
    MaskPath,
    PivotRoot,
    ReadonlyPath,
    SetSysctl,
)
from pyoci.plan.rootfs_steps import (
    Mount as MountStep,
)
from pyoci.plan.steps import (
    AttachDeviceFilter,
    AwaitHost,
    CloneInit,
    EnableControllers,
    LoadSeccomp,
    MakeCgroup,
    MoveNetDevice,
    OpenNamespace,
    RunHooks,
    SendPidfd,
    SendSeccompListener,
    SetDomainname,
    SetHostname,
    SetOomScoreAdj,
    SetUpTerminal,
    WriteCgroup,
    WriteIdMaps,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyoci.plan.cgroup.model import CgroupWrite
    from pyoci.plan.model import CreateRequest, HostFacts
    from pyoci.plan.step_types import BeforeStep, BesideStep, InitStep, LimitStep
    from pyoci.plan.steps import OpenSource
    from pyoci.spec.model import Linux, Mount, Spec


def build_plan(spec: Spec, request: CreateRequest, facts: HostFacts) -> CreatePlan:
    """The plan of one container; ConfigError or UnsupportedError where there can be none."""
    if request.notify_socket:
        # Only a service of systemd pays for the module.
        from pyoci.plan.notify import mark, with_socket

        extended = with_socket(spec, request)
        if extended is not spec:
            return mark(_build_with_cgroup(extended, request, facts), extended)
    return _build_with_cgroup(spec, request, facts)


def _build_with_cgroup(spec: Spec, request: CreateRequest, facts: HostFacts) -> CreatePlan:
    """The plan with the container's cgroup made by us, or by systemd."""
    if not request.systemd_cgroup:
        cgroup = plan_cgroups_path(spec.linux.cgroups_path, request.container_id, facts)
        return _build_plan(spec, request, facts, cgroup)
    from pyoci.plan.systemd.unit import add_unit, plan_unit

    unit = plan_unit(spec, request, facts)
    return add_unit(_build_plan(spec, request, facts, unit.cgroup), unit, spec, facts)


def _build_plan(spec: Spec, request: CreateRequest, facts: HostFacts, cgroup: str) -> CreatePlan:
    _check_supported(spec, facts)
    namespaces = NamespacePlan(
        spec.linux.namespaces, spec.linux.time_offsets, privileged=facts.euid == 0
    )
    warnings: list[str] = []
    start = _plan_start(spec)
    before = _plan_before(namespaces, cgroup)
    limits = _plan_limits(spec, warnings, may_delegate=_may_delegate(spec, namespaces, facts))
    limits = _with_filter(limits, spec, facts) if cgroup else _check_none(limits)
    cgroup_path = f"{facts.cgroup_mount}{cgroup}" if cgroup else ""
    if request.console_socket or (spec.process is not None and spec.process.terminal):
        # Only a config with a terminal pays for the module.
        from pyoci.plan.terminal import plan_connection

        # Not before the cgroup, which may be the reason to begin anew: callers take one connection.
        _insert_before_clone(before, plan_connection(spec.process, request))
    beside = _plan_beside(spec, namespaces, facts)
    if request.pidfd_socket:
        beside.append(SendPidfd(path=request.pidfd_socket))
    ready: tuple[LoadSeccomp, ...] = ()
    load, send = _plan_seccomp(spec, facts, warnings)
    if load is not None and send is not None:
        ready = (load,)
        beside.append(send)
    elif load is not None:
        start.append(load)
    init, sources = _plan_init(spec, request, namespaces, cgroup_path, warnings)
    _insert_before_clone(before, sources)
    if asks_for_labels(spec.process, spec.linux):
        # Only a config with labels pays for the module.
        from pyoci.plan.labels import add_labels

        init = add_labels(init, spec.process, spec.linux, facts.modules)
    if spec.process is not None:
        process_steps, process_warnings = plan_process(
            spec.process, spec.linux, has_filter=load is not None
        )
        init += process_steps
        warnings += process_warnings
    return CreatePlan(
        container_id=request.container_id,
        bundle=request.bundle,
        rootfs=absolute(spec.root.path, request.bundle),
        cgroup=cgroup,
        before=tuple(before),
        limits=tuple(limits),
        beside=tuple(beside),
        init=tuple(init),
        start=tuple(start),
        process=plan_execution(spec.process, request.preserve_fds, request.listen_fds),
        hooks=spec.hooks,
        own_pid_namespace="pid" in namespaces.new,
        annotations=spec.annotations,
        oci_version=spec.oci_version,
        warnings=tuple(warnings),
        ready=ready,
    )


def _check_supported(spec: Spec, facts: HostFacts) -> None:
    if facts.euid != 0:
        from pyoci.plan.rootless import check_rootless

        check_rootless(spec, facts)
    linux = spec.linux
    asked = {
        "linux.intelRdt": linux.intel_rdt,
    }
    for name, value in asked.items():
        if value:
            message = f"{name}: not supported by this version of pyoci"
            raise UnsupportedError(message)


def _enters(step: BeforeStep) -> bool:
    return isinstance(step, OpenNamespace) and step.enter


def _insert_before_clone(before: list[BeforeStep], steps: Sequence[BeforeStep]) -> None:
    """Before main enters a pid namespace: who is in there would see what main makes on the way."""
    at = next(n for n, step in enumerate(before) if isinstance(step, CloneInit) or _enters(step))
    before[at:at] = steps


def _plan_before(namespaces: NamespacePlan, cgroup: str) -> list[BeforeStep]:
    make = [MakeCgroup(config="linux.cgroupsPath", path=cgroup)] if cgroup else []
    # The one that main enters comes last.
    opened = sorted(namespaces.open_steps(), key=_enters)
    return [*make, *opened, namespaces.clone_step()]


def _may_delegate(spec: Spec, namespaces: NamespacePlan, facts: HostFacts) -> bool:
    """Whether the container's cgroup could go to its user; few configs pay for the module."""
    if "cgroup" not in namespaces.new or facts.euid != 0:
        return False
    return any("ro" not in mount.options for mount in spec.mounts if mount.source == "cgroup")


def _plan_limits(spec: Spec, warnings: list[str], *, may_delegate: bool) -> list[LimitStep]:
    """What main sets once init has made its mounts; hooks already find it set."""
    steps: list[LimitStep] = []
    if spec.linux.resources:
        steps += _plan_resources(spec.linux.resources, warnings)
    if may_delegate:
        from pyoci.plan.cgroup.ownership import plan_ownership

        steps += plan_ownership(spec)
    return steps


def _with_filter(limits: list[LimitStep], spec: Spec, facts: HostFacts) -> list[LimitStep]:
    rules = spec.linux.device_rules
    attach = AttachDeviceFilter(
        config="linux.resources.devices",
        rules=rules,
        program=plan_device_filter(rules),
        optional=facts.rootless,
    )
    return [*limits, attach]


def _check_none(limits: list[LimitStep]) -> list[LimitStep]:
    """Without a cgroup there may be no limits; UnsupportedError."""
    from pyoci.plan.rootless import refuse_limit

    for step in limits:
        if isinstance(step, WriteCgroup):
            raise refuse_limit(step.config)
    return []


def _plan_resources(
    resources: dict[str, object], warnings: list[str]
) -> list[EnableControllers | WriteCgroup]:
    # Only a config with limits pays for the controllers' modules.
    if resources.keys() <= {"devices"}:
        return []
    from pyoci.plan.cgroup.resources import needed_controllers, plan_resources

    planned = plan_resources(resources)
    warnings += planned.notes
    steps: list[EnableControllers | WriteCgroup] = []
    if controllers := needed_controllers(planned):
        steps.append(EnableControllers(config="linux.resources", controllers=controllers))
    return steps + [_cgroup_write(write) for write in planned.writes]


def _cgroup_write(write: CgroupWrite) -> WriteCgroup:
    return WriteCgroup(
        config=write.config_path,
        file=write.file,
        value=write.value,
        instead=None if write.instead is None else _cgroup_write(write.instead),
        optional=write.optional,
    )


def _plan_id_maps(linux: Linux, facts: HostFacts) -> WriteIdMaps:
    if facts.euid == 0:
        return WriteIdMaps(
            config="linux.uidMappings",
            uid_mappings=linux.uid_mappings,
            gid_mappings=linux.gid_mappings,
        )
    from pyoci.plan.rootless import plan_id_maps

    return plan_id_maps(linux, facts)


def _plan_beside(spec: Spec, namespaces: NamespacePlan, facts: HostFacts) -> list[BesideStep]:
    """What main does while init waits: once init's maps are written, until hooks have run."""
    linux, hooks = spec.linux, spec.hooks
    steps: list[BesideStep] = []
    # While init's files in /proc are still an ordinary user's: with the maps it becomes another.
    if spec.process is not None and spec.process.oom_score_adj is not None:
        adjust = spec.process.oom_score_adj
        steps.append(
            SetOomScoreAdj(config="process.oomScoreAdj", value=adjust, optional=facts.rootless)
        )
    # A joined user namespace has its maps; engines that want them in any config are ignored.
    if "user" in namespaces.new:
        steps.append(_plan_id_maps(linux, facts))
    steps += [
        MoveNetDevice(
            config=f"linux.netDevices.{device.host_name}",
            host_name=device.host_name,
            name=device.name,
        )
        for device in linux.net_devices
    ]
    if hooks.prestart:
        steps.append(RunHooks(config="hooks.prestart", kind="prestart", hooks=hooks.prestart))
    if hooks.create_runtime:
        steps.append(
            RunHooks(config="hooks.createRuntime", kind="createRuntime", hooks=hooks.create_runtime)
        )
    return steps


def _plan_init(
    spec: Spec,
    request: CreateRequest,
    namespaces: NamespacePlan,
    cgroup_path: str,
    warnings: list[str],
) -> tuple[list[InitStep], list[OpenSource]]:
    """What init does, and what main opens for it."""
    keyring = "" if request.no_new_keyring else f"_ses.{request.container_id}"
    rootfs = _plan_filesystem(spec, request, namespaces, cgroup_path, warnings)
    sources: list[OpenSource] = []
    if namespaces.has("user") or any(map(_maps_ids, spec.mounts)):
        # Only a config with other ids pays for the module.
        from pyoci.plan.sources import plan_sources

        sources, rootfs = plan_sources(spec, rootfs, namespaces)
    privileged = namespaces.privileged
    steps = [*namespaces.init_steps(keyring, () if privileged else sources), *rootfs]
    hooks = spec.hooks
    # Hooks in the container, too, come after the limits, which are main's part.
    hooked = hooks.prestart or hooks.create_runtime or hooks.create_container
    waits = spec.linux.net_devices or hooked
    at = next(n for n, step in enumerate(steps) if isinstance(step, _AFTER_HOST))
    steps[at:at] = [
        *_plan_terminal(spec, namespaces, steps),
        *_plan_host_part(spec, waits=bool(waits)),
    ]
    # The names come last: a hook of the host's side may still want to set its own.
    if spec.hostname:
        steps.append(SetHostname(config="hostname", name=spec.hostname))
    if spec.domainname:
        steps.append(SetDomainname(config="domainname", name=spec.domainname))
    return steps, sources if privileged else []


def _maps_ids(mount: Mount) -> bool:
    return bool(mount.uid_mappings) or "idmap" in mount.options or "ridmap" in mount.options


def _plan_filesystem(
    spec: Spec,
    request: CreateRequest,
    namespaces: NamespacePlan,
    cgroup_path: str,
    warnings: list[str],
) -> list[InitStep]:
    if namespaces.has("mount"):
        return plan_rootfs(spec, request, namespaces, cgroup_path, warnings)
    return plan_shared_rootfs(spec, request, warnings)


# The first of these in a plan is where init has its filesystem and nothing is locked yet.
_AFTER_HOST = (ReadonlyPath, MaskPath, PivotRoot)


def _plan_terminal(
    spec: Spec, namespaces: NamespacePlan, steps: list[InitStep]
) -> list[SetUpTerminal]:
    """By the descriptors of our own mounts, and while nobody else can be inside."""
    if spec.process is None or not spec.process.terminal:
        return []
    from pyoci.plan.terminal import plan_terminal

    mounted = [step.destination for step in steps if isinstance(step, MountStep)]
    return [plan_terminal(spec.process, mounted if namespaces.has("mount") else None)]


def _plan_host_part(spec: Spec, *, waits: bool) -> list[InitStep]:
    """Hooks, and what may depend on what they and main did (names of network devices)."""
    steps: list[InitStep] = []
    if waits:
        steps.append(AwaitHost(config="hooks"))
    if spec.hooks.create_container:
        steps.append(
            RunHooks(
                config="hooks.createContainer",
                kind="createContainer",
                hooks=spec.hooks.create_container,
            )
        )
    steps += [
        SetSysctl(config=f"linux.sysctl.{key}", key=key, value=value)
        for key, value in spec.linux.sysctl
    ]
    return steps


def _plan_start(spec: Spec) -> list[RunHooks | LoadSeccomp]:
    hooks = spec.hooks.start_container
    if not hooks:
        return []
    return [RunHooks(config="hooks.startContainer", kind="startContainer", hooks=hooks)]


def _plan_seccomp(
    spec: Spec, facts: HostFacts, warnings: list[str]
) -> tuple[LoadSeccomp | None, SendSeccompListener | None]:
    """The filter, and what main does with its listener, if there is one."""
    if spec.linux.seccomp is None or spec.process is None:
        return None, None
    from pyoci.plan.seccomp.steps import plan_filter

    load, send, unknown = plan_filter(spec.linux.seccomp, facts.machine)
    warnings += unknown
    return load, send
