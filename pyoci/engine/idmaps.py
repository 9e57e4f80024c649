"""The id maps of an ordinary user's namespace, by newuidmap(1) and newgidmap(1) where need be."""

from __future__ import annotations

import posix
from select import POLLIN, poll
from time import monotonic_ns

from pyoci.errors import StepError
from pyoci.linux.pidfd import pidfd_send_signal, reap, write_process_file
from pyoci.plan.namespaces import map_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.steps import WriteIdMaps

# They are set-uid root: not what the caller's PATH says.
_DIRECTORIES = ("/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin")
_PATIENCE_MS = 10_000
_LIMIT_BYTES = 4096
_SIGKILL = 9
_DEFAULT_SIGNALS = (13, 25)  # Python ignores SIGPIPE and SIGXFSZ


def write_id_maps(step: WriteIdMaps, pid: int) -> None:
    """Write both maps of the process's user namespace, by whoever may; OSError, StepError."""
    if step.deny_setgroups:
        write_process_file(pid, "setgroups", "deny")
    both = (
        ("gid_map", step.gid_helper, map_text(step.gid_mappings)),
        ("uid_map", step.uid_helper, map_text(step.uid_mappings)),
    )
    for file, helper, text in both:
        if helper:
            run_helper(helper, [str(pid), *text.split()])
        else:
            write_process_file(pid, file, text)


def run_helper(name: str, arguments: list[str], patience_ms: int = _PATIENCE_MS) -> None:
    """Run the program and wait for it; StepError in its own words if it fails or takes too long."""
    path = _find(name)
    read_fd, write_fd = posix.pipe()
    try:
        pid = posix.posix_spawn(
            path,
            [name, *arguments],
            {},
            file_actions=[
                (posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0),
                (posix.POSIX_SPAWN_DUP2, write_fd, 1),
                (posix.POSIX_SPAWN_DUP2, write_fd, 2),
            ],
            setsigdef=_DEFAULT_SIGNALS,
            setsigmask=(),
        )
        posix.close(write_fd)
        write_fd = -1
        _await(path, pid, read_fd, patience_ms)
    finally:
        for fd in (read_fd, write_fd):
            if fd >= 0:
                posix.close(fd)


def _find(name: str) -> str:
    for directory in _DIRECTORIES:
        path = f"{directory}/{name}"
        if posix.access(path, posix.X_OK):
            return path
    raise StepError(
        "main",
        f"run {name}",
        f"executable file not found in {', '.join(_DIRECTORIES)}",
        hint="install it (Debian: uidmap), or map nothing but the own id, of size 1",
    )


def _await(path: str, pid: int, read_fd: int, patience_ms: int) -> None:
    pidfd = posix.pidfd_open(pid)
    try:
        said, in_time = _read(read_fd, pidfd, patience_ms)
        if not in_time:
            # It has more rights than we; what it holds of ours ends with the user namespace.
            _kill(pidfd)
            raise StepError("main", f"run {path}", f"does not end within {patience_ms} ms")
        status = reap(pidfd)
    finally:
        posix.close(pidfd)
    if status:
        file = "/etc/subuid" if path.endswith("newuidmap") else "/etc/subgid"
        words = "; ".join(said.decode("utf-8", "backslashreplace").split("\n")).strip("; ")
        config = "linux.uidMappings" if path.endswith("newuidmap") else "linux.gidMappings"
        detail = f"exit status {status}{f': {words}' if words else ''} ({config})"
        hint = f"what it may map is the caller's own id, and what {file} gives to him"
        raise StepError("main", f"run {path}", detail, hint=hint)


def _kill(pidfd: int) -> None:
    try:
        pidfd_send_signal(pidfd, _SIGKILL)
    except PermissionError:  # it runs as root
        return
    reap(pidfd)


def _read(read_fd: int, pidfd: int, patience_ms: int) -> tuple[bytes, bool]:
    """What it says, up to a limit, and whether it ended in time."""
    poller = poll()
    poller.register(read_fd, POLLIN)
    poller.register(pidfd, POLLIN)
    deadline = monotonic_ns() + patience_ms * 10**6
    said = b""
    while True:
        left_ms = (deadline - monotonic_ns()) // 10**6
        ready = dict(poller.poll(max(0, left_ms)))
        if not ready:
            return said, False
        if read_fd in ready:
            part = posix.read(read_fd, _LIMIT_BYTES)
            said = (said + part)[:_LIMIT_BYTES]
            if not part:
                poller.unregister(read_fd)
        elif pidfd in ready:
            return said, True
