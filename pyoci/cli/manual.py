"""The manual page pyoci(8) in mdoc(7), made of the table in ``options.py``; pure."""

from __future__ import annotations

from textwrap import wrap

from pyoci.cli import completion, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.options import Option

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

_WIDTH = 76

_HEAD = """\
.Dd {date}
.Dt PYOCI 8
.Os
.Sh NAME
.Nm pyoci
.Nd run containers as the OCI runtime specification says
.Sh SYNOPSIS
.Nm
.Op Ar global-options
.Ar command
.Op Ar options
.Op Ar arguments
.Sh DESCRIPTION
.Nm
makes a container of a bundle, a directory with a
.Pa config.json
and a root filesystem, and sees it through its life.
It is what container engines call; a person can call it, too.
.Pp
An option is written
.Fl -option Ar value ,
.Fl -option Ns = Ns Ar value
or with one dash.
The argument
.Fl -
ends the options.
"""

_TAIL = """\
.Sh ENVIRONMENT
.Bl -tag -width Ds
.It Ev XDG_RUNTIME_DIR
For an ordinary user, the directory below which states are kept.
.It Ev LISTEN_FDS , LISTEN_PID
Sockets from a service manager, which the container gets, as
.Xr sd_listen_fds 3
says.
.It Ev NOTIFY_SOCKET
The socket of a service manager, as
.Xr sd_notify 3
says.
The container gets one of its own at
.Pa /run/notify/notify.sock ,
and what it says of itself is passed on.
.Cm start
and a detached
.Cm run
return once it has said that it is ready.
.El
.Sh FILES
.Bl -tag -width Ds
.It Pa /run/pyoci
States of containers, a directory each, unless
.Fl -root
names another place.
.El
.Sh EXIT STATUS
0 if all went well, 1 for an error, 3 for an unknown command.
.Pp
.Cm run
and
.Cm exec
in the foreground exit with the status of the program,
128 + n if signal n ended it.
An
.Cm exec
that cannot run its program exits with 255.
.Sh EXAMPLES
Make a bundle of a root filesystem, see what would be done, do it:
.Bd -literal -offset indent
cd bundle
pyoci spec
pyoci plan box
pyoci run box
.Ed
.Pp
Look into a running container:
.Bd -literal -offset indent
pyoci exec --tty box sh
pyoci ps box
pyoci state box
.Ed
.Sh SEE ALSO
.Xr capabilities 7 ,
.Xr cgroups 7 ,
.Xr namespaces 7
.Sh STANDARDS
The runtime specification of the Open Container Initiative,
version 1.3.0, for Linux.
"""


def manual(year: int, month: int, day: int) -> str:
    """The page, with the date of what it describes."""
    lines = [_HEAD.format(date=f"{_MONTHS[month - 1]} {day}, {year}").rstrip()]
    lines += [".Sh GLOBAL OPTIONS", *_options(completion.global_options())]
    lines.append(".Sh COMMANDS")
    for name in options.COMMANDS:
        lines += _command(name)
    return "\n".join([*lines, _TAIL])


def _command(name: str) -> list[str]:
    """A section of a command: how to call it, what it does, its options."""
    summary, arguments, _, description, _ = options.COMMANDS[name]
    table = completion.command_options(name)
    synopsis = [".Nm", f".Cm {name}"]
    if table:
        synopsis.append(".Op Ar options")
    synopsis += [_argument(*argument) for argument in arguments]
    lines = [
        f".Ss {name}",
        *synopsis,
        ".Pp",
        *_text(f"{summary.capitalize()}."),
        *_text(description),
    ]
    return [*lines, *_options(table)] if table else lines


def _argument(name: str, count: str) -> str:
    if count == options.ONE:
        return f".Ar {name}"
    return f".Op Ar {name}{' ...' if count == options.MANY else ''}"


def _options(table: list[Option]) -> list[str]:
    lines = [".Bl -tag -width Ds"]
    for option in table:
        value = "" if option.kind == options.FLAG else f" Ar {_escape(option.metavar)}"
        short = f"Fl {option.short}{value} , " if option.short else ""
        lines.append(f".It {short}Fl -{option.name}{value}")
        lines += _text(f"{_sentence(option.help)}")
    return [*lines, ".El"]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _text(text: str) -> list[str]:
    """The text with a new line for each sentence, as mdoc wants it, and no request in it."""
    lines: list[str] = []
    for sentence in _escape(text).replace(". ", ".\n").split("\n"):
        lines += wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line[:1] in (".", "'") else line for line in lines]


def _escape(text: str) -> str:
    r"""Backslashes as characters, dashes as those of options (`\-`)."""
    return text.replace("\\", "\\e").replace("-", "\\-")
