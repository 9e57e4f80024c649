"""Whether init was killed for want of memory before it was the program.

Imported only for a container with a limit of memory: what init touches between `ready` and
execve(2) counts there, and its end would else look like that of the program.
"""

from __future__ import annotations

import posix

from pyoci.linux.pidfd import read_kernel_file

_COMM_MAX = 15  # TASK_COMM_LEN, without the zero


def check_became_program(pid: int, cgroup_path: str, program: str) -> None:
    """StepError if our child has ended without becoming this program, killed for want of memory.

    To be called once its close-on-exec descriptors are closed. By then it has the program's memory,
    or none at all (do_exit() lets go of memory before files); a zombie still has its name.
    """
    try:
        posix.readlink(f"/proc/{pid}/exe")
    except OSError:  # ENOENT: it has ended, as the program or before
        name = read_kernel_file(f"/proc/{pid}/comm").rstrip(b"\n")
        wanted = program.rpartition("/")[2].encode("utf-8", "surrogateescape")
        if name != wanted[:_COMM_MAX] and was_oom_killed(cgroup_path):
            from pyoci.engine.failures import killed_error

            raise killed_error() from None


def was_oom_killed(cgroup_path: str) -> bool:
    """Whether the kernel has killed in this cgroup (memory.events)."""
    try:
        events = read_kernel_file(f"{cgroup_path}/memory.events")
    except FileNotFoundError:  # no limit came to be: the controller is not there
        return False
    return events.partition(b"\noom_kill ")[2].split()[:1] != [b"0"]
