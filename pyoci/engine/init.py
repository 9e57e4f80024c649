"""The init process: from clone3 to execve.

Rules for everything that runs here (SECURITY.md in this project tells why):
nothing is imported after `seal`, no thread, no logging; no exception reaches
the interpreter; the process ends in execve or _exit.
"""

from __future__ import annotations

import gc
import posix

from pyoci.cgroup.manager import enter
from pyoci.engine import sync
from pyoci.engine.execute import Execution
from pyoci.engine.process_steps import load_with_listener, seal
from pyoci.engine.steps import InitContext, apply_init_step, run_container_hooks
from pyoci.engine.sync import Failure, failure_of
from pyoci.errors import StepError
from pyoci.linux import prctl
from pyoci.linux.clone import LAST_FD, close_range
from pyoci.linux.sockets import import_socket
from pyoci.plan.rootfs_steps import MountFilesystem, PivotRoot
from pyoci.plan.steps import (
    AwaitIdMaps,
    ChangeDirectory,
    CloneSibling,
    LabelStep,
    LoadSeccomp,
    OpenSource,
    RunHooks,
    SchedulingStep,
    SetUpTerminal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from pyoci.plan.model import CreatePlan
    from pyoci.plan.steps import Step

_SIGKILL = 9


class Inheritance:
    """What init gets from main: descriptors.

    fifo_fd is -1 where main itself will say `start`, console_fd where there is no terminal,
    entry_fd where clone3 has put init into its cgroup.
    """

    def __init__(
        self,
        sync_fd: int,
        fifo_fd: int,
        result_fd: int,
        console_fd: int,
        namespace_fds: dict[str, int],
    ) -> None:
        """Take them."""
        self.source_fds: dict[str, int] = {}
        self.sync_fd = sync_fd
        self.console_fd = console_fd
        self.fifo_fd = fifo_fd
        self.result_fd = result_fd
        self.namespace_fds = namespace_fds
        self.entry_fd = -1


def import_for_init(plan: CreatePlan) -> None:
    """Import what only some plans need: main calls this before there is an init to be sealed."""
    steps = (*plan.init, *plan.ready, *plan.start)
    if any(isinstance(step, CloneSibling) for step in steps):
        import pyoci.engine.intermediate
    if any(isinstance(step, OpenSource) for step in steps):
        import pyoci.engine.sources
    if any(isinstance(step, RunHooks) for step in steps):
        import pyoci.engine.hooks
    if any(isinstance(step, LoadSeccomp) for step in steps):
        import pyoci.linux.seccomp
    if any(isinstance(step, SchedulingStep) for step in steps):
        import pyoci.engine.scheduling
    if any(isinstance(step, LabelStep) or _has_label(step) for step in steps):
        import pyoci.engine.labels
    if any(isinstance(step, SetUpTerminal) for step in steps):
        import pyoci.engine.console

        import_socket()
    if any(isinstance(step, MountFilesystem) and step.copy_up for step in steps):
        import pyoci.engine.copyup
    if any(isinstance(step, PivotRoot) and step.how == "move" for step in steps):
        import pyoci.engine.move_root  # noqa: F401


def _has_label(step: Step) -> bool:
    return isinstance(step, MountFilesystem) and step.label != ""


def is_visible(plan: CreatePlan) -> bool:
    """Whether main, an ordinary user, has to use init's files in /proc before it has its ids."""
    return any(isinstance(step, AwaitIdMaps) and step.visible for step in plan.init)


def run_init(plan: CreatePlan, given: Inheritance) -> NoReturn:
    """Be init until the program runs; never returns."""
    report = _Report(given.sync_fd)
    try:
        gc.disable()
        seal()
        prctl.set_parent_death_signal(_SIGKILL)
        if not is_visible(plan):
            prctl.set_dumpable(dumpable=False)
        if given.entry_fd >= 0:
            enter(given.entry_fd)
        posix.setsid()  # no terminal of the caller is ours, nor its job control
        posix.umask(0)
        _run(plan, given, report)
    except BaseException as error:  # nothing may reach the interpreter
        report.send(failure_of(error, report.step))
    posix._exit(1)  # noqa: SLF001  (its name)


class _Report:
    """Where a failure goes: to main, and once we wait for `start`, to whoever starts us."""

    def __init__(self, sync_fd: int) -> None:
        self.step = sync.OTHER
        self._send: Callable[[Failure], None] = lambda failure: sync.send_failure(sync_fd, failure)

    def to_file(self, result_fd: int) -> None:
        """From now on into exec.result."""

        def write(failure: Failure) -> None:
            posix.write(result_fd, sync.encode_failure(failure))

        self._send = write

    def send(self, failure: Failure) -> None:
        try:
            self._send(failure)
        except OSError:  # a full disk: the start will say that init ended without a word
            return


def _run(plan: CreatePlan, given: Inheritance, report: _Report) -> None:
    context = InitContext(plan, given.sync_fd, given.namespace_fds)
    context.console_fd = given.console_fd
    context.rootfs.sources = given.source_fds
    for number, step in enumerate(plan.init):
        report.step = number
        if isinstance(step, ChangeDirectory):
            _close_others(plan, given, context)
        apply_init_step(step, context)
    report.step = sync.OTHER
    execution = _find_program(plan, context)
    if execution is not None and plan.ready:
        prctl.set_parent_death_signal(0)  # the filter may forbid it afterwards
        _load_with_listener(plan, given.sync_fd, execution)
    sync.send(given.sync_fd, sync.READY)
    _await_start(plan, given, report)
    if execution is None:
        report.step = sync.NOTHING_TO_START
        raise StepError("", "", "process is not set in config.json: there is nothing to start")
    _start(plan, context, execution, report)


def _find_program(plan: CreatePlan, context: InitContext) -> Execution | None:
    """By the procfs that we have mounted, if there is one: nothing of the image's is in it."""
    if plan.process is None:
        return None
    proc_fd = context.rootfs.mounts.pop("/proc", -1)
    execution = Execution(plan.process, context.rootfs.root_fd, proc_fd)
    if proc_fd >= 0:
        posix.close(proc_fd)
    return execution


def _load_with_listener(plan: CreatePlan, sync_fd: int, execution: Execution) -> None:
    """Install a filter that asks a listener, and have main send that to the agent."""
    if not any(isinstance(step, RunHooks) for step in plan.start):  # they want our signals
        execution.prepare()
    for step in plan.ready:
        load_with_listener(step, sync_fd)


def _close_others(plan: CreatePlan, given: Inheritance, context: InitContext) -> None:
    """Close what is not needed any more, above all directories of the host (CVE-2024-21626)."""
    first = 3 + (plan.process.preserve_fds if plan.process else 0)
    proc_fd = context.rootfs.mounts.get("/proc", -1)
    kept = (given.sync_fd, given.fifo_fd, given.result_fd, context.rootfs.root_fd, proc_fd)
    for fd in sorted(kept):
        close_range(first, fd - 1)
        first = max(first, fd + 1)
    close_range(first, LAST_FD)


def _await_start(plan: CreatePlan, given: Inheritance, report: _Report) -> None:
    """Die with main until it has written who we are, and where; then wait to be started."""
    kind, _ = sync.receive(given.sync_fd)
    if kind not in (sync.START, sync.LET_GO):
        posix._exit(1)  # noqa: SLF001  (main is dead, nobody is left to tell)
    if not plan.ready:
        prctl.set_parent_death_signal(0)
    if given.fifo_fd < 0:
        return
    posix.close(given.sync_fd)  # by which main knows that it may end
    report.to_file(given.result_fd)
    posix.read(given.fifo_fd, 1)


def _start(plan: CreatePlan, context: InitContext, execution: Execution, report: _Report) -> None:
    """The hooks, then what is left: after the filter nothing but execve may be called."""
    report.step = sync.START_HOOK
    for step in plan.start:
        if isinstance(step, RunHooks):
            env = plan.process.env if plan.process else ()
            run_container_hooks(step, context, "created", env)
    report.step = sync.OTHER
    execution.prepare()
    for step in plan.start:
        if isinstance(step, LoadSeccomp):
            from pyoci.linux.seccomp import install_filter

            install_filter(step.program, step.flags)
    execution.execve()
