"""One step of init's part of a plan -> the calls that carry it out.

The plan fixed the order; this adds none. Everything raises OSError (the caller
names the step) or StepError (which has words of its own).
"""

from __future__ import annotations

import posix

from pyoci.engine import sync
from pyoci.engine.process_steps import (
    ProcessContext,
    apply_process_step,
    become_root,
    join_keyring,
)
from pyoci.engine.rootfs import Rootfs
from pyoci.errors import StepError
from pyoci.linux import namespaces, net
from pyoci.linux.consts import CLONE_NEWCGROUP, CLONE_NEWTIME
from pyoci.plan import rootfs_steps as r
from pyoci.plan import steps as s
from pyoci.plan.namespaces import CLONE_FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan
    from pyoci.plan.step_types import (
        InitStep,
        NamespaceInitStep,
        RootfsInitStep,
    )


class InitContext(ProcessContext):
    """What init carries from step to step."""

    console_fd = -1  # where the terminal's master goes, if there is one

    def __init__(self, plan: CreatePlan, sync_fd: int, namespace_fds: dict[str, int]) -> None:
        """Take the plan, the socket to main and the opened namespaces."""
        self.plan = plan
        self.sync_fd = sync_fd
        self.namespace_fds = namespace_fds
        self.rootfs = Rootfs()

    def hook_state(self, status: str) -> bytes:
        """The state that a hook inside the container gets: with the pid as seen from inside."""
        from pyoci.engine.hooks import state_of_container

        plan = self.plan
        return state_of_container(
            plan.oci_version,
            plan.container_id,
            status,
            posix.getpid(),
            plan.bundle,
            plan.annotations,
        )


def apply_init_step(step: InitStep, context: InitContext) -> None:
    """Carry one step out."""
    if isinstance(step, r.RootfsStep):
        apply_rootfs_step(step, context.rootfs)
    elif isinstance(step, s.ProcessStep):
        apply_process_step(step, context)
    else:
        apply_namespace_step(step, context)


def apply_rootfs_step(step: RootfsInitStep, rootfs: Rootfs) -> None:  # noqa: C901, PLR0912
    """One call for each kind of step; those of which a plan has most come first."""
    match step:
        case r.MakeDevice():
            rootfs.make_device(step)
        case r.MakeSymlink():
            rootfs.make_symlink(step)
        case r.MountFilesystem():
            rootfs.mount_filesystem(step)
        case r.MaskPath():
            rootfs.hidden.mask_path(step)
        case r.ReadonlyPath():
            rootfs.hidden.make_path_readonly(step)
        case r.BindMount():
            rootfs.bind_mount(step)
        case r.ChangeMount():
            rootfs.change_mount(step)
        case r.SetSysctl():
            rootfs.set_sysctl(step)
        case r.SetPropagation():
            rootfs.set_propagation(step)
        case r.BindRootfs():
            rootfs.bind_rootfs(step)
        case r.MakeDirectory():
            rootfs.make_directory(step)
        case r.ReadonlyMount():
            rootfs.make_mount_readonly(step)
        case r.PivotRoot():
            rootfs.pivot_root(step)
        case r.VerifyMount():
            rootfs.verify_mount(step)
        case r.SetRootPropagation():
            rootfs.set_root_propagation(step)
        case r.ReadonlyRoot():
            rootfs.make_root_readonly()


def apply_namespace_step(step: NamespaceInitStep, context: InitContext) -> None:  # noqa: C901, PLR0912
    """One call for each kind of step."""
    match step:
        case s.JoinNamespace():
            namespaces.setns(context.namespace_fds[step.kind], CLONE_FLAGS[step.kind])
        case s.AwaitUnit() | s.AwaitIdMaps() | s.AwaitHost():
            await_main(step, context)
        case s.BecomeRoot():
            become_root(context)
        case s.UnshareNamespaces():
            namespaces.unshare(clone_flags(step.kinds))
        case s.CloneSibling():
            from pyoci.engine.intermediate import clone_sibling

            clone_sibling(clone_flags(step.kinds), context.sync_fd)
        case s.OpenSource():
            from pyoci.engine.sources import open_source

            context.rootfs.sources[step.config] = open_source(step)
        case s.UnshareTimeNamespace():
            namespaces.unshare(CLONE_NEWTIME)
        case s.SetTimeOffset():
            set_time_offset(step)
        case s.EnterTimeNamespace():
            enter_time_namespace()
        case s.UnshareCgroupNamespace():
            namespaces.unshare(CLONE_NEWCGROUP)
        case s.JoinSessionKeyring():
            join_keyring(step.name)
        case s.SetLoopbackUp():
            net.set_loopback_up()
        case s.SetUpTerminal():
            from pyoci.engine.console import set_up_terminal

            set_up_terminal(step, context.rootfs, context.console_fd)
        case s.RunHooks():
            run_container_hooks(step, context, "creating")
        case s.SetHostname():
            namespaces.sethostname(step.name)
        case s.SetDomainname():
            namespaces.setdomainname(step.name)


def run_container_hooks(
    step: s.RunHooks, context: InitContext, status: str, env: tuple[str, ...] = ()
) -> None:
    """Run hooks inside the container; one without `env` gets `env`."""
    from pyoci.engine.hooks import run_hooks

    run_hooks(step.kind, step.hooks, context.hook_state(status), env)


def await_main(step: s.AwaitUnit | s.AwaitIdMaps | s.AwaitHost, context: InitContext) -> None:
    """Wait for main to have done its part."""
    match step:
        case s.AwaitUnit():
            await_unit(context.sync_fd)
        case s.AwaitIdMaps():
            await_id_maps(context)
        case s.AwaitHost():
            await_host(context.sync_fd)


def await_unit(sync_fd: int) -> None:
    """Wait for main to say that we are in the cgroup."""
    kind, _ = sync.receive(sync_fd)
    if kind != sync.UNIT_STARTED:
        raise StepError("", "", "main ended before the unit was started")


def await_id_maps(context: InitContext) -> None:
    """Wait for main to write the maps; then be root of the user namespace."""
    kind, _ = sync.receive(context.sync_fd)
    if kind != sync.IDS_MAPPED:
        raise StepError("", "", "main ended before it wrote the id maps")
    become_root(context)


def clone_flags(kinds: tuple[str, ...]) -> int:
    """The CLONE_NEW flags of namespaces of these kinds."""
    flags = 0
    for kind in kinds:
        flags |= CLONE_FLAGS[kind]
    return flags


def set_time_offset(step: s.SetTimeOffset) -> None:
    """Set a clock of the time namespace that our children would be in: nobody has used it yet."""
    path = "/proc/self/timens_offsets"
    fd = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(fd, f"{step.clock} {step.secs} {step.nanosecs}\n".encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        posix.close(fd)


def enter_time_namespace() -> None:
    """Enter it ourselves, without the child for whom it was made (time_namespaces(7))."""
    fd = namespaces.open_namespace("/proc/self/ns/time_for_children")
    try:
        namespaces.setns(fd, CLONE_NEWTIME)
    finally:
        posix.close(fd)


def await_host(sync_fd: int) -> None:
    """Let main run its steps beside us, and wait until they are done."""
    sync.send(sync_fd, sync.HOST_HOOKS)
    kind, _ = sync.receive(sync_fd)
    if kind != sync.HOOKS_DONE:
        raise StepError("", "", "main ended before its hooks were done")
