"""``pyoci exec``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.paths import absolute_path
from pyoci.cli.request import count_listen_fds
from pyoci.engine.exec import exec_process
from pyoci.errors import UsageError
from pyoci.plan.exec import ExecRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """Run the process in the container; its exit status is ours."""
    return Answer(exit_code=exec_process(exec_request(call), call.log))


def exec_request(call: Call) -> ExecRequest:
    """The options as the engine takes them, paths absolute; UsageError."""
    preserve_fds = call.number("preserve-fds")
    if preserve_fds < 0:
        raise UsageError("--preserve-fds must not be negative")
    return ExecRequest(
        container_id=call.container_id(),
        root=call.root,
        args=call.arguments[1:],
        process_file=_host_path(call, "process"),
        cwd=call.text("cwd"),
        env=call.words("env"),
        user=call.text("user"),
        additional_gids=call.words("additional-gids"),
        capabilities=call.words("cap"),
        no_new_privileges=call.flag("no-new-privs"),
        process_label=call.text("process-label"),
        apparmor=call.text("apparmor"),
        cgroup=call.text("cgroup"),
        ignore_paused=call.flag("ignore-paused"),
        tty=call.flag("tty"),
        console_socket=_host_path(call, "console-socket"),
        pidfd_socket=_host_path(call, "pidfd-socket"),
        pid_file=_host_path(call, "pid-file"),
        detach=call.flag("detach"),
        preserve_fds=preserve_fds,
        listen_fds=count_listen_fds(),
    )


def _host_path(call: Call, name: str) -> str:
    path = call.text(name)
    return absolute_path(path) if path else ""
