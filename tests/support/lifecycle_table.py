"""What may be done to a container in which status: written down a second time, for tests.

As runc and crun have it; None stands for a container that does not exist.
"""

from __future__ import annotations

STATUSES = ("creating", "created", "running", "paused", "stopped")

MAY: dict[str, set[str | None]] = {
    "create": {None},
    "start": {"created"},
    "kill": {"created", "running", "paused"},
    "delete": {"created", "stopped"},
    "delete --force": {None, *STATUSES},
    "state": {*STATUSES},
    "ps": {"created", "running", "paused", "stopped"},
    "exec": {"created", "running"},
    "exec --ignore-paused": {"created", "running", "paused"},
    "pause": {"created", "running"},
    "resume": {"paused"},
    "update": {"created", "running", "paused"},
    "events": {"created", "running", "paused"},
    "wait": {"created", "running", "paused", "stopped"},
    "checkpoint": {"running", "paused"},
}

# What a refusal says; a status that is not here has a text of the same kind.
REFUSALS = {
    ("start", "running"): "cannot start an already running container",
    ("start", "stopped"): "cannot start a container that has stopped",
    ("start", "paused"): "cannot start a container in the paused state",
    ("start", "creating"): "cannot start a container in the creating state",
    ("kill", "stopped"): "container not running",
    ("kill", "creating"): "cannot kill a container in the creating state",
    ("pause", "creating"): "cannot pause a container in the creating state",
    ("pause", "paused"): "cannot pause a container in the paused state",
    ("pause", "stopped"): "container not running",
    ("resume", "creating"): "container not paused",
    ("resume", "created"): "container not paused",
    ("resume", "running"): "container not paused",
    ("resume", "stopped"): "container not paused",
    ("update", "creating"): "cannot update a container in the creating state",
    ("update", "stopped"): "container not running",
    ("exec", "creating"): "cannot exec a container in the creating state",
    ("exec", "paused"): "cannot exec in a paused container (use --ignore-paused to override)",
    ("exec", "stopped"): "cannot exec in a stopped container",
    ("wait", "creating"): "cannot wait a container in the creating state",
    ("delete", "creating"): "that is not stopped: creating",
    ("delete", "running"): "that is not stopped: running",
    ("delete", "paused"): "that is not stopped: paused",
}
MISSING = "does not exist"
TAKEN = "container with given ID already exists"


def refusal(operation: str, status: str | None) -> str:
    """The text of a refused operation."""
    if status is None:
        return MISSING
    return TAKEN if operation == "create" else REFUSALS[operation, status]
