"""The options of create, run and plan as the request that the engine and the planner take."""

from __future__ import annotations

import posix

from pyoci.cli.paths import absolute_path, environment
from pyoci.errors import UsageError
from pyoci.plan.model import CreateRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call

_ABSOLUTE = ("pid-file", "console-socket", "pidfd-socket")


def create_request(call: Call) -> CreateRequest:
    """The request; paths are absolute from here on. UsageError if one cannot be."""
    preserve_fds = call.number("preserve-fds")
    if preserve_fds < 0:
        raise UsageError("--preserve-fds must not be negative")
    pid_file, console_socket, pidfd_socket = [_absolute_option(call, name) for name in _ABSOLUTE]
    return CreateRequest(
        # A plan is shown for a terminal, too: as that of a run, which needs no socket for it.
        command="create" if call.command == "create" else "run",
        container_id=call.container_id(),
        bundle=absolute_path(call.text("bundle")),
        root=call.root,
        pid_file=pid_file,
        console_socket=console_socket,
        pidfd_socket=pidfd_socket,
        config_path=call.text("config"),
        no_pivot=call.flag("no-pivot"),
        no_new_keyring=call.flag("no-new-keyring"),
        preserve_fds=preserve_fds,
        listen_fds=count_listen_fds(),
        detach=call.flag("detach"),
        keep=call.flag("keep"),
        no_subreaper=call.flag("no-subreaper"),
        systemd_cgroup=call.systemd_cgroup,
        rootless=call.rootless,
        notify_socket=environment("NOTIFY_SOCKET"),
    )


def _absolute_option(call: Call, name: str) -> str:
    """The option's path, absolute before anyone changes the directory; plan has none of them."""
    path = call.text(name) if name in call.options else ""
    return absolute_path(path) if path else ""


def count_listen_fds() -> int:
    """How many sockets the caller passes, from 3 on (sd_listen_fds(3)); 0 if not to us."""
    if environment("LISTEN_PID") != str(posix.getpid()):
        return 0
    count = environment("LISTEN_FDS")
    return int(count) if count.isascii() and count.isdigit() and len(count) < 10 else 0
