"""The container's statuses and what may be done in each: the one table (runtime.md, "State").

Pure. Rule: everything that decides whether an operation fits a status is here.
"""

from __future__ import annotations

from pyoci.errors import StateError

CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"
STATUSES = (CREATING, CREATED, RUNNING, PAUSED, STOPPED)

# operation: statuses in which it is allowed (shared contract of runc and crun).
ALLOWED = {
    "start": (CREATED,),
    "kill": (CREATED, RUNNING, PAUSED),
    "delete": (CREATED, STOPPED),
    "delete --force": STATUSES,
    "pause": (CREATED, RUNNING),
    "resume": (PAUSED,),
    "update": (CREATED, RUNNING, PAUSED),
    "events": (CREATED, RUNNING, PAUSED),
    "exec": (CREATED, RUNNING),
    "exec --ignore-paused": (CREATED, RUNNING, PAUSED),
    "ps": (CREATED, RUNNING, PAUSED, STOPPED),
    "state": STATUSES,
    "wait": (CREATED, RUNNING, PAUSED, STOPPED),
}


def check_operation(operation: str, status: str, container_id: str) -> None:
    """StateError in the words that callers match, unless the operation fits the status."""
    if status in ALLOWED[operation]:
        return
    if operation == "start":
        raise StateError(
            _REFUSED_START.get(status, f"cannot start a container in the {status} state")
        )
    if operation in _NEED_A_PROCESS and status == STOPPED:
        raise StateError("container not running")
    if operation == "resume":
        raise StateError("container not paused")
    if operation.startswith("exec") and status in _REFUSED_EXEC:
        raise StateError(_REFUSED_EXEC[status])
    if operation == "events" and status == STOPPED:
        raise StateError(f"container with id {container_id} is not running")
    if operation == "delete":
        message = f"cannot delete container {container_id} that is not stopped: {status}"
        raise StateError(message, "use delete --force to kill and delete it")
    message = f"cannot {operation.partition(' ')[0]} a container in the {status} state"
    raise StateError(message)


_NEED_A_PROCESS = ("kill", "pause", "update")
_REFUSED_EXEC = {
    STOPPED: "cannot exec in a stopped container",
    PAUSED: "cannot exec in a paused container (use --ignore-paused to override)",
}
_REFUSED_START = {
    STOPPED: "cannot start a container that has stopped",
    RUNNING: "cannot start an already running container",
}


def derive_status(
    *, init_alive: bool, creator_alive: bool, being_created: bool, frozen: bool, waiting: bool
) -> str:
    """The status of a container out of what is true now; nothing that was stored is trusted.

    `being_created` is what the state file says, and counts only while the
    process that wrote it lives; `waiting` is whether init waits for `start`.
    """
    if being_created and creator_alive:
        return CREATING
    if not init_alive:
        return STOPPED
    if frozen:
        return PAUSED
    return CREATED if waiting else RUNNING
