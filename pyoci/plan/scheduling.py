"""How the container process is scheduled, and on which memory and as which machine it runs.

process.scheduler and process.ioPriority (config.md, "Linux Process"), linux.personality and
linux.memoryPolicy (config-linux.md). Imported only for a config that has one of them.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.cpuset import check_list
from pyoci.plan.steps import SchedulingStep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyoci.spec.model import IoPriority, Linux, Process, Scheduler

# linux/sched.h
POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,  # reserved: no kernel has it yet
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
_KEEP = 0x08 | 0x10  # what is kept needs no values
_MAX_REALTIME_PRIORITY = 99  # sched(7)
_MIN_RUNTIME_NS = 1024  # sched(7): what the kernel's clock can tell apart

# linux/ioprio.h
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
_IO_CLASS_SHIFT = 13

# linux/personality.h
PERSONALITIES = {"LINUX": 0x0, "LINUX32": 0x8}

# linux/mempolicy.h
MEMORY_MODES = {
    "MPOL_DEFAULT": 0,
    "MPOL_PREFERRED": 1,
    "MPOL_BIND": 2,
    "MPOL_INTERLEAVE": 3,
    "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5,
    "MPOL_WEIGHTED_INTERLEAVE": 6,
}
MEMORY_FLAGS = {
    "MPOL_F_NUMA_BALANCING": 1 << 13,
    "MPOL_F_RELATIVE_NODES": 1 << 14,
    "MPOL_F_STATIC_NODES": 1 << 15,
}
_WITHOUT_NODES = ("MPOL_DEFAULT", "MPOL_LOCAL")
_NODES_OPTIONAL = ("MPOL_PREFERRED",)
_MAX_NODE = 1023  # MAX_NUMNODES of the largest kernel configuration, less one


class SetScheduler(SchedulingStep):
    """sched_setattr(2): numbers for policy and flags, times in ns; unused values are 0."""

    name: str
    policy: int
    flags: int = 0
    nice: int = 0
    priority: int = 0
    runtime_ns: int = 0
    deadline_ns: int = 0
    period_ns: int = 0


class SetIoPriority(SchedulingStep):
    """ioprio_set(2): `value` is the class and the priority in it, as the kernel has them."""

    name: str
    priority: int
    value: int


class SetPersonality(SchedulingStep):
    """personality(2): `persona` is the PER_ number of the domain."""

    name: str
    persona: int


class SetMemoryPolicy(SchedulingStep):
    """set_mempolicy(2): `mode` is the MPOL_ number with its flags."""

    name: str
    flags: tuple[str, ...] = ()
    mode: int
    nodes: tuple[int, ...] = ()


def plan_scheduling(process: Process, linux: Linux) -> list[SchedulingStep]:
    """The steps in runc's order; ConfigError for values that the kernel could only refuse."""
    steps: list[SchedulingStep] = []
    if process.scheduler is not None:
        steps.append(_scheduler(process.scheduler))
    if process.io_priority is not None:
        steps.append(_io_priority(process.io_priority))
    if linux.personality:
        persona = PERSONALITIES[linux.personality]
        steps.append(
            SetPersonality(config="linux.personality", name=linux.personality, persona=persona)
        )
    if linux.memory_policy is not None:
        steps.append(_memory_policy(linux.memory_policy))
    return steps


def _scheduler(scheduler: Scheduler) -> SetScheduler:
    flags = 0
    for name in scheduler.flags:
        flags |= SCHEDULER_FLAGS[name]
    if not flags & _KEEP:
        _check_realtime(scheduler)
        _check_deadline(scheduler)
    return SetScheduler(
        config="process.scheduler",
        name=scheduler.policy,
        policy=POLICIES[scheduler.policy],
        flags=flags,
        nice=scheduler.nice,
        priority=scheduler.priority,
        runtime_ns=scheduler.runtime,
        deadline_ns=scheduler.deadline,
        period_ns=scheduler.period,
    )


def _check_realtime(scheduler: Scheduler) -> None:
    if scheduler.policy not in ("SCHED_FIFO", "SCHED_RR"):
        return
    if not 1 <= scheduler.priority <= _MAX_REALTIME_PRIORITY:
        reason = f"{scheduler.policy} needs 1 to {_MAX_REALTIME_PRIORITY}, got {scheduler.priority}"
        raise ConfigError("process.scheduler.priority", reason)


def _check_deadline(scheduler: Scheduler) -> None:
    """Runtime, deadline and period in this order; a period of 0 is the deadline (sched(7))."""
    if scheduler.policy != "SCHED_DEADLINE":
        return
    runtime, deadline = scheduler.runtime, scheduler.deadline
    if runtime < _MIN_RUNTIME_NS:
        reason = f"SCHED_DEADLINE needs at least {_MIN_RUNTIME_NS} ns, got {runtime}"
        raise ConfigError("process.scheduler.runtime", reason)
    if deadline < runtime:
        reason = f"{deadline} ns is less than runtime, {runtime}"
        raise ConfigError("process.scheduler.deadline", reason)
    if scheduler.period and scheduler.period < deadline:
        reason = f"{scheduler.period} ns is less than deadline, {deadline}"
        raise ConfigError("process.scheduler.period", reason)


def _io_priority(priority: IoPriority) -> SetIoPriority:
    return SetIoPriority(
        config="process.ioPriority",
        name=priority.io_class,
        priority=priority.priority,
        value=IO_CLASSES[priority.io_class] << _IO_CLASS_SHIFT | priority.priority,
    )


def _memory_policy(policy: dict[str, Any]) -> SetMemoryPolicy:
    name = policy["mode"]
    nodes = parse_nodes(policy.get("nodes") or "", "linux.memoryPolicy.nodes")
    if nodes and name in _WITHOUT_NODES:
        raise ConfigError("linux.memoryPolicy.nodes", f"{name} takes no nodes")
    if not nodes and name not in (*_WITHOUT_NODES, *_NODES_OPTIONAL):
        raise ConfigError("linux.memoryPolicy.nodes", f"{name} needs at least one node")
    words = tuple(policy.get("flags") or ())
    if {"MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"} <= {*words}:
        reason = "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other"
        raise ConfigError("linux.memoryPolicy.flags", reason)
    mode = MEMORY_MODES[name]
    for word in words:
        mode |= MEMORY_FLAGS[word]
    return SetMemoryPolicy(
        config="linux.memoryPolicy", name=name, flags=words, mode=mode, nodes=nodes
    )


def parse_nodes(text: str, path: str) -> tuple[int, ...]:
    """The numbers of a list like ``0-3,7``, sorted, each once; ConfigError at `path`."""
    if not text.strip():
        return ()
    found: set[int] = set()
    for part in check_list(text, path).split(","):
        first, _, last = part.partition("-")
        start, end = int(first), int(last or first)
        if end > _MAX_NODE:
            raise ConfigError(path, f"{end} is no memory node (0 to {_MAX_NODE})")
        found.update(range(start, end + 1))
    return tuple(sorted(found))
