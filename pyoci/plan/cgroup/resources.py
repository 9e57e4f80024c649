"""linux.resources to one plan: every controller's writes in order, and what is ignored.

The device rules are not here: they become a program (``devices.py``). Each
controller's module is imported only if its section is there, since most
configs have few and each import is paid in every start.
"""

from __future__ import annotations

from pyoci.plan.cgroup.model import CgroupWrite, ResourcePlan, UsageCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.cgroup.model import Section


def plan_resources(resources: Section, *, page_size: int = 4096) -> ResourcePlan:
    """The plan for a `linux.resources` object that the schema has accepted.

    Raises ConfigError for a value that the kernel would refuse, so that nothing
    is half applied for a reason that could be known before. `page_size` is the
    machine's, in bytes.
    """
    if not any(value for key, value in resources.items() if key != "devices"):
        return ResourcePlan()
    from pyoci.plan.cgroup.ignored import render_ignored

    memory, checks = _plan_memory(resources.get("memory") or {}, page_size)
    writes = (
        *_plan_pids(resources.get("pids") or {}),
        *memory,
        *_plan_block_io(resources.get("blockIO") or {}),
        *_plan_cpu(resources.get("cpu") or {}),
        *_plan_hugetlb(resources.get("hugepageLimits") or []),
        *_plan_rdma(resources.get("rdma") or {}),
        # Last, because its author may want to refine what the others set.
        *_plan_unified(resources.get("unified") or {}),
    )
    return ResourcePlan(writes=writes, checks=checks, notes=render_ignored(resources))


def needed_controllers(plan: ResourcePlan) -> tuple[str, ...]:
    """The controllers that the parent must enable for these writes, in order of first use.

    One that only `optional` writes need is not among them.
    """
    needed = {write.controller: None for write in plan.writes if not write.optional}
    needed.pop("", None)
    return tuple(needed)


def _plan_pids(pids: Section) -> tuple[CgroupWrite, ...]:
    if not pids:
        return ()
    from pyoci.plan.cgroup.pids import plan_pids

    return plan_pids(pids)


def _plan_memory(
    memory: Section, page_size: int
) -> tuple[tuple[CgroupWrite, ...], tuple[UsageCheck, ...]]:
    if not memory:
        return (), ()
    from pyoci.plan.cgroup.memory import plan_memory, plan_memory_checks

    return plan_memory(memory, page_size), plan_memory_checks(memory)


def _plan_block_io(block_io: Section) -> tuple[CgroupWrite, ...]:
    if not block_io:
        return ()
    from pyoci.plan.cgroup.block_io import plan_block_io

    return plan_block_io(block_io)


def _plan_cpu(cpu: Section) -> tuple[CgroupWrite, ...]:
    if not cpu:
        return ()
    from pyoci.plan.cgroup.cpu import plan_cpu
    from pyoci.plan.cgroup.cpuset import plan_cpuset

    return (*plan_cpu(cpu), *plan_cpuset(cpu))


def _plan_hugetlb(limits: list[Section]) -> tuple[CgroupWrite, ...]:
    if not limits:
        return ()
    from pyoci.plan.cgroup.hugetlb import plan_hugetlb

    return plan_hugetlb(limits)


def _plan_rdma(devices: Section) -> tuple[CgroupWrite, ...]:
    if not devices:
        return ()
    from pyoci.plan.cgroup.rdma import plan_rdma

    return plan_rdma(devices)


def _plan_unified(unified: Section) -> tuple[CgroupWrite, ...]:
    if not unified:
        return ()
    from pyoci.plan.cgroup.unified import plan_unified

    return plan_unified(unified)
