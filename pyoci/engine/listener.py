"""SCMP_ACT_NOTIFY: the listener of a process's filter goes to the agent that answers for it.

config-linux.md, "The Container Process State". Imported only for a profile that asks for it.
"""

from __future__ import annotations

import posix

from pyoci import jsonio
from pyoci.engine.hooks import state_of_container
from pyoci.engine.naming import Naming
from pyoci.linux.pidfd import pidfd_getfd
from pyoci.linux.sockets import send_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.exec import Joining
    from pyoci.plan.model import CreatePlan
    from pyoci.plan.steps import SendSeccompListener

_PATIENCE_S = 10.0  # an agent that hangs shall not hang the create


def send_listener(
    plan: CreatePlan, step: SendSeccompListener, pid: int, pidfd: int, number: int
) -> None:
    """Take the descriptor of this number out of init and send it with init's state; OSError."""
    state = state_of_container(
        plan.oci_version, plan.container_id, "creating", pid, plan.bundle, plan.annotations
    )
    _send(step, _process_state(step, plan.oci_version, state, pid), pidfd, number)


def send_listener_of_exec(process: Joining, number: int) -> None:
    """The same for a process that joins a container; StepError."""
    container, step = process.state, process.plan.send_listener
    if step is None:  # nobody else sends us a number
        return
    state = state_of_container(
        container.oci_version,
        container.container_id,
        process.status,
        container.pid,
        container.bundle,
        container.annotations,
    )
    described = _process_state(step, container.oci_version, state, process.pid)
    with Naming(step):
        _send(step, described, process.pidfd, number)


def _send(step: SendSeccompListener, described: bytes, pidfd: int, number: int) -> None:
    listener_fd = pidfd_getfd(pidfd, number)
    try:
        send_fd(step.path, described, listener_fd, _PATIENCE_S)
    finally:
        posix.close(listener_fd)


def _process_state(step: SendSeccompListener, version: str, state: bytes, pid: int) -> bytes:
    members = {
        "ociVersion": version,
        "fds": ["seccompFd"],
        "pid": pid,
        "state": jsonio.loads(state.decode()),
    }
    if step.metadata:
        members["metadata"] = step.metadata
    return jsonio.dumps(members).encode()
