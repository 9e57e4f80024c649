"""process -> the steps by which init becomes the container process (config.md, "Process")."""

from __future__ import annotations

from pyoci.plan.caps import plan_capabilities
from pyoci.plan.steps import (
    ChangeDirectory,
    ExecuteProcess,
    SetNoNewPrivileges,
    SetRlimit,
    SetUmask,
    SetUser,
    VerifyDirectory,
)
from pyoci.spec.model import Linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.step_types import ProcessInitStep
    from pyoci.spec.model import Process

# sys/resource.h; the same on every architecture pyoci knows.
RLIMITS = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}
_DEFAULT_UMASK = 0o022
NO_LINUX = Linux()


def plan_process(
    process: Process, linux: Linux = NO_LINUX, *, has_filter: bool
) -> tuple[list[ProcessInitStep], list[str]]:
    """The steps up to `created`, and warnings; ExecuteProcess comes after start."""
    steps: list[ProcessInitStep] = [
        SetRlimit(
            config=f"process.rlimits[{n}]",
            name=limit.type,
            resource=RLIMITS[limit.type],
            soft=limit.soft,
            hard=limit.hard,
        )
        for n, limit in enumerate(process.rlimits)
    ]
    if process.no_new_privileges:
        steps.append(SetNoNewPrivileges(config="process.noNewPrivileges"))
    if process.scheduler or process.io_priority or linux.personality or linux.memory_policy:
        # Only a config that asks for one of these pays for the module.
        from pyoci.plan.scheduling import plan_scheduling

        steps += plan_scheduling(process, linux)
    needs_admin = has_filter and not process.no_new_privileges
    drop, capabilities, warnings = plan_capabilities(
        process.capabilities, filter_needs_admin=needs_admin
    )
    steps += [
        drop,
        ChangeDirectory(config="process.cwd", path=process.cwd),
        _user(process),
        capabilities,
        _umask(process),
        VerifyDirectory(config="process.cwd", path=process.cwd),
    ]
    return steps, warnings


def asks_for_labels(process: Process | None, linux: Linux = NO_LINUX) -> bool:
    """Whether a security module is to label the process or its mounts (plan/labels.py)."""
    asked = process is not None and (process.apparmor_profile or process.selinux_label)
    return bool(asked or linux.mount_label)


def _user(process: Process) -> SetUser:
    user = process.user
    return SetUser(
        config="process.user", uid=user.uid, gid=user.gid, additional_gids=user.additional_gids
    )


def _umask(process: Process) -> SetUmask:
    mask = process.user.umask
    return SetUmask(config="process.user.umask", mask=_DEFAULT_UMASK if mask is None else mask)


def plan_execution(
    process: Process | None, preserve_fds: int, listen_fds: int
) -> ExecuteProcess | None:
    """The program: arguments, environment, and how many descriptors from 3 on it gets."""
    if process is None:
        return None
    env = process.env
    if listen_fds:
        env += (f"LISTEN_FDS={listen_fds}", "LISTEN_PID=1")
    return ExecuteProcess(
        config="process.args",
        args=process.args,
        env=last_wins(env),
        preserve_fds=preserve_fds + listen_fds,
        uid=process.user.uid,
    )


def last_wins(env: tuple[str, ...]) -> tuple[str, ...]:
    """The environment with one entry a name: the last one given, in its place."""
    by_name: dict[str, str] = {}
    for entry in env:
        name = entry.partition("=")[0]
        by_name.pop(name, None)
        by_name[name] = entry
    return tuple(by_name.values())
