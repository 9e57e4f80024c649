"""create: from config.json to a container that waits for `start`."""

from __future__ import annotations

import posix
import time

from pyoci.cgroup.manager import find_missing
from pyoci.engine.handover import check_preserved, write_pid_file
from pyoci.engine.main_process import MainProcess
from pyoci.engine.protect import protect_interpreter
from pyoci.engine.undo import Undo
from pyoci.errors import ContainerExists, StateError, StepError, describe_oserror
from pyoci.host.facts import read_facts
from pyoci.host.files import read_config
from pyoci.jsonio import dumps
from pyoci.linux.pidfd import keep_dead_children, read_process
from pyoci.paths import absolute
from pyoci.plan.build import build_plan
from pyoci.plan.process import asks_for_labels
from pyoci.record import replace
from pyoci.spec.parse import parse_config
from pyoci.spec.rules import check_spec
from pyoci.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyoci.engine.debug import Log
    from pyoci.plan.model import CreatePlan, CreateRequest, HostFacts
    from pyoci.state.store import ContainerState


class Creation:
    """A container that was created by us and that we are the parent of."""

    def __init__(self, request: CreateRequest, plan: CreatePlan, main: MainProcess) -> None:
        """Take what was asked for, the plan and the finished main process."""
        self.request = request
        self.plan = plan
        self.main = main

    @property
    def state(self) -> ContainerState:
        """The state as it is stored."""
        return self.main.state


def create(request: CreateRequest, log: Log) -> None:
    """Create the container; on failure everything is undone and the first error raised.

    ConfigError, UnsupportedError, ContainerExists, StateError, StepError.
    """
    protect_interpreter(log)
    prepare(request, log, wait_on_fifo=True)


def plan_create(request: CreateRequest) -> tuple[CreatePlan, HostFacts, dict[str, Any]]:
    """The plan of a create, the facts it stands on and the config; nothing is changed."""
    posix.chdir(request.bundle)
    config = read_config(absolute(request.config_path, request.bundle))
    spec = parse_config(config)
    check_spec(spec)
    facts = read_facts(request.rootless)
    if asks_for_labels(spec.process, spec.linux):
        from pyoci.host.lsm import read_modules

        facts = replace(facts, modules=read_modules())
    if request.systemd_cgroup:
        from pyoci.engine.unit import add_systemd_facts

        facts = add_systemd_facts(facts, request)
    return build_plan(spec, request, facts), facts, config


def prepare(request: CreateRequest, log: Log, *, wait_on_fifo: bool) -> Creation:
    """Do what create and run share; returns when init is ready and the state says so.

    The interpreter must be protected by now (`protect_interpreter`).
    """
    _check_free(request)
    keep_dead_children()
    check_preserved(request.listen_fds + request.preserve_fds)
    try:
        return _attempt(request, log, wait_on_fifo=wait_on_fifo)
    except StepError as error:
        if not _is_of_user_namespace(request, error):
            raise
        log("debug", f"root of a user namespace only: {error.message}")
    return _attempt(replace(request, rootless="true"), log, wait_on_fifo=wait_on_fifo)


def _is_of_user_namespace(request: CreateRequest, error: BaseException) -> bool:
    """Whether that is what only root of the whole machine may do, but we are root in there.

    Nobody has to look for it beforehand, which would cost everybody a system call.
    """
    if not isinstance(error, StepError) or not error.is_about_cgroups:
        return False
    if request.rootless != "auto" or posix.geteuid() != 0:
        return False
    from pyoci.host.rootless import in_user_namespace

    return in_user_namespace()


def _attempt(request: CreateRequest, log: Log, *, wait_on_fifo: bool) -> Creation:
    plan, facts, config = plan_create(request)
    for warning in plan.warnings:
        log("warning", warning)
    if log.debug:
        from pyoci.engine.debug import explain_create

        explain_create(plan, log)
    undo = Undo()
    try:
        dir_fd = _make_directory(request, undo)
        if plan.notify:
            store.make_notify_directory(dir_fd)
        state = _first_state(request, plan, facts)
        store.write_state(dir_fd, state)
        store.write_file(dir_fd, store.CONFIG, render_config(config, state))
        main = MainProcess(plan, facts, dir_fd, state, undo)
        _carry_out(request, main, wait_on_fifo=wait_on_fifo)
        log("debug", f"init is ready: process {main.pid}")
        return Creation(request, plan, main)
    except BaseException as error:
        problems = undo.run()
        if not _is_of_user_namespace(request, error):
            _run_poststop_after_failure(request, plan, facts, log)
        if problems:
            error.add_note("; ".join(problems))
            log("warning", f"undoing the create: {'; '.join(problems)}")
        raise


def render_config(config: dict[str, Any], state: ContainerState) -> bytes:
    """config.json as it is stored: with the cgroups that we make, should state.json be damaged."""
    return dumps({**config, "pyoci": {"cgroups_made": list(state.cgroups_made)}}).encode()


def _check_free(request: CreateRequest) -> None:
    """Refuse a taken id before anything else: its config must not even be looked at."""
    try:
        posix.stat(f"{request.root}/{request.container_id}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(describe_oserror(error), _hint_for_root(error)) from None
    raise ContainerExists(request.container_id)


def _hint_for_root(error: OSError) -> str:
    if isinstance(error, PermissionError) and posix.geteuid() != 0:
        return "set XDG_RUNTIME_DIR, or give a directory of your own with --root"
    return ""


def _carry_out(request: CreateRequest, main: MainProcess, *, wait_on_fifo: bool) -> None:
    main.make_init(wait_on_fifo=wait_on_fifo)
    if wait_on_fifo:
        main.let_go()
    if request.pid_file:
        write_pid_file(request.pid_file, main.pid)
    if wait_on_fifo:
        write_created(main)
        main.await_parting()


def write_created(main: MainProcess) -> None:
    """Have the state say that create is done."""
    main.state = replace(main.state, being_created=False)
    store.write_state(main.dir_fd, main.state)


def _make_directory(request: CreateRequest, undo: Undo) -> int:
    try:
        dir_fd = store.make_directory(request.root, request.container_id)
    except OSError as error:
        detail = describe_oserror(error)
        step = f"make the state directory {request.root}/{request.container_id}"
        hint = _hint_for_root(error)
        raise StepError("main", step, detail, error.errno or 0, hint=hint) from None
    undo.push(
        "remove the state directory",
        lambda: store.remove_directory(request.root, request.container_id, dir_fd),
    )
    return dir_fd


def _first_state(request: CreateRequest, plan: CreatePlan, facts: HostFacts) -> ContainerState:
    """What `delete --force` needs, before there is anything to delete."""
    pid = posix.getpid()
    found = read_process(pid)
    state = store.ContainerState(
        container_id=request.container_id,
        oci_version=plan.oci_version,
        bundle=request.bundle,
        rootfs=plan.rootfs,
        created=utc_now(),
        annotations=plan.annotations,
        cgroup_path=(facts.cgroup_mount + plan.cgroup).rstrip("/") if plan.cgroup else "",
        cgroups_made=_find_missing(plan, facts),
        creator_pid=pid,
        creator_start_time=found[1] if found else 0,
        being_created=True,
        own_pid_namespace=plan.own_pid_namespace,
    )
    if plan.unit is None or facts.systemd is None:
        return state
    return replace(
        state,
        unit=plan.unit.name,
        unit_bus=facts.systemd.address,
        unit_description=plan.unit.description,
    )


def _find_missing(plan: CreatePlan, facts: HostFacts) -> tuple[str, ...]:
    """The cgroups that we shall make: none where systemd makes it, or where there is none."""
    if plan.unit or not plan.cgroup:
        return ()
    return find_missing(facts.cgroup_mount, plan.cgroup)


def utc_now() -> str:
    """The time as RFC 3339 with nanoseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09}Z"


def _run_poststop_after_failure(
    request: CreateRequest, plan: CreatePlan, facts: HostFacts, log: Log
) -> None:
    """A create that got to its hooks ends with the poststop ones (runtime.md, "Lifecycle")."""
    hooks = plan.hooks
    if not hooks.poststop or not (hooks.prestart or hooks.create_runtime or hooks.create_container):
        return
    from pyoci.engine.remove import run_poststop

    run_poststop(_first_state(request, plan, facts), hooks.poststop, log)
