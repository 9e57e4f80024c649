"""exec: one more process in a container that exists.

main pins the container's init by pidfd, makes one process in its cgroup and pid namespace, and
waits until it has become the program. How it gets there is ``exec_init.py``'s part.
"""

from __future__ import annotations

import gc
import posix

from pyoci.cgroup import manager
from pyoci.engine import sync
from pyoci.engine.containers import UNTYPED_ERRORS, Container, cgroup_of
from pyoci.engine.exec_init import ExecFds, import_for_exec, run_exec
from pyoci.engine.handover import check_preserved, send_pidfd, write_pid_file
from pyoci.engine.protect import protect_interpreter
from pyoci.errors import (
    PyociError,
    StateError,
    StepError,
    describe_errno,
    describe_oserror,
)
from pyoci.linux import namespaces, prctl, signals
from pyoci.linux.clone import clone3
from pyoci.linux.consts import CLONE_NEWPID, O_PATH
from pyoci.linux.pidfd import is_running, keep_dead_children, open_process, pidfd_send_signal, reap
from pyoci.linux.sockets import seqpacket_pair
from pyoci.plan.exec import EnterRoot, ExecFacts, plan_exec, plan_request
from pyoci.plan.process import asks_for_labels
from pyoci.plan.steps import CloneSibling
from pyoci.record import replace
from pyoci.spec.model import Process
from pyoci.spec.parse import parse_config
from pyoci.state import store
from pyoci.state.lifecycle import CREATED, check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pyoci.engine.debug import Log
    from pyoci.plan.exec import ExecPlan, ExecRequest
    from pyoci.spec.model import Spec

_SIGKILL = 9
_SOCKET_PATIENCE_S = 10.0


def exec_process(request: ExecRequest, log: Log) -> int:
    """Run the process; its exit status, 128 + signal if one ended it, or 0 if detached.

    In the foreground signals that we get go to it; detached, it runs when this returns. StateError
    if the container's status does not allow it, else as for create.
    """
    protect_interpreter(log)
    keep_dead_children()
    check_preserved(request.listen_fds + request.preserve_fds)
    # What we fork is a copy of us, in sight of whoever is in the container.
    prctl.set_dumpable(dumpable=False)
    try:
        return _attempt(request, log)
    except _KilledAtBirthError:
        if request.console_socket:  # whoever serves it has heard from us
            raise
    return _attempt(request, log, enters=True)


class _KilledAtBirthError(StepError):
    """The process was killed before its first word (see MainProcess.may_be_born_elsewhere)."""


def _attempt(request: ExecRequest, log: Log, *, enters: bool = False) -> int:
    with Container(request.root, request.container_id) as container:
        container.lock()
        state = container.read_state()
        status = container.read_status(state)
        _check_status(request, status)
        running = Joining(request, state, status)
        running.enters = enters
        try:
            _make_plan(container, running, log)
            running.connect_console()
            running.clone()
            container.unlock()  # a frozen container would keep it until it goes on
        finally:
            running.close()
    if running.terminal_fd >= 0:
        return running.relay()
    running.await_execve()
    if request.detach:
        return 0
    from pyoci.engine.foreground import await_exit

    return await_exit(running.pidfd)


def _check_status(request: ExecRequest, status: str) -> None:
    operation = "exec --ignore-paused" if request.ignore_paused else "exec"
    check_operation(operation, status, request.container_id)
    if status == CREATED and posix.geteuid() != 0:
        # Init still is the interpreter, not dumpable: only root may join it (setns(2)).
        message = "without root cannot exec in a container that has not started"
        raise StateError(message, "start it first")


def _make_plan(container: Container, running: Joining, log: Log) -> None:
    """By what the container was made of: its saved config, whatever the bundle's says by now."""
    config = store.read_config(container.dir_fd, container.container_id)
    try:
        running.make_plan(parse_config(config), log)
    except UNTYPED_ERRORS as error:
        raise container.blame(config, error) from None


class Joining:
    """One exec in progress."""

    plan: ExecPlan

    def __init__(self, request: ExecRequest, state: store.ContainerState, status: str) -> None:
        """Pin the container's init."""
        self.request = request
        self.state = state
        self.status = status
        self.pid, self.pidfd, self.sync_fd = 0, -1, -1
        self.root_fd = -1
        self.enters = False  # its cgroup by itself, and is not born there
        # The socket over which the process sends its terminal, and its other end if that is ours.
        self.console_fd = self.terminal_fd = -1
        self.init_pidfd = _open_init(state)

    def close(self) -> None:
        """Close what belongs to the container; the process has its own copies."""
        for fd in (self.init_pidfd, self.root_fd, self.console_fd):
            if fd >= 0:
                posix.close(fd)
        self.init_pidfd = self.root_fd = self.console_fd = -1

    # --- the plan

    def make_plan(self, spec: Spec, log: Log) -> None:
        """Decide on everything; ConfigError, UsageError, UnsupportedError, PyociError."""
        request = self.request
        base = replace(spec.process or Process(), args=(), terminal=False)
        if request.process_file:
            from pyoci.engine.process_file import read_process_file, with_labels_of

            base = with_labels_of(base, read_process_file(request.process_file))
        identity = None
        if request.user:
            from pyoci.engine.exec_identity import find_identity

            identity = find_identity(request.user, self._open_root)
        process = plan_request(base, request, identity)
        modules: tuple[str, ...] = ()
        if asks_for_labels(process):
            from pyoci.host.lsm import read_modules

            modules = read_modules()
        facts = ExecFacts(machine=posix.uname().machine, euid=posix.geteuid(), modules=modules)
        self.plan = plan_exec(process, spec.linux, request, facts)
        for warning in self.plan.warnings:
            log("warning", warning)
        if log.debug:
            from pyoci.engine.debug import explain_exec

            explain_exec(self.plan, log)

    def _open_root(self) -> int:
        """init's root directory; StateError if that is gone."""
        if self.root_fd < 0:
            flags = O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC
            try:
                self.root_fd = posix.open(f"/proc/{self.state.pid}/root", flags)
            except (FileNotFoundError, ProcessLookupError):
                raise _stopped() from None
            if not is_running(self.state.pid, self.state.start_time):  # it is another one's
                raise _stopped()
        return self.root_fd

    # --- the process

    def connect_console(self) -> None:
        """Connect to the socket that the terminal goes to, before there is one; StepError."""
        if not self.plan.terminal:
            return
        path = self.request.console_socket
        if not path:
            self.terminal_fd, self.console_fd = seqpacket_pair()
            return
        from pyoci.linux.sockets import connect

        try:
            self.console_fd = connect(path, _SOCKET_PATIENCE_S)
        except OSError as error:
            raise _failed("connect to the console socket", error) from None

    def clone(self) -> None:
        """Make the process; it goes its way, into the container."""
        if any(isinstance(step, EnterRoot) for step in self.plan.init):
            self._open_root()
        import_for_exec(self.plan)
        cgroup_fd, entry_fd = self._open_cgroup(), self._open_entry()
        self.sync_fd, process_fd = seqpacket_pair()
        gc.disable()  # a collection in the child would copy every page it touches
        if not self.request.detach:
            # From before it exists: none can be lost, each is waited for in the end.
            signals.block_signals()
        try:
            self._fork(cgroup_fd, entry_fd, process_fd)
        except BaseException as error:
            posix.close(self.sync_fd)
            if self.terminal_fd >= 0:
                posix.close(self.terminal_fd)
            if not is_running(self.state.pid, self.state.start_time):
                raise _stopped() from None
            if isinstance(error, OSError):
                raise _failed("make the process", error) from None
            raise
        finally:
            for fd in (process_fd, cgroup_fd, entry_fd):
                if fd >= 0:
                    posix.close(fd)

    def _open_cgroup(self) -> int:
        if not self.state.cgroup_path and not self.plan.cgroup:
            return -1
        path = cgroup_of(self.state) + self.plan.cgroup
        try:
            return manager.open_cgroup(path)
        except OSError as error:
            detail = describe_errno(error.errno or 0)
            raise StepError("main", f"open cgroup {path}", detail, error.errno or 0) from None

    def _open_entry(self) -> int:
        """How the process gets into a cgroup that is not as create has made it; -1 where it is."""
        if not self.state.cgroup_path:
            return -1
        made = self.state.unit or self.state.cgroup_path in self.state.cgroups_made
        if made and not self.plan.cgroup and not self.enters:
            return -1
        from pyoci.engine.exec_cgroup import open_entry

        return open_entry(self.state, self.plan.cgroup)

    def _fork(self, cgroup_fd: int, entry_fd: int, process_fd: int) -> None:
        cpus = posix.sched_getaffinity(0) if self.plan.initial_cpus else ()
        try:
            if cpus:
                posix.sched_setaffinity(0, self.plan.initial_cpus)
            if self.plan.pid_namespace:
                namespaces.setns(self.init_pidfd, CLONE_NEWPID)
            self._clone_into(cgroup_fd, entry_fd, process_fd)
        finally:  # in main only: the process does not come back
            if self.plan.pid_namespace:  # we make no other process that would mind
                namespaces.leave_pid_namespace(if_allowed=True)
            if cpus:
                posix.sched_setaffinity(0, cpus)

    def _clone_into(self, cgroup_fd: int, entry_fd: int, process_fd: int) -> None:
        try:
            self.pid, self.pidfd = clone3(0, cgroup_fd if entry_fd < 0 else -1)
        except OSError as error:
            self._clone_elsewhere(error, process_fd)
        if self.pid == 0:
            self._run(process_fd, entry_fd)

    def _clone_elsewhere(self, error: OSError, process_fd: int) -> None:
        if self.state.unit and isinstance(error, PermissionError):
            self._clone_to_be_moved(process_fd)
            return
        from pyoci.engine.exec_cgroup import clone_elsewhere

        self.pid, self.pidfd = clone_elsewhere(self.state, self.plan, error)

    def _clone_to_be_moved(self, process_fd: int) -> None:
        """Make it where we are: systemd may move a process where a user may not."""
        from pyoci.engine.unit import attach

        self.pid, self.pidfd = clone3(0)
        if self.pid == 0:
            self._run(process_fd, -1, is_moved=True)
        attach(self.state, self.plan.cgroup, self.pid)
        sync.send(self.sync_fd, sync.UNIT_STARTED)

    def _run(self, process_fd: int, entry_fd: int, *, is_moved: bool = False) -> NoReturn:
        """Be the process; never returns."""
        posix.close(self.sync_fd)
        given = ExecFds(
            sync_fd=process_fd,
            init_pidfd=self.init_pidfd,
            root_fd=self.root_fd,
            console_fd=self.console_fd,
            entry_fd=entry_fd,
        )
        run_exec(self.plan, given, is_moved=is_moved)

    def _adopt_sibling(self) -> None:
        """The process that went ahead makes the one that will be inside (intermediate.py)."""
        if not any(isinstance(step, CloneSibling) for step in self.plan.init):
            return
        from pyoci.engine.intermediate import adopt_sibling

        kind, content = sync.receive_message(self.sync_fd)
        if kind == sync.FAILED:
            raise self._failed(sync.decode_failure(content))
        if kind != sync.SIBLING:
            raise StepError("", "", f"the process ended without a word ({reap(self.pidfd)})")
        self.pid, self.pidfd = adopt_sibling(self.sync_fd, self.pidfd, content)

    # --- until it runs

    def await_execve(self) -> None:
        """Wait until the program runs, and hand it over; StepError, and it is killed, if not."""
        try:
            self._adopt_sibling()
            self._await_ready()
            self._hand_over()
        except BaseException:
            self._kill()
            raise
        finally:
            posix.close(self.sync_fd)

    def relay(self) -> int:
        """As above with a terminal, and then have ours be it until the end; the exit status."""
        from pyoci.engine.relay import Relay
        from pyoci.linux.sockets import receive_fd

        try:
            self._adopt_sibling()
            self._await_ready()
            with Relay(receive_fd(self.terminal_fd)) as relay:
                sync.send(self.sync_fd, sync.START)
                self._hand_over()
                return relay.await_exit(self.pidfd)
        except BaseException:
            self._kill()
            raise
        finally:
            posix.close(self.sync_fd)
            posix.close(self.terminal_fd)

    def _await_ready(self) -> None:
        kind, content = first, _ = sync.receive_message(self.sync_fd)
        if kind == sync.LISTENER:
            from pyoci.engine.listener import send_listener_of_exec

            send_listener_of_exec(self, int(content))
            sync.send(self.sync_fd, sync.LISTENER_SENT)
            kind, content = sync.receive_message(self.sync_fd)
        if kind == sync.FAILED:
            raise self._failed(sync.decode_failure(content))
        if kind != sync.READY:
            status = reap(self.pidfd)
            detail = f"the process ended without a word (exit status {status})"
            at_birth = first == sync.END and status == 128 + _SIGKILL and not self.enters
            error = _KilledAtBirthError if at_birth else StepError
            raise error("", "", f"{detail} (possibly OOM-killed)")

    def _hand_over(self) -> None:
        """Once execve has happened, the caller is told who it is."""
        request = self.request
        _, failure = sync.receive(self.sync_fd)
        if failure is not None:
            raise self._failed(failure)
        if request.pidfd_socket:
            send_pidfd(request.pidfd_socket, self.pidfd)
        if request.pid_file:
            write_pid_file(request.pid_file, self.pid)

    def _failed(self, failure: sync.Failure) -> PyociError:
        from pyoci.engine.failures import exec_error

        return exec_error(self.plan, failure)

    def _kill(self) -> None:
        try:
            pidfd_send_signal(self.pidfd, _SIGKILL)
        except ProcessLookupError:
            return
        reap(self.pidfd)


def _open_init(state: store.ContainerState) -> int:
    try:
        return open_process(state.pid, state.start_time)
    except ProcessLookupError:
        raise _stopped() from None


def _stopped() -> StateError:
    return StateError("cannot exec in a stopped container")


def _failed(step: str, error: OSError) -> StepError:
    return StepError("main", step, describe_oserror(error), error.errno or 0)
