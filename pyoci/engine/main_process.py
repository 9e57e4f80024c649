"""The main process of create and run: everything on the host's side, up to `ready`.

Every effect pushes its inverse on `undo`. The state directory says enough for
`delete --force` before each effect, so that even SIGKILL leaves nothing that
cannot be found.
"""

from __future__ import annotations

import gc
import posix

from pyoci.cgroup import manager
from pyoci.engine import sync
from pyoci.engine.handover import make_result
from pyoci.engine.init import Inheritance, import_for_init, is_visible, run_init
from pyoci.engine.limits import Limits
from pyoci.engine.naming import Naming
from pyoci.engine.waits import pause
from pyoci.errors import PyociError, StepError
from pyoci.linux import namespaces, prctl
from pyoci.linux.clone import clone3
from pyoci.linux.pidfd import (
    pidfd_send_signal,
    read_kernel_file,
    read_process,
    reap,
    write_process_file,
)
from pyoci.linux.sockets import connect, send_fd, seqpacket_pair
from pyoci.plan import steps as s
from pyoci.plan.namespaces import CLONE_FLAGS, map_text
from pyoci.record import replace
from pyoci.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.undo import Undo
    from pyoci.engine.unit import Unit
    from pyoci.plan.model import CreatePlan, HostFacts
    from pyoci.plan.step_types import BeforeStep
    from pyoci.state.store import ContainerState

_SIGKILL = 9
_SOCKET_PATIENCE_S = 10.0  # an engine that hangs shall not hang the create


class MainProcess:
    """One create in progress."""

    def __init__(
        self, plan: CreatePlan, facts: HostFacts, dir_fd: int, state: ContainerState, undo: Undo
    ) -> None:
        """Take the plan, the state directory and the state that is written in it."""
        self.plan = plan
        self.facts = facts
        self.dir_fd = dir_fd
        self.state = state
        self.undo = undo
        self.namespace_fds: dict[str, int] = {}
        self.source_fds: dict[str, int] = {}
        self.entered = False  # a pid namespace, that init is to be born in
        self.cgroup_fd = -1
        self.limits_memory = False
        self.entry_fd = -1  # in place of it for a cgroup that was there before
        self.pid = 0
        self.pidfd = -1
        self.heard = False  # of init, a first time
        self.end_status: int | None = None  # of init, once it has failed
        self.sync_fd = -1
        self.fifo_fd = self.result_fd = -1
        # The socket over which init sends the terminal, and its other end if that is ours.
        self.console_fd = self.terminal_fd = -1
        # Where systemd makes the cgroup.
        self.unit: Unit | None = None

    def make_init(self, *, wait_on_fifo: bool) -> None:
        """Carry out plan.before and plan.beside; returns when init is ready.

        StepError with init's own words if it failed.
        """
        if wait_on_fifo:
            self.fifo_fd = store.make_fifo(self.dir_fd)
            self.result_fd = make_result(self.dir_fd)
        for step in self.plan.before:
            with Naming(step):
                self._apply_before(step)
        try:
            self._serve_init()
        except StepError:
            if not self.may_be_born_elsewhere():
                raise
            self._clone_again()
            self._serve_init()
        self._close_handed_over()

    def let_go(self) -> None:
        """Have init live on without us: from now on only the state knows of it."""
        sync.send(self.sync_fd, sync.LET_GO)

    def await_parting(self) -> None:
        """Come back once our end will not be init's."""
        kind, failure = sync.receive(self.sync_fd)
        if kind != sync.END:
            raise self._init_failed(failure)

    # --- plan.before

    def _apply_before(self, step: BeforeStep) -> None:
        match step:
            case s.MakeCgroup():
                self._make_cgroup()
            case s.OpenNamespace():
                self._open_namespace(step)
            case s.OpenSource():
                self._open_source(step)
            case s.ConnectConsole():
                self._connect_console(step)
            case s.CloneInit():
                self._clone(step)

    def _make_cgroup(self) -> None:
        path = self.state.cgroup_path
        missing = self.state.cgroups_made
        self.undo.push("remove cgroup", lambda: manager.remove_made(self.state.cgroups_made))
        if not manager.make_cgroup(path, missing):
            # Not ours to remove: it was there, or somebody was faster.
            self.state = replace(self.state, cgroups_made=missing[:-1])
        elif not self._stands_where_we_do(missing[0]):
            manager.check_not_frozen(path)
        # From here on whatever is in it belongs to the container.
        self.undo.push(
            "remove what is in the cgroup",
            lambda: manager.remove_cgroup(path, self.state.cgroups_made, pause),
        )
        self.undo.push("kill what is in the cgroup", lambda: manager.kill_all(path, pause))
        if path in self.state.cgroups_made:
            self.cgroup_fd = manager.open_cgroup(path)
        else:
            self.entry_fd = manager.open_entry(path)

    def _stands_where_we_do(self, made: str) -> bool:
        """Whether we are in the parent of the cgroup too: it cannot be frozen, since we run."""
        parent = made.rpartition("/")[0].removeprefix(self.facts.cgroup_mount)
        return f"{self.facts.own_cgroup}/".startswith(f"{parent}/")

    def _open_namespace(self, step: s.OpenNamespace) -> None:
        from pyoci.engine.joined import open_joined

        self.namespace_fds[step.kind] = fd = open_joined(step, self.plan)
        if step.enter:  # for our children, so for init
            self.entered = True
            self.undo.push("leave the pid namespace", namespaces.leave_pid_namespace)
            namespaces.setns(fd, CLONE_FLAGS[step.kind])

    def _open_source(self, step: s.OpenSource) -> None:
        from pyoci.engine.sources import map_ids, open_source

        if not self.source_fds:
            self.undo.push("close mounts", self._close_sources)
        try:
            self.source_fds[step.config] = fd = open_source(step)
        except OSError:
            if step.id_map is not None:
                raise
            return  # init tries it itself first, and says why it cannot
        if step.id_map is not None:
            map_ids(fd, step, step.id_map, self.namespace_fds.get("user", -1))

    def _close_sources(self) -> None:
        while self.source_fds:
            posix.close(self.source_fds.popitem()[1])

    def _connect_console(self, step: s.ConnectConsole) -> None:
        if step.path:
            self.console_fd = connect(step.path, _SOCKET_PATIENCE_S)
        else:
            self.terminal_fd, self.console_fd = seqpacket_pair()

    def _clone(self, step: s.CloneInit) -> None:
        flags = 0
        for kind in step.kinds:
            flags |= CLONE_FLAGS[kind]
        import_for_init(self.plan)
        if "pid" not in step.kinds and not is_visible(self.plan):
            # Whoever is in that pid namespace sees init from its birth on: not into it, though.
            prctl.set_dumpable(dumpable=False)
        self.sync_fd, init_fd = seqpacket_pair()
        gc.disable()  # a collection in the child would copy every page it touches
        try:
            self.pid, self.pidfd = clone3(flags, self.cgroup_fd)
        except OSError as error:
            from pyoci.engine.failures import clone_error

            raise clone_error(step, error, self.state.cgroup_path) from None
        if self.pid == 0:
            posix.close(self.sync_fd)
            given = Inheritance(
                init_fd, self.fifo_fd, self.result_fd, self.console_fd, self.namespace_fds
            )
            given.source_fds = self.source_fds
            given.entry_fd = self.entry_fd
            run_init(self.plan, given)
        self.undo.push("kill init", self._kill_init)
        posix.close(init_fd)
        if self.entered:
            namespaces.leave_pid_namespace()
        if any(isinstance(step, s.CloneSibling) for step in self.plan.init):
            self._adopt_sibling()
        found = read_process(self.pid)
        self.state = replace(self.state, pid=self.pid, start_time=found[1] if found else 0)
        store.write_state(self.dir_fd, self.state)

    def may_be_born_elsewhere(self) -> bool:
        """Whether the kernel may have killed init for where it was to be born.

        Since Linux 6.14 CLONE_INTO_CGROUP does so if our own cgroup was ever killed (cgroup.kill).
        """
        killed = self.end_status == 128 + _SIGKILL and not self.heard
        return killed and self.cgroup_fd >= 0 and not self.entered

    def _clone_again(self) -> None:
        """Have another init, which goes into its cgroup by itself."""
        for fd in (self.sync_fd, self.pidfd, self.cgroup_fd):
            posix.close(fd)
        self.cgroup_fd = -1
        self.entry_fd = manager.open_entry(self.state.cgroup_path)
        step = next(step for step in self.plan.before if isinstance(step, s.CloneInit))
        with Naming(step):
            self._clone(step)

    def _adopt_sibling(self) -> None:
        from pyoci.engine.intermediate import adopt_sibling

        kind, content = sync.receive_message(self.sync_fd)
        if kind != sync.SIBLING:
            raise self._init_failed(sync.decode_failure(content) if kind == sync.FAILED else None)
        self.pid, self.pidfd = adopt_sibling(self.sync_fd, self.pidfd, content)

    def _kill_init(self) -> None:
        try:
            pidfd_send_signal(self.pidfd, _SIGKILL)
        except ProcessLookupError:  # it has ended by itself, and is reaped
            return
        reap(self.pidfd)

    def _close_handed_over(self) -> None:
        """Close what only init needs now: nobody else may hold its FIFO open."""
        handed_over = (self.fifo_fd, self.result_fd, self.cgroup_fd, self.entry_fd, self.console_fd)
        for fd in (*handed_over, *self.namespace_fds.values()):
            if fd >= 0:
                posix.close(fd)
        self.fifo_fd = self.result_fd = self.cgroup_fd = self.entry_fd = self.console_fd = -1
        self._close_sources()

    # --- plan.beside

    def _serve_init(self) -> None:
        """Do our part until init is ready: what it waits for early, the rest when asked."""
        try:
            for step in self.plan.beside:
                if isinstance(step, s.StartUnit | s.WriteIdMaps | s.SetOomScoreAdj):
                    with Naming(step):
                        self._apply_early(step)
        except StepError as error:
            raise self._words_of_init() or error from None
        limits = self._plan_limits()
        try:
            limits.prepare()
            self._answer_init(limits)
        finally:
            limits.close()
            if self.unit is not None:
                self.unit.close()

    def _answer_init(self, limits: Limits) -> None:
        """Do what init asks for until it is ready."""
        served = False
        while True:
            kind, content = sync.receive_message(self.sync_fd)
            self.heard = self.heard or kind != sync.END
            if kind == sync.HOST_HOOKS and not served:
                served = True
                limits.apply()
                self._run_host_part()
                sync.send(self.sync_fd, sync.HOOKS_DONE)
            elif kind == sync.LISTENER:
                self._send_listener(int(content))
                sync.send(self.sync_fd, sync.LISTENER_SENT)
            elif kind == sync.READY:
                limits.apply()
                self._send_pidfd()
                return
            else:
                failed = kind == sync.FAILED
                raise self._init_failed(sync.decode_failure(content) if failed else None)

    def _plan_limits(self) -> Limits:
        fresh = self.unit is not None or self.state.cgroup_path in self.state.cgroups_made
        mount = self.facts.cgroup_mount
        limits = Limits(self.plan.limits, mount, self.plan.cgroup, self.undo, fresh=fresh)
        limits.unit = self.unit
        self.limits_memory = limits.limits_memory
        return limits

    def _start_unit(self, step: s.StartUnit) -> None:
        from pyoci.engine.unit import Unit, remove_unit

        def undo() -> None:
            self._kill_init()  # systemd would ask it to end, and wait
            remove_unit(self.state)

        self.undo.push(f"stop unit {step.unit}", undo)
        self.unit = Unit(self.state)
        inode = self.unit.start(step.properties, self.pid)
        self.state = replace(self.state, unit_inode=inode)
        store.write_state(self.dir_fd, self.state)
        sync.send(self.sync_fd, sync.UNIT_STARTED)

    def _apply_early(self, step: s.StartUnit | s.WriteIdMaps | s.SetOomScoreAdj) -> None:
        if isinstance(step, s.StartUnit):
            self._start_unit(step)
            return
        if isinstance(step, s.SetOomScoreAdj):
            self._set_oom_score_adj(step)
            return
        if step.uid_helper or step.gid_helper or step.deny_setgroups:
            from pyoci.engine.idmaps import write_id_maps

            write_id_maps(step, self.pid)
        else:
            write_process_file(self.pid, "gid_map", map_text(step.gid_mappings))
            write_process_file(self.pid, "uid_map", map_text(step.uid_mappings))
        sync.send(self.sync_fd, sync.IDS_MAPPED)

    def _set_oom_score_adj(self, step: s.SetOomScoreAdj) -> None:
        try:
            write_process_file(self.pid, "oom_score_adj", str(step.value))
        except PermissionError:
            # To lower it takes CAP_SYS_RESOURCE, which an ordinary user never has.
            current = int(read_kernel_file(f"/proc/{self.pid}/oom_score_adj"))
            if not step.optional or step.value >= current:
                raise

    def _words_of_init(self) -> PyociError | None:
        """Why init has failed, if it has meanwhile: the cause of what failed here."""
        from select import POLLIN, poll

        poller = poll()
        poller.register(self.sync_fd, POLLIN)
        if not poller.poll(0):
            return None
        kind, failure = sync.receive(self.sync_fd)
        self.heard = self.heard or kind != sync.END
        return self._init_failed(failure) if kind in (sync.FAILED, sync.END) else None

    def _run_host_part(self) -> None:
        for step in self.plan.beside:
            if isinstance(step, s.MoveNetDevice):
                from pyoci.engine.net import move_net_device

                with Naming(step):
                    move_net_device(step.host_name, step.name, self.pid)
            elif isinstance(step, s.RunHooks):
                self._run_hooks(step)

    def _send_listener(self, number: int) -> None:
        from pyoci.engine.listener import send_listener

        for step in self.plan.beside:
            if isinstance(step, s.SendSeccompListener):
                with Naming(step):
                    send_listener(self.plan, step, self.pid, self.pidfd, number)

    def _send_pidfd(self) -> None:
        for step in self.plan.beside:
            if isinstance(step, s.SendPidfd):
                with Naming(step):
                    send_fd(step.path, b"standard", self.pidfd, _SOCKET_PATIENCE_S)

    def _run_hooks(self, step: s.RunHooks) -> None:
        from pyoci.engine.hooks import run_hooks, state_of_container

        plan = self.plan
        # prestart is older than `creating`: its hooks are still told `created`.
        status = "created" if step.kind == "prestart" else "creating"
        described = state_of_container(
            plan.oci_version, plan.container_id, status, self.pid, plan.bundle, plan.annotations
        )
        run_hooks(step.kind, step.hooks, described)

    def _init_failed(self, failure: sync.Failure | None) -> PyociError:
        from pyoci.engine.failures import init_error, killed_error

        if failure is not None:
            return init_error(self.plan, failure)
        self.end_status = status = reap(self.pidfd)
        if status == 128 + _SIGKILL:
            return killed_error()
        return StepError("init", "", f"init ended without a word (exit status {status})")
