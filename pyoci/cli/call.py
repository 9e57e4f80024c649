"""What a command gets and gives: a Call in, an Answer out.

Commands print nothing and end nothing; ``main.py`` does both.
"""

from __future__ import annotations

from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyoci.cli.options import Value
    from pyoci.cli.output import Log


class Call(Record):
    """One command to carry out, with what the global options say."""

    command: str
    options: dict[str, Value]
    arguments: tuple[str, ...]
    log: Log
    root: str = ""
    root_is_given: bool = False
    systemd_cgroup: bool = False
    rootless: str = "auto"

    def text(self, option: str) -> str:
        """The value of an option that takes a string."""
        value = self.options[option]
        return value if isinstance(value, str) else ""

    def number(self, option: str) -> int:
        """The value of an option that takes a number."""
        value = self.options[option]
        return value if isinstance(value, int) else 0

    def words(self, option: str) -> tuple[str, ...]:
        """The values of an option that may be given several times."""
        value = self.options[option]
        return value if isinstance(value, tuple) else ()

    def flag(self, option: str) -> bool:
        """Whether the flag is set; a flag that the command does not have is not."""
        return self.options.get(option) is True

    def container_id(self) -> str:
        """The first argument of the commands that take a container; ``main.py`` has checked it."""
        return self.arguments[0]


class Answer(Record):
    """What a command says: text for stdout, lines for stderr, and the exit status.

    `more` is text that comes with time, each part to be printed at once.
    """

    text: str = ""
    more: Iterable[str] = ()
    problems: tuple[str, ...] = ()
    exit_code: int = 0
