"""What few configs ask of init: scheduler, I/O priority, personality, memory policy.

Imported only for a plan with such a step, by main, before init's imports are sealed.
"""

from __future__ import annotations

from pyoci.linux import mempolicy, personality, sched
from pyoci.plan import scheduling as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.plan.steps import SchedulingStep


def apply_scheduling(step: SchedulingStep) -> None:
    """Carry one of these steps out."""
    _APPLY[type(step)](step)


def set_scheduler(step: s.SetScheduler) -> None:
    """What sched_setattr(2) takes."""
    times = (step.runtime_ns, step.deadline_ns, step.period_ns)
    sched.sched_setattr(step.policy, step.flags, step.nice, step.priority, *times)


_APPLY: dict[type[SchedulingStep], Callable[..., None]] = {
    s.SetScheduler: set_scheduler,
    s.SetIoPriority: lambda step: sched.ioprio_set(step.value),
    s.SetPersonality: lambda step: personality.set_personality(step.persona),
    s.SetMemoryPolicy: lambda step: mempolicy.set_mempolicy(step.mode, step.nodes),
}
