"""One step of init's part of a plan -> the calls that carry it out.

The plan fixed the order; this adds none. Everything raises OSError (the caller
names the step) or StepError (which has words of its own).
"""

from __future__ import annotations

import posix

from pyoci.engine import sync
from pyoci.engine.rootfs import Rootfs
from pyoci.errors import StepError
from pyoci.linux import caps, keyring, namespaces, net, prctl, rlimit
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
        ProcessInitStep,
        RootfsInitStep,
    )

_SIGKILL = 9
_IGNORED_CHOWN = (1, 22, 30)  # EPERM, EINVAL, EROFS: a stream that cannot change hands


class InitContext:
    """What init carries from step to step."""

    console_fd = -1  # where the terminal's master goes, if there is one

    def __init__(self, plan: CreatePlan, sync_fd: int, namespace_fds: dict[str, int]) -> None:
        """Take the plan, the socket to main and the opened namespaces."""
        self.plan = plan
        self.sync_fd = sync_fd
        self.namespace_fds = namespace_fds
        self.rootfs = Rootfs()
        self.entered_directory = False

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
        case s.AwaitIdMaps():
            await_id_maps(context.sync_fd)
        case s.BecomeRoot():
            become_root()
        case s.UnshareNamespaces():
            unshare_namespaces(step)
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
        case s.AwaitHost():
            await_host(context.sync_fd)
        case s.RunHooks():
            run_container_hooks(step, context, "creating")
        case s.SetHostname():
            namespaces.sethostname(step.name)
        case s.SetDomainname():
            namespaces.setdomainname(step.name)


def apply_process_step(step: ProcessInitStep, context: InitContext) -> None:
    """One call for each kind of step."""
    match step:
        case s.SetRlimit():
            rlimit.setrlimit(step.resource, step.soft, step.hard)
        case s.SetNoNewPrivileges():
            prctl.set_no_new_privileges()
        case s.SchedulingStep():
            from pyoci.engine.scheduling import apply_scheduling

            apply_scheduling(step)
        case s.DropBounding():
            caps.drop_bounding(step.keep)
        case s.ChangeDirectory():
            change_directory(step, context)
        case s.SetUser():
            set_user(step)
        case s.SetCapabilities():
            set_capabilities(step)
        case s.SetUmask():
            posix.umask(step.mask)
        case s.VerifyDirectory():
            verify_directory(step, context)


def run_container_hooks(
    step: s.RunHooks, context: InitContext, status: str, env: tuple[str, ...] = ()
) -> None:
    """Run hooks inside the container; one without `env` gets `env`."""
    from pyoci.engine.hooks import run_hooks

    run_hooks(step.kind, step.hooks, context.hook_state(status), env)


def join_keyring(name: str) -> None:
    """A session keyring of our own; the caller's stays outside.

    ENOSYS: a kernel without keyrings has nothing to hide. EDQUOT: the user's
    keys are used up: the container goes on with the session it has, as with runc.
    """
    try:
        keyring.join_session_keyring(name)
    except OSError as error:
        if error.errno not in (38, 122):
            raise


def await_id_maps(sync_fd: int) -> None:
    """Wait for main to write the maps; then be root of the user namespace."""
    kind, _ = sync.receive(sync_fd)
    if kind != sync.IDS_MAPPED:
        raise StepError("", "", "main ended before it wrote the id maps")
    become_root()


def become_root() -> None:
    """Be user and group 0 of our user namespace, and of no other group."""
    posix.setgroups(())
    posix.setresgid(0, 0, 0)
    posix.setresuid(0, 0, 0)
    # Becoming another user has set the one, and taken back the other (credentials(7), prctl(2)).
    prctl.set_dumpable(dumpable=False)
    prctl.set_parent_death_signal(_SIGKILL)


def unshare_namespaces(step: s.UnshareNamespaces) -> None:
    """Get new namespaces of these kinds in one call."""
    flags = 0
    for kind in step.kinds:
        flags |= CLONE_FLAGS[kind]
    namespaces.unshare(flags)


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


def change_directory(step: s.ChangeDirectory, context: InitContext) -> None:
    """Enter the directory as root, who may pass where the user may not."""
    try:
        posix.chdir(step.path.encode("utf-8", "surrogateescape"))
    except PermissionError:
        return
    context.entered_directory = True


def verify_directory(step: s.VerifyDirectory, context: InitContext) -> None:
    """Enter it as the user if need be; then be sure that we stand inside the container.

    A directory outside has no path from our root: getcwd(2) then fails, or
    names it `(unreachable)`. It can be reached through a descriptor that
    somebody left open (CVE-2024-21626).
    """
    if not context.entered_directory:
        posix.chdir(step.path.encode("utf-8", "surrogateescape"))
    try:
        where = posix.getcwdb()
    except FileNotFoundError:
        where = b""
    if not where.startswith(b"/"):
        raise StepError("", "", "current working directory is outside of container", path=step.path)


def set_user(step: s.SetUser) -> None:
    """Give the user its standard streams; take its groups and ids; keep capabilities for now."""
    own_stdio(step.uid)
    prctl.set_keep_capabilities(keep=True)
    set_groups(step)
    posix.setresgid(step.gid, step.gid, step.gid)
    posix.setresuid(step.uid, step.uid, step.uid)
    prctl.set_dumpable(dumpable=False)


def set_groups(step: s.SetUser) -> None:
    """Exactly the config's groups; an error unless setgroups is `deny` and none are asked for."""
    try:
        posix.setgroups(step.additional_gids)
    except PermissionError:
        if step.additional_gids or not _setgroups_is_denied():
            raise


def _setgroups_is_denied() -> bool:
    try:
        fd = posix.open("/proc/self/setgroups", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return False
    try:
        return posix.read(fd, 16).startswith(b"deny")
    finally:
        posix.close(fd)


def own_stdio(uid: int) -> None:
    """Let the user open its own standard streams again by /proc/self/fd/N.

    Not /dev/null, which belongs to all, and nothing that has the owner already.
    """
    null = posix.makedev(1, 3)
    for fd in (0, 1, 2):
        try:
            found = posix.fstat(fd)
            if found.st_uid != uid and found.st_rdev != null:
                posix.chown(fd, uid, -1)
        except OSError as error:
            if error.errno not in _IGNORED_CHOWN:
                raise


def set_capabilities(step: s.SetCapabilities) -> None:
    """Reduce the sets, then see to it that they are what was asked for."""
    caps.capset(step.effective, step.permitted, step.inheritable)
    caps.set_ambient(step.ambient)
    wanted = (step.effective, step.permitted, step.inheritable)
    if caps.capget() != wanted:
        raise StepError("", "", "the kernel set other capabilities than asked for")
