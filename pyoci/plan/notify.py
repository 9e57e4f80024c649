"""NOTIFY_SOCKET of our caller -> a socket of the container's own, and what is passed on from it.

Imported only where the variable is set (sd_notify(3)).
"""

from __future__ import annotations

from pyoci.record import replace
from pyoci.spec.model import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan, CreateRequest
    from pyoci.spec.model import Spec

# In the state directory (state/store.py makes it), and where that is in the container.
DIRECTORY, SOCKET = "notify", "notify.sock"
_INSIDE = "/run/notify"
_OPTIONS = ("bind", "ro", "nosuid", "nodev", "noexec")

# What a service tells of itself. Not MAINPID (a pid of the container's namespace), nor what names
# processes or descriptors of the host: FDSTORE, NOTIFYACCESS and the like are not the container's.
_PASSED_ON = (
    b"READY=",
    b"RELOADING=",
    b"MONOTONIC_USEC=",
    b"STOPPING=",
    b"STATUS=",
    b"ERRNO=",
    b"BUSERROR=",
    b"EXIT_STATUS=",
    b"WATCHDOG=",
    b"WATCHDOG_USEC=",
    b"EXTEND_TIMEOUT_USEC=",
)


def with_socket(spec: Spec, request: CreateRequest) -> Spec:
    """The config as if it asked for the socket itself: a mount and a variable.

    As it was without a process, or without mounts of its own, where it can have none.
    """
    kinds = [namespace.type for namespace in spec.linux.namespaces]
    if spec.process is None or "mount" not in kinds:
        return spec
    source = f"{request.root}/{request.container_id}/{DIRECTORY}"
    mount = Mount(destination=_INSIDE, type="bind", source=source, options=_OPTIONS)
    variable = f"NOTIFY_SOCKET={_INSIDE}/{SOCKET}"
    process = replace(spec.process, env=(*spec.process.env, variable))
    return replace(spec, mounts=(*spec.mounts, mount), process=process)


def mark(plan: CreatePlan, spec: Spec) -> CreatePlan:
    """The plan with the variable as the cause of its mount, which config.json does not have."""
    added = f"mounts[{len(spec.mounts) - 1}]"
    before, init = [
        tuple(
            [
                replace(step, config="NOTIFY_SOCKET") if step.config == added else step
                for step in part
            ]
        )
        for part in (plan.before, plan.init)
    ]
    return replace(plan, before=before, init=init, notify=True)


def filter_message(datagram: bytes) -> bytes:
    """The lines of a datagram of the container that the host's service manager may be told."""
    lines = [line for line in datagram.split(b"\n") if line.startswith(_PASSED_ON)]
    return b"\n".join(lines)


def says_ready(message: bytes) -> bool:
    """Whether it says that the service has started."""
    return b"READY=1" in message.split(b"\n")
