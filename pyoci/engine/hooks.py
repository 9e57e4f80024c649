"""Running hooks: state on stdin, a bound on time and output, nothing of ours inherited.

config.md, "POSIX-platform Hooks"; runtime.md, "Lifecycle".
"""

from __future__ import annotations

import posix
from select import POLLHUP, POLLIN, POLLOUT, poll
from time import monotonic_ns

from pyoci import jsonio
from pyoci.errors import StepError, describe_errno
from pyoci.linux.clone import close_range_on_exec
from pyoci.linux.libc import encode
from pyoci.linux.pidfd import keep_dead_children, status_of
from pyoci.linux.signals import SIGKILL, block_signals, resettable_signals, restore_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import Hook

_OUTPUT_LIMIT = 4096


def state_of_container(  # noqa: PLR0913  (the six members of runtime.md, "State")
    oci_version: str,
    container_id: str,
    status: str,
    pid: int,
    bundle: str,
    annotations: tuple[tuple[str, str], ...],
) -> bytes:
    """The state of the container as hooks get it on stdin (runtime.md, "State")."""
    members: dict[str, object] = {
        "ociVersion": oci_version,
        "id": container_id,
        "status": status,
        "pid": pid,
        "bundle": bundle,
    }
    if annotations:
        members["annotations"] = dict(annotations)
    return jsonio.dumps(members).encode()


def enter_bundle(path: str) -> None:
    """Have hooks on the host's side run in the bundle, or in / where it is gone by now."""
    try:
        posix.chdir(encode(path))
    except OSError:
        posix.chdir("/")


def run_hooks(kind: str, hooks: tuple[Hook, ...], state: bytes, env: tuple[str, ...] = ()) -> None:
    """Run the hooks in order; StepError at the first that fails.

    A hook without `env` gets `env`: nothing on the host's side, so that
    nothing of our caller's environment leaks into it.
    """
    keep_dead_children()
    for index, hook in enumerate(hooks):
        try:
            run_hook(hook, state, env)
        except HookError as error:
            detail = f"error running {kind} hook #{index}: {error}"
            raise StepError("", "", detail) from None


class HookError(Exception):
    """One hook failed; the text says how."""


def run_hook(hook: Hook, state: bytes, env: tuple[str, ...]) -> None:
    """Run one hook to its end; HookError for a failure, a signal or the time limit."""
    entries = [encode(entry).split(b"=", 1) for entry in (env if hook.env is None else hook.env)]
    environment = {entry[0]: entry[1] for entry in entries}
    # An interrupt in between would leave a hook that nobody waits for.
    mask = block_signals()
    try:
        running = _start(hook, environment)
    except BaseException:
        restore_signals(mask)
        raise
    running.communicate(state, mask)


def _start(hook: Hook, environment: dict[bytes, bytes]) -> _Running:
    pipes = [posix.pipe2(posix.O_CLOEXEC) for _ in range(3)]
    try:
        pid = _spawn(hook, environment, pipes)
    except OSError as error:
        for pipe in pipes:
            posix.close(pipe[0])
            posix.close(pipe[1])
        message = f"{hook.path}: {describe_errno(error.errno or 0)}"
        raise HookError(message) from None
    posix.close(pipes[0][0])
    posix.close(pipes[1][1])
    posix.close(pipes[2][1])
    return _Running(pid, hook, pipes[0][1], pipes[1][0], pipes[2][0])


def _spawn(hook: Hook, env: dict[bytes, bytes], pipes: list[tuple[int, int]]) -> int:
    moves = [
        (posix.POSIX_SPAWN_DUP2, pipes[0][0], 0),
        (posix.POSIX_SPAWN_DUP2, pipes[1][1], 1),
        (posix.POSIX_SPAWN_DUP2, pipes[2][1], 2),
    ]
    args = [encode(arg) for arg in hook.args] or [encode(hook.path)]
    # Our caller may have left descriptors to us. Those that the container shall have are made
    # inheritable again right before execve.
    close_range_on_exec(3)
    return posix.posix_spawn(
        encode(hook.path),
        args,
        env,
        file_actions=moves,
        setsid=True,
        setsigmask=(),
        setsigdef=resettable_signals(),
    )


class _Running:
    """A hook that runs: its pipes and its deadline."""

    def __init__(self, pid: int, hook: Hook, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.timeout = hook.timeout
        self.stdin = stdin
        self.outputs = {stdout: b"", stderr: b""}
        self.stdout, self.stderr = stdout, stderr
        self.pidfd = posix.pidfd_open(pid)
        self.rest = b""
        posix.set_blocking(stdin, False)

    def communicate(self, state: bytes, mask: set[int]) -> None:
        """Feed, read and wait until the hook itself ends; its grandchildren do not hold us up.

        All signals are blocked until an interrupt would end the hook, too; then those of `mask`.
        """
        poller = poll()
        for fd in (self.pidfd, *self.outputs):
            poller.register(fd, POLLIN)
        poller.register(self.stdin, POLLOUT)
        deadline = monotonic_ns() + self.timeout * 10**9 if self.timeout else None
        try:
            restore_signals(mask)
            while not self._turn(poller, deadline, state):
                state = self.rest
            self._read_rest()
        except BaseException:  # an interrupt too: what nobody waits for must not go on
            self._kill()
            raise
        finally:
            self._close()
        self._check(_reap(self.pid))

    def _turn(self, poller: poll, deadline: int | None, state: bytes) -> bool:
        """One round of waiting; whether the hook has ended."""
        left = -1 if deadline is None else max(0, deadline - monotonic_ns()) // 10**6 + 1
        events = dict(poller.poll(left))
        self.rest = state
        if not events and deadline is not None and monotonic_ns() >= deadline:
            message = f"hook ran past specified timeout of {self.timeout}.0s"
            raise HookError(message)
        if self.stdin in events:
            self.rest = self._feed(poller, state)
        for fd in self.outputs:
            if events.get(fd, 0) & (POLLIN | POLLHUP):
                self._read(poller, fd)
        return self.pidfd in events

    def _feed(self, poller: poll, state: bytes) -> bytes:
        try:
            state = state[posix.write(self.stdin, state) :]
        except BlockingIOError:
            return state
        except OSError:  # EPIPE: the hook does not care for the state, which is no error
            state = b""
        if not state:
            poller.unregister(self.stdin)
            posix.close(self.stdin)
            self.stdin = -1
        return state

    def _read(self, poller: poll, fd: int) -> None:
        part = posix.read(fd, 1 << 16)
        if not part:
            poller.unregister(fd)
        room = _OUTPUT_LIMIT - len(self.outputs[fd])
        self.outputs[fd] += part[:room]

    def _read_rest(self) -> None:
        for fd in self.outputs:
            posix.set_blocking(fd, False)
            try:
                room = _OUTPUT_LIMIT - len(self.outputs[fd])
                self.outputs[fd] += posix.read(fd, max(room, 1))[:room]
            except OSError:  # EAGAIN: a grandchild keeps the pipe open
                continue

    def _kill(self) -> None:
        try:
            posix.killpg(self.pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            posix.kill(self.pid, SIGKILL)
        _reap(self.pid)

    def _close(self) -> None:
        for fd in (self.pidfd, self.stdin, *self.outputs):
            if fd >= 0:
                posix.close(fd)

    def _check(self, status: int) -> None:
        if status == 0:
            return
        how = f"signal {status - 128}" if status > 128 else f"exit status {status}"
        out = self.outputs[self.stdout].decode("utf-8", "backslashreplace").strip()
        err = self.outputs[self.stderr].decode("utf-8", "backslashreplace").strip()
        message = f"{how}, stdout: {out}, stderr: {err}"
        raise HookError(message)


def _reap(pid: int) -> int:
    status = status_of(posix.waitid(posix.P_PID, pid, posix.WEXITED))
    return 0 if status is None else status
