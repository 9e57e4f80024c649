"""The process of exec: from clone3 to execve, in a container where others already are.

It is born non-dumpable into the container's pid namespace, so nobody there can look into it, and
holds no directory of the host once it can reach the container's files (SECURITY: R-EXEC-1). The
rules of ``init.py`` hold here too: nothing is imported, nothing gets back to the interpreter.

    main                                          the process
     | ------------- clone3 ----------------------> |
     | -- unit_started ---------------------------> |  only where systemd has moved it
     |                                              |  namespaces, identity, program
     | <------------------------ ready | failed --- |
     | -- start ----------------------------------> |  only with a terminal that main relays
     |                                              |  filter, execve
     | <----------------- end of file | failed ---- |

The socket is close-on-exec, and `ready` cannot be sent to a main that is dead.
"""

from __future__ import annotations

import gc
import posix

from pyoci.cgroup.manager import enter
from pyoci.engine import sync
from pyoci.engine.execute import Execution
from pyoci.engine.process_steps import (
    ProcessContext,
    apply_process_step,
    become_root,
    join_keyring,
    load_with_listener,
    seal,
)
from pyoci.linux import namespaces, prctl
from pyoci.linux.clone import LAST_FD, close_range
from pyoci.linux.consts import O_PATH
from pyoci.linux.pidfd import read_kernel_file, write_process_file
from pyoci.linux.sockets import import_socket
from pyoci.plan.exec import EnterRoot, JoinNamespaces, SetCpuAffinity
from pyoci.plan.namespaces import CLONE_FLAGS
from pyoci.plan.steps import (
    BecomeRoot,
    CloneSibling,
    JoinSessionKeyring,
    LabelStep,
    LoadSeccomp,
    SchedulingStep,
    SetOomScoreAdj,
    SetUpTerminal,
)
from pyoci.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pyoci.plan.exec import ExecPlan, ExecStep
    from pyoci.plan.steps import ExecuteProcess

_SIGKILL = 9
_DIRECTORY = O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC


def import_for_exec(plan: ExecPlan) -> None:
    """Import what only some plans need: main calls this before the process exists."""
    steps = (*plan.init, *plan.ready, *plan.start)
    if any(isinstance(step, LoadSeccomp) for step in steps):
        import pyoci.linux.seccomp
    if any(isinstance(step, CloneSibling) for step in steps):
        import pyoci.engine.intermediate
    if any(isinstance(step, SchedulingStep) for step in steps):
        import pyoci.engine.scheduling
    if any(isinstance(step, LabelStep) for step in steps):
        import pyoci.engine.labels
    if plan.terminal:
        import pyoci.engine.console  # noqa: F401

        import_socket()


class ExecFds(Record):
    """What the process gets from main: descriptors; -1 where its plan has no use for one."""

    sync_fd: int
    init_pidfd: int
    root_fd: int  # init's root directory
    console_fd: int  # where the terminal's master goes
    entry_fd: int = -1  # of the cgroup, where clone3 has not put it there


def run_exec(plan: ExecPlan, given: ExecFds, *, is_moved: bool = False) -> NoReturn:
    """Be the process until the program runs; never returns.

    `is_moved` says that main will tell when we are in the container's cgroup.
    """
    process = _Process(plan, given)
    try:
        gc.disable()
        seal()
        prctl.set_parent_death_signal(_SIGKILL)
        prctl.set_dumpable(dumpable=False)
        if given.entry_fd >= 0:
            enter(given.entry_fd)
        if is_moved and sync.receive(given.sync_fd)[0] != sync.UNIT_STARTED:
            posix._exit(1)  # noqa: SLF001  (main is dead, or has said why it failed)
        process.run()
    except BaseException as error:  # nothing may reach the interpreter
        sync.send_failure(given.sync_fd, sync.failure_of(error, process.step))
    posix._exit(1)  # noqa: SLF001  (its name)


class _Process:
    """The process on its way; `step` is the index of what it is at."""

    def __init__(self, plan: ExecPlan, given: ExecFds) -> None:
        self.plan = plan
        self.step = -1
        self.sync_fd = given.sync_fd
        self.given = given
        self.context = ProcessContext()

    def run(self) -> None:
        """Take every step, tell main, become the program."""
        self._close_others()
        posix.setsid()  # no terminal of the caller is ours, nor its job control
        for number, step in enumerate(self.plan.init):
            self.step = number
            self._apply(step)
        self.step = -1
        execution = Execution(self._own_process(), posix.open("/", _DIRECTORY))
        for load in self.plan.ready:
            prctl.set_parent_death_signal(0)  # the filter may forbid it afterwards
            execution.prepare()
            load_with_listener(load, self.sync_fd)
        sync.send(self.sync_fd, sync.READY)
        if self.plan.awaits_start and sync.receive(self.sync_fd)[0] != sync.START:
            posix._exit(1)  # noqa: SLF001  (main is dead, nobody is left to tell)
        if not self.plan.ready:
            prctl.set_parent_death_signal(0)
        execution.prepare()
        for load in self.plan.start:
            from pyoci.linux.seccomp import install_filter

            install_filter(load.program, load.flags)
        execution.execve()

    def _close_others(self) -> None:
        """Close all but what is needed, above all directories of the host (CVE-2016-9962)."""
        first = 3 + self.plan.process.preserve_fds
        given = self.given
        for fd in sorted((given.sync_fd, given.init_pidfd, given.root_fd, given.console_fd)):
            close_range(first, fd - 1)
            first = max(first, fd + 1)
        close_range(first, LAST_FD)

    def _apply(self, step: ExecStep) -> None:
        if isinstance(step, JoinNamespaces):
            self._join(step)
        elif isinstance(step, EnterRoot):
            posix.fchdir(self.given.root_fd)
            posix.chroot(b".")
            posix.close(self.given.root_fd)
        elif isinstance(step, SetCpuAffinity):
            posix.sched_setaffinity(0, step.cpus)
        elif isinstance(step, SetOomScoreAdj):
            _set_oom_score_adj(step)
        elif isinstance(step, CloneSibling):
            from pyoci.engine.intermediate import clone_sibling

            clone_sibling(0, self.sync_fd)
        elif isinstance(step, BecomeRoot):
            become_root(self.context)
        elif isinstance(step, JoinSessionKeyring):
            join_keyring(step.name)
        elif isinstance(step, SetUpTerminal):
            self._set_up_terminal(step)
        else:
            apply_process_step(step, self.context)

    def _join(self, step: JoinNamespaces) -> None:
        flags = 0
        for kind in step.kinds:
            flags |= CLONE_FLAGS[kind]
        namespaces.setns(self.given.init_pidfd, flags)
        posix.close(self.given.init_pidfd)
        # A user namespace brings other credentials, and they what fs.suid_dumpable says.
        prctl.set_dumpable(dumpable=False)
        prctl.set_parent_death_signal(_SIGKILL)

    def _set_up_terminal(self, step: SetUpTerminal) -> None:
        from pyoci.engine.console import attach_terminal

        root_fd = posix.open("/", _DIRECTORY)
        attach_terminal(step, root_fd, self.given.console_fd)
        posix.close(root_fd)

    def _own_process(self) -> ExecuteProcess:
        """The program, told its own pid where it is passed sockets (sd_listen_fds(3))."""
        process = self.plan.process
        if not self.plan.listens:
            return process
        env = [entry for entry in process.env if not entry.startswith("LISTEN_PID=")]
        return replace(process, env=(*env, f"LISTEN_PID={posix.getpid()}"))


def _set_oom_score_adj(step: SetOomScoreAdj) -> None:
    """Ours, by the host's procfs: what is mounted on /proc is not the container's yet.

    An ordinary user's files in /proc are his own only while we are dumpable; nobody in the
    container sees us yet, or has rights over us from within its user namespace.
    """
    prctl.set_dumpable(dumpable=step.optional)
    try:
        write_process_file("self", "oom_score_adj", str(step.value))
    except PermissionError:
        current = int(read_kernel_file("/proc/self/oom_score_adj"))
        if not step.optional or step.value >= current:
            raise
    finally:
        prctl.set_dumpable(dumpable=False)
