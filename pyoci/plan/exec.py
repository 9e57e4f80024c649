"""exec: one more process in a container -> the steps by which it gets there. Pure.

What it is made of is the container's own process, or the caller's process file, with the options
of the command line on top; how it becomes that is what `create` does, step by step.
"""

from __future__ import annotations

from pyoci.errors import ConfigError, PyociError, UsageError
from pyoci.paths import clean
from pyoci.plan.caps import NAMES
from pyoci.plan.process import asks_for_labels, plan_execution, plan_process
from pyoci.plan.steps import (
    BecomeRoot,
    CloneSibling,
    JoinSessionKeyring,
    LoadSeccomp,
    SetOomScoreAdj,
    Step,
)
from pyoci.record import Record, replace
from pyoci.spec.model import Capabilities, Process
from pyoci.spec.rules_process import check_process
from pyoci.spec.users import parse_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pyoci.plan.step_types import ProcessInitStep
    from pyoci.plan.steps import ExecuteProcess, LabelStep, SendSeccompListener, SetUpTerminal
    from pyoci.spec.model import Linux
    from pyoci.spec.users import Identity

_MAX_CPU = 1 << 16


class ExecRequest(Record):
    """One `exec`, as the command line asked for it; paths of the host are absolute or empty."""

    container_id: str
    root: str
    args: tuple[str, ...] = ()
    process_file: str = ""
    cwd: str = ""
    env: tuple[str, ...] = ()
    user: str = ""
    additional_gids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = False
    process_label: str = ""
    apparmor: str = ""
    cgroup: str = ""
    ignore_paused: bool = False
    tty: bool = False
    console_socket: str = ""
    pidfd_socket: str = ""
    pid_file: str = ""
    detach: bool = False
    preserve_fds: int = 0
    listen_fds: int = 0


class ExecFacts(Record):
    """What an exec depends on of the machine, its security modules if need be, and of the user."""

    machine: str
    euid: int = 0
    modules: tuple[str, ...] = ()


class JoinNamespaces(Step):
    """Enter these namespaces of the container's init, by its pidfd, in one call (setns(2))."""

    kinds: tuple[str, ...]


class EnterRoot(Step):
    """Make init's root ours, where no mount namespace of the container does (chroot(2))."""


class SetCpuAffinity(Step):
    """Run on these CPUs only (sched_setaffinity(2))."""

    cpus: tuple[int, ...]


if TYPE_CHECKING:
    ExecStep: TypeAlias = (
        JoinNamespaces
        | EnterRoot
        | SetCpuAffinity
        | SetOomScoreAdj
        | BecomeRoot
        | CloneSibling
        | JoinSessionKeyring
        | SetUpTerminal
        | ProcessInitStep
    )


class ExecPlan(Record):
    """Everything that the new process does, in order.

    `initial_cpus` are main's while it makes the process, in the cgroup at `cgroup` below the
    container's and, if so, in its pid namespace; `init` is what the process does until its program
    is to be found, `ready` the filter if it has a listener, which main sends as `send_listener`
    says, `start` any other filter, right before execve, `process` the program. With
    `awaits_start` it goes on only when main has the terminal in hand.
    """

    container_id: str
    cgroup: str
    initial_cpus: tuple[int, ...]
    pid_namespace: bool
    has_limits: bool
    init: tuple[ExecStep, ...]
    start: tuple[LoadSeccomp, ...]
    process: ExecuteProcess
    listens: bool
    terminal: bool = False
    awaits_start: bool = False
    ready: tuple[LoadSeccomp, ...] = ()
    send_listener: SendSeccompListener | None = None
    warnings: tuple[str, ...] = ()


def plan_request(base: Process, request: ExecRequest, identity: Identity | None) -> Process:
    """The process with what the options change; UsageError, ConfigError, UnsupportedError."""
    process = replace(
        base,
        args=request.args or base.args,
        cwd=request.cwd or base.cwd,
        env=base.env + _checked_env(request.env),
        no_new_privileges=base.no_new_privileges or request.no_new_privileges,
        terminal=base.terminal or request.tty,
        apparmor_profile=request.apparmor or base.apparmor_profile,
        selinux_label=request.process_label or base.selinux_label,
    )
    if not process.args:
        raise PyociError("exec args cannot be empty")
    if process.terminal or request.console_socket:
        from pyoci.plan.terminal import check_terminal

        check_terminal(process, request.console_socket, detached=request.detach)
    if request.capabilities:
        process = replace(process, capabilities=_with_capabilities(base, request.capabilities))
    process = _with_identity(process, request, identity)
    check_process(process)
    return process


def _checked_env(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        if entry.find("=") < 1:  # the value is not shown: it may be a secret
            raise UsageError("--env: expected NAME=value with a name")
    return entries


def _with_capabilities(base: Process, given: tuple[str, ...]) -> Capabilities:
    """More of them; never inheritable, and ambient only where the config has it inheritable."""
    names = tuple([name.upper() for name in given])
    for name in names:
        if name not in NAMES:
            raise UsageError(f"--cap: unknown capability {name!a}")
    sets = base.capabilities or Capabilities()
    return replace(
        sets,
        bounding=sets.bounding + names,
        effective=sets.effective + names,
        permitted=sets.permitted + names,
        ambient=sets.ambient + tuple([name for name in names if name in sets.inheritable]),
    )


def _with_identity(process: Process, request: ExecRequest, identity: Identity | None) -> Process:
    """Another user, as far as one was given; more groups are added to those it has then."""
    user = process.user
    if identity is not None:
        user = replace(user, uid=identity.uid)
        if identity.gid is not None:
            user = replace(user, gid=identity.gid)
        if identity.additional_gids is not None:
            user = replace(user, additional_gids=identity.additional_gids)
    more = [parse_id(word, "--additional-gids") for word in request.additional_gids]
    gids = tuple(dict.fromkeys([*user.additional_gids, *more]))
    return replace(process, user=replace(user, additional_gids=gids))


def plan_exec(
    process: Process,
    linux: Linux,
    request: ExecRequest,
    facts: ExecFacts,
) -> ExecPlan:
    """The plan; UnsupportedError if there is none."""
    loads, send, warnings = _plan_filter(linux, facts.machine)
    privileged = facts.euid == 0
    affinity = process.exec_cpu_affinity
    steps, process_warnings = plan_process(process, linux, has_filter=bool(loads))
    program = plan_execution(process, request.preserve_fds, request.listen_fds)
    if program is None:  # only where there is no process
        raise PyociError("exec args cannot be empty")
    return ExecPlan(
        container_id=request.container_id,
        cgroup=_plan_cgroup(request.cgroup),
        initial_cpus=_parse_cpus(affinity.initial, "initial") if affinity else (),
        pid_namespace=privileged and any(n.type == "pid" for n in linux.namespaces),
        has_limits=bool((linux.resources or {}).keys() - {"devices"}),
        init=(
            *_plan_labels(process, facts.modules),
            *_plan_entry(process, linux, request.container_id, privileged=privileged),
            *steps,
        ),
        start=loads if send is None else (),
        ready=loads if send is not None else (),
        send_listener=send,
        process=program,
        listens=request.listen_fds > 0,
        terminal=process.terminal,
        awaits_start=process.terminal and not request.detach,
        warnings=(*process_warnings, *warnings),
    )


def _plan_entry(
    process: Process, linux: Linux, container_id: str, *, privileged: bool
) -> list[ExecStep]:
    """What comes first: the limits that only the host's procfs sets, then into the container.

    An ordinary user may enter its pid namespace only from inside of its user namespace, which
    takes one more process to be born there.
    """
    steps: list[ExecStep] = []
    affinity = process.exec_cpu_affinity
    if affinity and affinity.final:
        cpus = _parse_cpus(affinity.final, "final")
        steps.append(SetCpuAffinity(config="process.execCPUAffinity.final", cpus=cpus))
    if process.oom_score_adj is not None:
        adjust = process.oom_score_adj
        steps.append(
            SetOomScoreAdj(config="process.oomScoreAdj", value=adjust, optional=not privileged)
        )
    kinds = tuple([namespace.type for namespace in linux.namespaces])
    if joined := tuple([kind for kind in kinds if kind != "pid" or not privileged]):
        steps.append(JoinNamespaces(config="linux.namespaces", kinds=joined))
    if "pid" in joined:
        steps.append(CloneSibling(config="linux.namespaces", kinds=()))
    if "mount" not in kinds:
        steps.append(EnterRoot(config="root.path"))
    if "user" in kinds:
        steps.append(BecomeRoot(config="linux.namespaces"))
    steps.append(JoinSessionKeyring(name=f"_ses.{container_id}"))
    if process.terminal:
        from pyoci.plan.terminal import plan_terminal

        # /dev/console stays what it is: the terminal of init.
        steps.append(plan_terminal(process, None))
    return steps


def _plan_labels(process: Process, modules: tuple[str, ...]) -> list[LabelStep]:
    """By the host's procfs, before anything of the container is in reach; the key ring comes yet.

    They count at the next execve, and nobody but we do one till then.
    """
    if not asks_for_labels(process):
        return []
    from pyoci.plan.labels import plan_key_label, plan_labels

    return [*plan_labels(process, modules), *plan_key_label(process)]


def _plan_filter(
    linux: Linux, machine: str
) -> tuple[tuple[LoadSeccomp, ...], SendSeccompListener | None, list[str]]:
    """The container's filter holds for whatever runs in it."""
    if linux.seccomp is None:
        return (), None, []
    from pyoci.plan.seccomp.steps import plan_filter

    load, send, warnings = plan_filter(linux.seccomp, machine)
    return (load,), send, warnings


def _plan_cgroup(path: str) -> str:
    """The cgroup below the container's, from its directory on; empty for the container's own.

    UsageError for `..`: no path leads out of the container's (SECURITY: R-CG-1).
    """
    if ".." in path.split("/"):
        raise UsageError(f"--cgroup: must not lead upwards by ..: {path!a}")
    if ":" in path:
        raise UsageError(f"--cgroup: cgroup v2 has one tree, no controllers to choose: {path!a}")
    inner = clean(path)
    return "" if inner == "/" else inner


def _parse_cpus(text: str, name: str) -> tuple[int, ...]:
    """The numbers of a list like ``0-3,7``; ConfigError."""
    if not text:
        return ()
    path = f"process.execCPUAffinity.{name}"
    from pyoci.plan.cgroup.cpuset import check_list

    cpus: set[int] = set()
    for part in check_list(text, path).split(","):
        first, _, last = part.partition("-")
        if int(last or first) > _MAX_CPU:
            raise ConfigError(path, f"{last or first} is no CPU (0 to {_MAX_CPU})")
        cpus.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(cpus))


def describe_step(step: ExecStep) -> str:
    """What a step does, in a few words: for the error of a failed one."""
    if isinstance(step, JoinNamespaces):
        return f"join {', '.join(step.kinds)} namespaces"
    if isinstance(step, EnterRoot):
        return "enter the rootfs by chroot"
    if isinstance(step, SetCpuAffinity):
        return f"run on CPUs {', '.join(map(str, step.cpus))}"
    from pyoci.plan.render import describe

    return describe(step)
