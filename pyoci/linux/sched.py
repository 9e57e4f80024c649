"""How the kernel schedules our process: sched_setattr(2) for processors, ioprio_set(2) for I/O."""

from __future__ import annotations

import sys

from pyoci.linux.libc import number_of, syscall

_SCHED_ATTR_SIZE = 56  # SCHED_ATTR_SIZE_VER1 (linux/sched/types.h): with the two utilization clamps
_IOPRIO_WHO_PROCESS = 1  # linux/ioprio.h; 2, the process group, would be that of our caller


def sched_setattr(  # noqa: PLR0913  (struct sched_attr has them all)
    policy: int,
    flags: int,
    nice: int,
    priority: int,
    runtime_ns: int,
    deadline_ns: int,
    period_ns: int,
) -> None:
    """Set our policy, SCHED_FLAG_ flags and what the policy uses of the rest (sched_setattr(2)).

    OSError: EPERM without CAP_SYS_NICE or within a cpuset, EINVAL for what does not fit the
    policy, EBUSY if the deadlines of all processes could not be kept any more.
    """
    fields = (
        (_SCHED_ATTR_SIZE, 4),
        (policy, 4),
        (flags, 8),
        (nice & 0xFFFFFFFF, 4),
        (priority, 4),
        (runtime_ns, 8),
        (deadline_ns, 8),
        (period_ns, 8),
        (0, 4),  # util_min
        (0, 4),  # util_max
    )
    attributes = b"".join([value.to_bytes(size, sys.byteorder) for value, size in fields])
    syscall(number_of("sched_setattr"), 0, attributes, 0)


def ioprio_set(value: int) -> None:
    """Set our I/O priority, class and level in one (ioprio_set(2)); children inherit it."""
    syscall(number_of("ioprio_set"), _IOPRIO_WHO_PROCESS, 0, value)
