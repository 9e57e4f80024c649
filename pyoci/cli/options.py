"""Every command, argument and option, once, as data.

Both parsers read this table: ``argv.py``, which accepts well-formed command lines
fast, and ``click_app.py``, which has help, completion and the words for mistakes.
What an option does is told by the command that reads it.
"""

from __future__ import annotations

from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Value = str | int | bool | tuple[str, ...] | None
    OptionRow = tuple[str, str, str, Value, str, str]
    CommandRow = tuple[str, tuple[tuple[str, str], ...], bool, str, tuple[OptionRow, ...]]

# Kinds of options. A flag takes `--flag`, and `--flag=BOOL` with a boolean as Go writes it; all
# others take their value from after the "=" or from the next word, whatever that looks like.
FLAG = "flag"
STRING = "string"
INT = "int"
CHOICE = "choice"  # one of the words of the metavar
AUTO_BOOL = "auto-bool"  # "auto", or a boolean; normalized to auto, true and false
REPEATED = "repeated"  # each use adds a string to a tuple

# How many words an argument takes.
ONE = "one"
OPTIONAL = "optional"
MANY = "many"  # none or more

TRUE_WORDS = ("true", "1", "t", "T", "TRUE", "True")
FALSE_WORDS = ("false", "0", "f", "F", "FALSE", "False")


class Option(Record):
    """One option; without help text it is hidden: taken for the sake of callers, and ignored."""

    name: str
    short: str
    kind: str
    default: Value
    metavar: str
    help: str


# One row an option: name, short name, kind, default, metavar, help.
GLOBAL_OPTIONS: tuple[OptionRow, ...] = (
    ("root", "", STRING, None, "DIR",
     "directory of the containers' states (default: /run/pyoci, or $XDG_RUNTIME_DIR/pyoci)"),
    ("log", "", STRING, "", "FILE", "append errors and warnings to this file (default: stderr)"),
    ("log-format", "", CHOICE, "text", "text|json", "how entries of the log look"),
    ("debug", "", FLAG, False, "", "log more, and where in the source it comes from"),
    ("systemd-cgroup", "", FLAG, False, "",
     "let systemd make the cgroup; linux.cgroupsPath is then slice:prefix:name"),
    ("rootless", "", AUTO_BOOL, "auto", "true|false|auto", "go on where cgroups are not permitted"),
    # containerd 1.6 passes it; criu is found in PATH.
    ("criu", "", STRING, "", "PATH", ""),
    ("version", "v", FLAG, False, "", "print the version"),
)  # fmt: skip

_BUNDLE = (
    "bundle", "b", STRING, "", "DIR",
    "directory with config.json and the root filesystem (default: the working directory)",
)  # fmt: skip

_PLAN_OPTIONS = (
    _BUNDLE,
    ("config", "f", STRING, "config.json", "FILE", "name of the configuration in the bundle"),
    ("no-pivot", "", FLAG, False, "",
     "move the root mount and chroot, where pivot_root(2) cannot work (on a ramdisk)"),
    ("no-new-keyring", "", FLAG, False, "", "keep the caller's session keyring"),
    ("preserve-fds", "", INT, 0, "N", "pass N more file descriptors, from 3 on (after LISTEN_FDS)"),
)  # fmt: skip

_CREATE_OPTIONS = (
    *_PLAN_OPTIONS,
    ("pid-file", "", STRING, "", "FILE", "write the process id of the container's init here"),
    ("console-socket", "", STRING, "", "SOCKET", "send the terminal's master end to this socket"),
    ("pidfd-socket", "", STRING, "", "SOCKET", "send a pidfd of the init to this socket"),
)  # fmt: skip

_ID = ("container-id", ONE)

# One row a command: summary, arguments, in order?, description, options. In order: the first
# argument ends the options, as in `ps ID -ef`.
COMMANDS: dict[str, CommandRow] = {
    "create": (
        "create a container", (_ID,), False,
        "Makes the container from the bundle; its program waits for `start`.",
        (
            *_CREATE_OPTIONS,
            # go-runc's options of create and run are one structure.
            ("detach", "d", FLAG, False, "", ""),
            ("no-subreaper", "", FLAG, False, "", ""),
        ),
    ),
    "delete": (
        "delete a container that is stopped or only created", (_ID,), False,
        "Removes the container's cgroup and state, then runs the poststop hooks.",
        (
            ("force", "f", FLAG, False, "",
             "kill the container first if it runs; none of this name is no error"),
        ),
    ),
    "kill": (
        "send a signal to a container's init", (_ID, ("signal", OPTIONAL)), True,
        "The signal is a name, with or without SIG, or a number (default: SIGTERM).",
        (("all", "a", FLAG, False, "", "send it to every process of the container's cgroup"),),
    ),
    "list": (
        "list the containers of the state root", (), False,
        "A state that cannot be read is named on stderr and left out.",
        (
            ("format", "f", CHOICE, "table", "table|json", "how the list looks"),
            ("quiet", "q", FLAG, False, "", "print the ids only"),
        ),
    ),
    "plan": (
        "show what create would do", (_ID,), False,
        "Reads the bundle and the machine and prints every step with the configuration's key that"
        " asks for it; changes nothing.",
        (*_PLAN_OPTIONS, ("format", "", CHOICE, "text", "text|json", "how the plan looks")),
    ),
    "ps": (
        "list the processes of a container", (_ID, ("ps-options", MANY)), True,
        "The table is that of ps(1), run with the given options (default: -ef), without the lines"
        " of other processes; json is an array of process ids.",
        (("format", "f", CHOICE, "table", "table|json", "how the list looks"),),
    ),
    "run": (
        "create a container, start it, and wait for its end", (_ID,), False,
        "Exits with the program's status, or 128 + n if signal n ended it.",
        (
            *_CREATE_OPTIONS,
            ("detach", "d", FLAG, False, "", "do not wait for the end"),
            ("keep", "", FLAG, False, "", "do not delete the container at its end"),
            ("no-subreaper", "", FLAG, False, "",
             "leave orphans of the container to the caller's subreaper"),
        ),
    ),
    "spec": (
        "write a config.json to start from", (), False,
        "Never overwrites a file.",
        (
            ("bundle", "b", STRING, "", "DIR", "where to (default: the working directory)"),
            ("rootless", "", FLAG, False, "", "for a container that an ordinary user can run"),
        ),
    ),
    "start": (
        "start the program of a created container", (_ID,), False,
        "Returns as soon as the program runs.",
        (),
    ),
    "state": (
        "print the state of a container", (_ID,), False,
        "The state is that of the runtime specification, as JSON, with the root filesystem and the"
        " time of creation.",
        (),
    ),
}  # fmt: skip


def make_option(row: OptionRow) -> Option:
    """The option of a row."""
    name, short, kind, default, metavar, help_text = row
    return Option(
        name=name, short=short, kind=kind, default=default, metavar=metavar, help=help_text
    )


def make_options(rows: Sequence[OptionRow]) -> tuple[Option, ...]:
    """The options of the rows; made on demand, because a command needs its own only."""
    return tuple([make_option(row) for row in rows])


def count_arguments(arguments: Sequence[tuple[str, str]]) -> tuple[int, int | None]:
    """The least and the greatest number of arguments; None is no limit."""
    counts = [count for _, count in arguments]
    return counts.count(ONE), None if MANY in counts else len(counts)


def takes_container(name: str) -> bool:
    """Whether the first argument of the command is a container's id."""
    row = COMMANDS.get(name)
    return row is not None and _ID in row[1]


def parse_value(option: Option, text: str) -> str | int | bool | None:
    """The value that the text stands for; None if it stands for none."""
    if option.kind == FLAG:
        return parse_bool(text)
    if option.kind == INT:
        return parse_int(text)
    if option.kind == CHOICE:
        return text if text in option.metavar.split("|") else None
    if option.kind == AUTO_BOOL and text != "auto":
        truth = parse_bool(text)
        return None if truth is None else str(truth).lower()
    return text


def parse_bool(text: str) -> bool | None:
    """A boolean as Go's strconv.ParseBool takes it; None for anything else."""
    if text in TRUE_WORDS:
        return True
    return False if text in FALSE_WORDS else None


def parse_int(text: str) -> int | None:
    """A decimal number of ASCII digits that 64 bits hold, perhaps with a sign; None else."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
