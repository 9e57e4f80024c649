"""Completion scripts for shells, made of the table in ``options.py``; pure.

A script knows the words by itself: no interpreter starts when somebody presses the tabulator, but
for the ids of containers, which it asks `pyoci list` for.
"""

from __future__ import annotations

from pyoci.cli import options
from pyoci.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyoci.cli.options import Option

SHELLS = ("bash", "zsh", "fish")

# What a value or an argument is.
DIRECTORY, FILE, WORDS, CONTAINER, ANY = "directory", "file", "words", "container", "any"

# By metavar. A path inside a container or a cgroup is none that a shell could complete.
_KINDS = {"DIR": DIRECTORY, "FILE": FILE, "SOCKET": FILE}
_NOT_HERE = ("cwd", "cgroup")
# A container of this name must not exist yet.
_NEW_CONTAINERS = ("create", "run", "plan")
_SIGNALS = ("TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT", "WINCH")


def script(shell: str) -> str:
    """The script of the shell; UsageError for one that we know nothing of."""
    if shell not in SHELLS:
        raise UsageError(f"no completion for {shell!a}", f"there is one for {', '.join(SHELLS)}")
    from pyoci.cli import complete_bash, complete_fish, complete_zsh

    made: dict[str, Callable[[], str]] = {
        "bash": complete_bash.script,
        "zsh": complete_zsh.script,
        "fish": complete_fish.script,
    }
    return made[shell]()


def global_options() -> list[Option]:
    """The options before the command that are meant for people."""
    return shown(options.GLOBAL_OPTIONS)


def command_options(name: str) -> list[Option]:
    """The options of a command that are meant for people, and the one for help."""
    return shown(options.COMMANDS[name][4])


def shown(rows: Sequence[options.OptionRow]) -> list[Option]:
    """The options of the rows without those that are only taken for the sake of callers."""
    return [option for option in options.make_options(rows) if option.help]


def kind_of_value(option: Option) -> tuple[str, tuple[str, ...]]:
    """What the value of an option is, and the words that it can be."""
    if option.kind == options.FLAG:
        return ANY, ()
    if option.kind in (options.CHOICE, options.AUTO_BOOL) or set("0|1") == set(option.metavar):
        return WORDS, tuple(option.metavar.split("|"))
    if option.name in _NOT_HERE:
        return ANY, ()
    return _KINDS.get(option.metavar, ANY), ()


def kind_of_argument(command: str, name: str) -> tuple[str, tuple[str, ...]]:
    """The same of an argument."""
    if name == "container-id" and command not in _NEW_CONTAINERS:
        return CONTAINER, ()
    if name == "signal":
        return WORDS, _SIGNALS
    if name == "shell":
        return WORDS, SHELLS
    return ANY, ()


def arguments_of(command: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, kind and words of each argument that one word is; others are a command of its own."""
    return [
        (name, *kind_of_argument(command, name))
        for name, count in options.COMMANDS[command][1]
        if count != options.MANY
    ]


def stops_at_argument(command: str) -> bool:
    """Whether the first argument ends the options."""
    return options.COMMANDS[command][2]
