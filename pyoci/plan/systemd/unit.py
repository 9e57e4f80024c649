"""The unit of a container: its name, its place and what it is started with."""

from __future__ import annotations

from pyoci.errors import UnsupportedError
from pyoci.plan.steps import (
    AwaitUnit,
    CloneSibling,
    EnableControllers,
    MakeCgroup,
    SetUnitProperties,
    StartUnit,
    WriteCgroup,
)
from pyoci.plan.systemd.annotations import plan_annotations
from pyoci.plan.systemd.devices import plan_device_properties
from pyoci.plan.systemd.model import Property, UnitPlan
from pyoci.plan.systemd.names import parse_unit_name
from pyoci.plan.systemd.properties import plan_limit_properties
from pyoci.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan, CreateRequest, HostFacts
    from pyoci.plan.step_types import InitStep, LimitStep
    from pyoci.plan.systemd.names import UnitName
    from pyoci.spec.model import Spec

_ACCOUNTING = ("MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting")


def plan_unit(spec: Spec, request: CreateRequest, facts: HostFacts) -> UnitPlan:
    """The unit; ConfigError for a bad linux.cgroupsPath or annotation.

    Its limits are not among the properties: like all limits they are set once
    init has made its mounts.
    """
    systemd = facts.systemd
    if systemd is None or not facts.cgroup_mount:
        raise UnsupportedError("no cgroup2 filesystem is mounted", "systemd must have it")
    unit = parse_unit_name(spec.linux.cgroups_path, request.container_id, rootless=systemd.is_users)
    own = (
        Property(name="Description", signature="s", value=describe_unit(request)),
        *_placing(unit),
        *[Property(name=name, signature="b", value=True) for name in _ACCOUNTING],
        Property(name="DefaultDependencies", signature="b", value=False),
    )
    properties = (*own, *plan_annotations(spec.annotations))
    descriptions = [made.value for made in properties if made.name == "Description"]
    return UnitPlan(
        name=unit.name,
        slice=unit.slice,
        description=str(descriptions[-1]),
        cgroup=f"{systemd.cgroup}{unit.cgroup}",
        properties=properties,
    )


def describe_unit(request: CreateRequest) -> str:
    """What the unit is known by as this container's: nobody else has this id in this root."""
    text = f"pyoci container {request.container_id} in {request.root}"
    return "".join([char if char.isprintable() else "?" for char in text])


def _placing(unit: UnitName) -> tuple[Property, ...]:
    if unit.is_slice:
        return (Property(name="Wants", signature="as", value=[unit.slice]),)
    return (
        Property(name="Slice", signature="s", value=unit.slice),
        Property(name="Delegate", signature="b", value=True),
    )


def add_unit(plan: CreatePlan, unit: UnitPlan, spec: Spec, facts: HostFacts) -> CreatePlan:
    """The plan with the unit in the place of a cgroup that we make.

    init is cloned beside us then, since a unit is started with a process that exists.
    """
    config = "linux.cgroupsPath"
    start = StartUnit(config=config, unit=unit.name, properties=unit.properties)
    return replace(
        plan,
        before=tuple([step for step in plan.before if not isinstance(step, MakeCgroup)]),
        limits=_with_unit_limits(plan.limits, unit, spec, facts),
        beside=(start, *plan.beside),
        init=_with_await_unit(plan.init, AwaitUnit(config=config)),
        unit=unit,
    )


def _with_await_unit(init: tuple[InitStep, ...], wait: AwaitUnit) -> tuple[InitStep, ...]:
    """A cgroup namespace shows the cgroup in which it was made as its root: before that.

    Before all else, but not in the process that only makes the sibling which is to be init.
    """
    siblings = [n for n, step in enumerate(init) if isinstance(step, CloneSibling)]
    at = max(siblings, default=-1) + 1
    return (*init[:at], wait, *init[at:])


def _with_unit_limits(
    limits: tuple[LimitStep, ...], unit: UnitPlan, spec: Spec, facts: HostFacts
) -> tuple[LimitStep, ...]:
    """systemd is told before the files are written: what it rounds is exact in the end."""
    version = facts.systemd.version if facts.systemd else 0
    writes = [step for step in limits if isinstance(step, WriteCgroup)]
    properties = (
        *plan_device_properties(spec.linux.device_rules, version),
        *plan_limit_properties(writes, version),
    )
    change = SetUnitProperties(config="linux.resources", unit=unit.name, properties=properties)
    at = next(n for n, step in enumerate(limits) if not isinstance(step, EnableControllers))
    return (*limits[:at], change, *limits[at:])
