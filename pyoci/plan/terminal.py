"""process.terminal -> whose terminal it becomes, and how (config.md, "Process").

Imported only for a config or a command line that asks for one.
"""

from __future__ import annotations

from pyoci.errors import ConfigError, UsageError
from pyoci.paths import nearest
from pyoci.plan.steps import ConnectConsole, SetUpTerminal

_LONGEST = 65535  # ioctl_tty(2), struct winsize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreateRequest
    from pyoci.spec.model import Process


def check_terminal(process: Process | None, console_socket: str, *, detached: bool) -> None:
    """Refuse a terminal that nobody would get, and a socket that would get none.

    ConfigError or UsageError, in the words that callers know.
    """
    terminal = process is not None and process.terminal
    if terminal and detached and not console_socket:
        raise ConfigError(
            "process.terminal",
            "cannot allocate tty if pyoci will detach without setting console socket",
        )
    if console_socket and not (terminal and detached):
        raise UsageError("cannot use console socket if pyoci will not detach or allocate tty")


def plan_connection(process: Process | None, request: CreateRequest) -> list[ConnectConsole]:
    """What main does for the terminal before there is init; ConfigError, UsageError."""
    detached = request.command == "create" or request.detach
    check_terminal(process, request.console_socket, detached=detached)
    return [ConnectConsole(config="process.terminal", path=request.console_socket)]


def plan_terminal(process: Process, mounted: list[str] | None) -> SetUpTerminal:
    """What init does; `mounted` are the destinations of its mounts, None if it has no namespace."""
    size = process.console_size
    if size is not None and max(size.height, size.width) > _LONGEST:
        raise ConfigError("process.consoleSize", f"a terminal has at most {_LONGEST} of each")
    return SetUpTerminal(
        config="process.terminal",
        base="" if mounted is None else nearest("/dev", mounted),
        rows=size.height if size else 0,
        columns=size.width if size else 0,
    )
