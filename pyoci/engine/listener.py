"""SCMP_ACT_NOTIFY: the listener of init's filter goes to the agent that answers for it.

config-linux.md, "The Container Process State". Imported only for a profile that asks for it.
"""

from __future__ import annotations

import posix

from pyoci import jsonio
from pyoci.engine.hooks import state_of_container
from pyoci.linux.pidfd import pidfd_getfd
from pyoci.linux.sockets import send_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan
    from pyoci.plan.steps import SendSeccompListener

_PATIENCE_S = 10.0  # an agent that hangs shall not hang the create


def send_listener(
    plan: CreatePlan, step: SendSeccompListener, pid: int, pidfd: int, number: int
) -> None:
    """Take the descriptor of this number out of init and send it with init's state; OSError."""
    listener_fd = pidfd_getfd(pidfd, number)
    try:
        send_fd(step.path, _process_state(plan, step, pid), listener_fd, _PATIENCE_S)
    finally:
        posix.close(listener_fd)


def _process_state(plan: CreatePlan, step: SendSeccompListener, pid: int) -> bytes:
    state = state_of_container(
        plan.oci_version, plan.container_id, "creating", pid, plan.bundle, plan.annotations
    )
    members = {
        "ociVersion": plan.oci_version,
        "fds": ["seccompFd"],
        "pid": pid,
        "state": jsonio.loads(state.decode()),
    }
    if step.metadata:
        members["metadata"] = step.metadata
    return jsonio.dumps(members).encode()
