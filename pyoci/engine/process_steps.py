"""What init and the process of exec have in common: sealing, and becoming the container process.

Apart from ``steps.py``, which has a filesystem to build: an exec loads none of that.
"""

from __future__ import annotations

import errno
import posix
import sys

from pyoci.engine import sync
from pyoci.errors import StepError
from pyoci.linux import caps, keyring, prctl, rlimit
from pyoci.linux.pidfd import read_kernel_file
from pyoci.plan import steps as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.step_types import ProcessInitStep

_SIGKILL = 9
_IGNORED_CHOWN = (1, 22, 30)  # EPERM, EINVAL, EROFS: a stream that cannot change hands


class _Sealed:
    """An importer that refuses: after pivot_root an import would run the container's files."""

    def find_spec(self, name: str, *_: object) -> None:
        message = f"import of {name} after the import system was sealed"
        raise ImportError(message)


def seal() -> None:
    """Shut the import system for good (the class of CVE-2019-14271)."""
    sys.path.clear()
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [_Sealed()]


class ProcessContext:
    """What the process carries from step to step."""

    entered_directory = False
    setgroups_denied = False


def apply_process_step(step: ProcessInitStep, context: ProcessContext) -> None:  # noqa: C901
    """One call for each kind of step."""
    match step:
        case s.SetRlimit():
            rlimit.setrlimit(step.resource, step.soft, step.hard)
        case s.SetNoNewPrivileges():
            prctl.set_no_new_privileges()
        case s.SchedulingStep():
            from pyoci.engine.scheduling import apply_scheduling

            apply_scheduling(step)
        case s.LabelStep():
            from pyoci.engine.labels import apply_label

            apply_label(step)
        case s.DropBounding():
            caps.drop_bounding(step.keep)
        case s.ChangeDirectory():
            change_directory(step, context)
        case s.SetUser():
            set_user(step, context)
        case s.SetCapabilities():
            set_capabilities(step)
        case s.SetUmask():
            posix.umask(step.mask)
        case s.VerifyDirectory():
            verify_directory(step, context)


def load_with_listener(step: s.LoadSeccomp, sync_fd: int) -> None:
    """Install a filter that asks a listener, and have main send that to the agent.

    From then on we live under the filter ourselves: write(2) is what plan/seccomp sees to that
    we may call without being asked about, and only once the agent can answer do we do more.
    """
    from pyoci.linux.seccomp import install_filter

    listener_fd = install_filter(step.program, step.flags)
    sync.send(sync_fd, b"%b %d" % (sync.LISTENER, listener_fd))
    kind, _ = sync.receive(sync_fd)
    if kind != sync.LISTENER_SENT:
        raise StepError("", "", "main ended before it sent the seccomp listener")
    # Or a call would wait forever for an agent that has died: not even we could answer it.
    posix.close(listener_fd)


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


def become_root(context: ProcessContext) -> None:
    """Be user and group 0 of our user namespace, and of no other group, where it allows that.

    Without a mapping of 0 we become the first that has one: our capabilities do not depend on it.
    """
    try:
        posix.setgroups(())
    except PermissionError:  # we have all capabilities: only `deny` is left (user_namespaces(7))
        context.setgroups_denied = True
    for become, name in ((posix.setresgid, "gid_map"), (posix.setresuid, "uid_map")):
        try:
            become(0, 0, 0)
        except OSError as error:
            first = _first_id(name)
            if error.errno != errno.EINVAL or first is None:
                raise
            if first:
                become(first, first, first)
    # Becoming another user has set the one, and taken back the other (credentials(7), prctl(2)).
    prctl.set_dumpable(dumpable=False)
    prctl.set_parent_death_signal(_SIGKILL)


def _first_id(name: str) -> int | None:
    """The first id that has a mapping, None if none has; 0 if there is no /proc that tells it."""
    try:
        words = read_kernel_file(f"/proc/self/{name}").split()
    except OSError:
        return 0
    return int(words[0]) if words else None


def change_directory(step: s.ChangeDirectory, context: ProcessContext) -> None:
    """Enter the directory as root, who may pass where the user may not."""
    try:
        posix.chdir(step.path.encode("utf-8", "surrogateescape"))
    except PermissionError:
        return
    context.entered_directory = True


def verify_directory(step: s.VerifyDirectory, context: ProcessContext) -> None:
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


def set_user(step: s.SetUser, context: ProcessContext) -> None:
    """Give the user its standard streams; take its groups and ids; keep capabilities for now."""
    own_stdio(step.uid)
    prctl.set_keep_capabilities(keep=True)
    set_groups(step, context)
    posix.setresgid(step.gid, step.gid, step.gid)
    posix.setresuid(step.uid, step.uid, step.uid)
    prctl.set_dumpable(dumpable=False)


def set_groups(step: s.SetUser, context: ProcessContext) -> None:
    """Exactly the config's groups; an error unless setgroups is `deny` and none are asked for."""
    if not context.setgroups_denied:
        posix.setgroups(step.additional_gids)
    elif step.additional_gids:
        detail = "its user namespace has setgroups denied: it allows no additional groups"
        raise StepError("", "", detail, errno.EPERM)


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
