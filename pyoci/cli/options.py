"""Every command, argument and option, once, as data.

Both parsers read this table: ``argv.py``, which accepts well-formed command lines
fast, and ``click_app.py``, which has help and the words for mistakes. Completion for
shells and the manual are made of it.
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
    ("log", "", STRING, "", "FILE",
     "append errors and warnings to this file, or send them to journald:NAME or syslog:NAME"
     " (default: stderr)"),
    ("log-format", "", CHOICE, "text", "text|json", "how entries of the log look"),
    ("debug", "", FLAG, False, "", "log every step, too, and where in the source"),
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

_CONFIG = (
    "config", "f", STRING, "config.json", "FILE", "name of the configuration in the bundle",
)  # fmt: skip

_PLAN_OPTIONS = (
    _BUNDLE,
    _CONFIG,
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

_UPDATE_OPTIONS = (
    ("resources", "r", STRING, "", "FILE",
     "read a linux.resources object from this file (-: stdin); other options do not count then"),
    ("blkio-weight", "", STRING, "", "N", "share of block devices, 10 to 1000"),
    ("cpu-period", "", STRING, "", "US", "microseconds of the period that the quota is a part of"),
    ("cpu-quota", "", STRING, "", "US", "microseconds of CPU time in each period"),
    ("cpu-burst", "", STRING, "", "US", "microseconds that may be saved up beyond the quota"),
    ("cpu-share", "", STRING, "", "N", "share of CPU time, 2 to 262144 (default: 1024)"),
    ("cpu-idle", "", STRING, "", "0|1", "1: run only when nothing else wants to"),
    ("cpuset-cpus", "", STRING, "", "LIST", "CPUs to run on, like 0-3,7"),
    ("cpuset-mems", "", STRING, "", "LIST", "memory nodes to use, like 0-1"),
    ("memory", "", STRING, "", "SIZE", "limit of memory"),
    ("memory-reservation", "", STRING, "", "SIZE", "memory that is not taken back under pressure"),
    ("memory-swap", "", STRING, "", "SIZE", "limit of memory and swap together"),
    ("pids-limit", "", STRING, "", "N", "number of tasks; -1 is no limit"),
    # Without a meaning on cgroup v2.
    ("cpu-rt-period", "", STRING, "", "US", ""),
    ("cpu-rt-runtime", "", STRING, "", "US", ""),
    ("kernel-memory", "", STRING, "", "SIZE", ""),
    ("kernel-memory-tcp", "", STRING, "", "SIZE", ""),
    # For Intel's Resource Director Technology.
    ("l3-cache-schema", "", STRING, "", "SCHEMA", ""),
    ("mem-bw-schema", "", STRING, "", "SCHEMA", ""),
)  # fmt: skip

_EXEC_OPTIONS = (
    ("process", "p", STRING, "", "FILE", "take the process from this file, a JSON object"),
    ("cwd", "", STRING, "", "DIR", "working directory, in the container"),
    ("env", "e", REPEATED, (), "NAME=VALUE", "set a variable"),
    ("user", "u", STRING, "", "USER[:GROUP]", "be this user: ids, or names that the container has"),
    ("additional-gids", "g", REPEATED, (), "GID", "be in this group too"),
    ("cap", "c", REPEATED, (), "CAP", "have this capability too"),
    ("no-new-privs", "", FLAG, False, "", "gain no privileges by execve(2)"),
    ("apparmor", "", STRING, "", "PROFILE", "be confined by this AppArmor profile"),
    ("process-label", "", STRING, "", "LABEL", "have this SELinux label"),
    ("cgroup", "", STRING, "", "PATH", "run in this cgroup below the container's"),
    ("ignore-paused", "", FLAG, False, "", "go on if the container is paused"),
    ("detach", "d", FLAG, False, "", "do not wait for the end"),
    ("pid-file", "", STRING, "", "FILE", "write the process id here"),
    ("pidfd-socket", "", STRING, "", "SOCKET", "send a pidfd of the process to this socket"),
    ("preserve-fds", "", INT, 0, "N", "pass N more file descriptors, from 3 on (after LISTEN_FDS)"),
    ("tty", "t", FLAG, False, "", "have a terminal: a new one of the container's"),
    ("console-socket", "", STRING, "", "SOCKET", "send the terminal's master end to this socket"),
)  # fmt: skip

_ID = ("container-id", ONE)

# One row a command: summary, arguments, in order?, description, options. In order: the first
# argument ends the options, as in `ps ID -ef`.
COMMANDS: dict[str, CommandRow] = {
    "completion": (
        "print a script that completes command lines", (("shell", ONE),), False,
        "The shell is bash, zsh or fish; installed scripts are the same.",
        (),
    ),
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
    "events": (
        "print what a container uses, and when memory ran out", (_ID,), False,
        "One JSON object a line, until the container stops: its statistics at each interval, and a"
        " word whenever the kernel killed a process of it for want of memory.",
        (
            ("interval", "", STRING, "5s", "DURATION", "time between statistics: 500ms, 5s, 1m30s"),
            ("stats", "", FLAG, False, "", "print the statistics once, and end"),
        ),
    ),
    "exec": (
        "run one more process in a container", (_ID, ("command", MANY)), True,
        "The process is the container's own but for its arguments, or that of a file; options"
        " change it. Exits with its status, 128 + n if signal n ended it, or 255 if it could not"
        " be run.",
        _EXEC_OPTIONS,
    ),
    "features": (
        "print what this runtime can do", (), False,
        "The answer is the Features structure of the runtime specification, as JSON; it does not"
        " depend on the machine.",
        (),
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
    "pause": (
        "stop all processes of a container where they are", (_ID,), False,
        "Returns once they stand still; `resume` lets them go on.",
        (),
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
    "resume": (
        "let the processes of a paused container go on", (_ID,), False,
        "The counterpart of `pause`.",
        (),
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
    "seccomp": (
        "show what a bundle's seccomp profile does",
        (("bundle", ONE), ("system-call", OPTIONAL), ("argument", MANY)), True,
        "Prints the decision about every system call of each architecture of the profile, or about"
        " one, by name or number, and the rule behind it. With arguments, which are numbers, the"
        " decision about these; those left out are 0.",
        (
            _CONFIG,
            ("machine", "", STRING, "", "NAME", "as on this machine of uname -m (default: ours)"),
            ("format", "", CHOICE, "text", "text|json", "how the answer looks"),
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
    "update": (
        "change the limits of a container", (_ID,), False,
        "What is not given stays as it was. Sizes are bytes, or end in k, M or G; -1 is no limit.",
        _UPDATE_OPTIONS,
    ),
    "wait": (
        "wait for the end of a container, and print its exit status", (_ID,), False,
        "The status is 128 + n if signal n ended the container's program. It is kept: the next"
        " `wait` prints it again. One that nobody has waited for while it ended may be unknown.",
        (),
    ),
}  # fmt: skip

# The status of a failure of ours where that is not 1: there it could be the program's.
FAILURE_STATUS = {"exec": 255}


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
