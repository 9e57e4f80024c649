"""The messages between main and init.

    main                                          init
     | ------------- clone3 ----------------------> |
     | <------------------------- sibling NUMBER -- |  only a pid namespace in a joined user one:
     | -- adopted --------------------------------> |  init proper; who made it has ended
     | -- unit_started ---------------------------> |  only where systemd makes the cgroup
     | -- ids_mapped -----------------------------> |  only with a new user namespace
     |                                              |  namespaces, mounts, devices
     | <----------------------------- host_hooks -- |  only if main has steps beside
     |  network devices, prestart, createRuntime    |
     | -- hooks_done -----------------------------> |
     |                                              |  createContainer hooks, pivot_root, the rest
     | <------------------------ listener NUMBER -- |  only with SCMP_ACT_NOTIFY: filtered by now
     |  pidfd_getfd(2), container process state     |
     | -- listener_sent --------------------------> |
     | <------------------------ ready | failed --- |
     |                                              |
     |  create: -- let_go ------------------------> |  does not die with main any more
     |  state "created", pid file                   |
     | <---------------------------- end of file -- |
     |  run:  -- start ----------------------------> |  the same socket
     |  create ends; start writes to exec.fifo ----> |
     |                                              |  startContainer hooks, filter, execve
     | <----------------- end of file | failed ---- |  run: the socket; start: exec.result

One message is one datagram of a SOCK_SEQPACKET pair: its kind, and after a blank
for `failed` a JSON object, for `listener` the number of a descriptor of init, for
`sibling` its pid. The descriptors are close-on-exec: end of file after `start` means
that execve has happened or that init is dead, before `ready` only the latter.
"""

from __future__ import annotations

import posix

from pyoci import jsonio
from pyoci.errors import PyociError, StepError, describe_oserror
from pyoci.record import Record

SIBLING = b"sibling"
ADOPTED = b"adopted"
UNIT_STARTED = b"unit_started"
IDS_MAPPED = b"ids_mapped"
HOST_HOOKS = b"host_hooks"
HOOKS_DONE = b"hooks_done"
LISTENER = b"listener"
LISTENER_SENT = b"listener_sent"
READY = b"ready"
LET_GO = b"let_go"
START = b"start"
FAILED = b"failed"
END = b""

# Failures that are of no step of plan.init.
OTHER, START_HOOK, NOTHING_TO_START = -1, -2, -3
_LIMIT = 1 << 16
# In characters: as JSON one may take twelve bytes, and all of them must fit into _LIMIT.
_MAX_PATH, _MAX_DETAIL, _MAX_HINT = 1024, 3072, 1024


class Failure(Record):
    """Why init gave up: the index of the step in plan.init (or OTHER...), and the words."""

    step: int
    errno: int = 0
    path: str = ""
    detail: str = ""
    hint: str = ""


def failure_of(error: BaseException, step: int) -> Failure:
    """An exception as the message that main words an error from."""
    if isinstance(error, StepError):
        return Failure(
            step=step, errno=error.errno, path=error.path, detail=error.message, hint=error.hint
        )
    if isinstance(error, PyociError):
        return Failure(step=step, detail=error.message, hint=error.hint)
    if isinstance(error, OSError):
        return Failure(step=step, errno=error.errno or 0, detail=describe_oserror(error))
    return Failure(step=step, detail=f"internal error: {type(error).__name__}: {error}")


def send(fd: int, kind: bytes) -> None:
    """Send a message without content; OSError(EPIPE) if the other side is gone."""
    posix.write(fd, kind)


def encode_failure(failure: Failure) -> bytes:
    """The failure as JSON, cut to what fits into one message."""
    members = {
        "step": failure.step,
        "errno": failure.errno,
        "path": failure.path[:_MAX_PATH],
        "detail": failure.detail[:_MAX_DETAIL],
        "hint": failure.hint[:_MAX_HINT],
    }
    return jsonio.dumps(members).encode()


_MEMBERS = {"step": int, "errno": int, "path": str, "detail": str, "hint": str}


def decode_failure(raw: bytes) -> Failure:
    """The failure in a message of init; one that cannot be read is itself told."""
    try:
        value = jsonio.loads(raw.decode())
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and {name: type(item) for name, item in value.items()} == _MEMBERS:
        return Failure(**value)
    return Failure(step=-1, detail=f"unreadable message from init: {raw[:80]!r}")


def send_failure(fd: int, failure: Failure) -> None:
    """Tell main; nothing if main is gone, for then nobody wants to know."""
    try:
        posix.write(fd, FAILED + b" " + encode_failure(failure))
    except OSError:  # EPIPE, ECONNRESET
        return


def receive(fd: int) -> tuple[bytes, Failure | None]:
    """The next message's kind, END at end of file; a failure is decoded."""
    kind, content = receive_message(fd)
    return kind, decode_failure(content) if kind == FAILED else None


def receive_message(fd: int) -> tuple[bytes, bytes]:
    """The next message's kind, END at end of file, and its content."""
    try:
        message = posix.read(fd, _LIMIT)
    except ConnectionResetError:
        # The other side has ended without reading our last message. That is told first, and once:
        # what it said before is still to come (unix(7)).
        message = posix.read(fd, _LIMIT)
    kind, _, content = message.partition(b" ")
    return kind, content
