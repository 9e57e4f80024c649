"""The click application made of the table in ``options.py``.

It serves ``--help`` and mistakes. A well-formed command line never gets
here: importing click takes longer than most commands. click reads only the GNU forms
of options, so the words are rewritten to those first.
"""

from __future__ import annotations

from pyoci.cli import options, paths
from pyoci.cli.argv import Invocation, is_option, split_option
from pyoci.errors import UsageError
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import click

    from pyoci.cli.options import Option, OptionRow, Value

_HELP_NAMES = ("help", "h")
_DESCRIPTION = (
    "Run containers as the runtime specification of the Open Container Initiative says."
    " A container comes from a bundle: a directory with a config.json and a root filesystem."
)


class Misuse(UsageError):  # noqa: N818  (errors are named for what is wrong)
    """A command line that is wrong; `usage` is the help that belongs to it."""

    def __init__(self, message: str, usage: str, hint: str = "") -> None:
        """Take the message, the help text and perhaps a hint."""
        super().__init__(message, hint)
        self.usage = usage


class UnknownCommand(UsageError):  # noqa: N818  (the name says it)
    """There is no such command: callers know runc's text and status."""

    exit_code = 3

    def __init__(self, name: str) -> None:
        """Take the word that stands where the command should."""
        super().__init__(f"No help topic for '{name}'")


def parse(words: Sequence[str]) -> Invocation | str:
    """The invocation of these words, or the help that they ask for.

    Misuse or UnknownCommand if they are wrong; ImportError if there is no click.
    """
    table = options.make_options(options.GLOBAL_OPTIONS)
    general = rewrite(table, words, in_order=True)
    if general.wants_help:
        return help_text("")
    values = _parse_options(build_group(), table, general, ())
    if values["version"] is True:
        return Invocation(command="version", global_options=values, options={}, arguments=())
    rest = general.arguments
    if not rest:
        return help_text("")
    if rest[0] in _HELP_NAMES:
        return help_text("".join(rest[1:2]))
    return _parse_command(values, rest[0], rest[1:])


def _parse_command(
    global_options: dict[str, Value], name: str, words: Sequence[str]
) -> Invocation | str:
    if name not in options.COMMANDS:
        raise UnknownCommand(name)
    _, _, in_order, _, rows = options.COMMANDS[name]
    table = options.make_options(rows)
    own = rewrite(table, words, in_order=in_order)
    if own.wants_help:
        return help_text(name)
    values = _parse_options(build_command(name), table, own, own.arguments)
    return Invocation(
        command=name, global_options=global_options, options=values, arguments=own.arguments
    )


def help_text(name: str) -> str:
    """The help of a command, or of the program if the name is empty; UnknownCommand if none."""
    group = build_group()
    context = group.make_context(paths.NAME, [], resilient_parsing=True)
    if name:
        command = group.commands.get(name)
        if command is None:
            raise UnknownCommand(name)
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    return f"{context.get_help()}\n"


class Rewritten(Record):
    """A part of the command line: its options in GNU form, and its arguments."""

    options: tuple[str, ...]
    arguments: tuple[str, ...]
    wants_help: bool
    lacks_value: bool


def rewrite(table: Sequence[Option], words: Sequence[str], *, in_order: bool) -> Rewritten:
    """Sort the words: ``-name v``, ``--n=v`` and the like become ``--name=v``.

    An option that the table does not have, or that lacks its value, stays for click to refuse.
    """
    made: list[str] = []
    arguments: list[str] = []
    wants_help = lacks_value = False
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not is_option(word):
            arguments.append(word)
        if word == "--" or (in_order and not is_option(word)):
            arguments += words[index:]
            break
        if not is_option(word):
            continue
        name, equals, value = split_option(word)
        option = next((o for o in table if name and name in {o.name, o.short}), None)
        if option is None:
            wants_help = wants_help or name in _HELP_NAMES
            # With "=", because a nameless option would otherwise end the options.
            made += [] if name in _HELP_NAMES else [f"--{name}="]
        elif equals or option.kind == options.FLAG:
            made.append(f"--{option.name}={value if equals else 'true'}")
        else:
            made.append("=".join([f"--{option.name}", *words[index : index + 1]]))
            lacks_value = index == len(words)
            index += 1
    return Rewritten(
        options=tuple(made),
        arguments=tuple(arguments),
        wants_help=wants_help,
        lacks_value=lacks_value,
    )


def _parse_options(
    command: click.Command, table: Sequence[Option], part: Rewritten, arguments: Sequence[str]
) -> dict[str, Value]:
    """The options' values, as click reads them; Misuse where it refuses anything."""
    import click

    # Behind an option that lacks its value nothing may stand that click could take for it.
    words = list(part.options) if part.lacks_value else [*part.options, "--", *arguments]
    topic = command.name if command.name in options.COMMANDS else ""
    try:
        given = command.make_context(command.name, words).params
    except click.UsageError as error:
        raise _reword(error, table, topic or "") from error
    return {option.name: _choose(option, given[identifier(option.name)]) for option in table}


def _choose(option: Option, values: tuple[str, ...]) -> Value:
    """The last use of an option counts; a repeated one collects."""
    if option.kind == options.REPEATED:
        return values
    return values[-1] if values else option.default


def _reword(error: click.UsageError, table: Sequence[Option], topic: str) -> Misuse:
    """The mistake in the words that callers know from runc."""
    import click

    usage = help_text(topic)
    if isinstance(error, click.NoSuchOption):
        hint = " or ".join(error.possibilities or ())
        message = f"flag provided but not defined: -{error.option_name.lstrip('-')}"
        return Misuse(message, usage, f"did you mean {hint}?" if hint else "")
    if isinstance(error, click.BadOptionUsage):
        return Misuse(f"flag needs an argument: -{error.option_name.lstrip('-')}", usage)
    if isinstance(error, click.MissingParameter):
        return Misuse(describe_count(topic, too_many=False), usage)
    if not isinstance(error, click.BadParameter):
        return Misuse(describe_count(topic, too_many=True), usage)
    name = error.param.name if error.param is not None else None
    option = next(o for o in table if identifier(o.name) == name)
    return Misuse(describe_refusal(option, error.message), usage)


def describe_count(name: str, *, too_many: bool) -> str:
    """How many arguments the command wants, in runc's words."""
    least, most = options.count_arguments(options.COMMANDS[name][1])
    if least == most:
        return f'"{name}" requires exactly {least} argument(s)'
    if too_many:
        return f'"{name}" requires a maximum of {most} argument(s)'
    return f'"{name}" requires a minimum of {least} argument(s)'


def describe_refusal(option: Option, value: str) -> str:
    """What is wrong with the value of an option."""
    if option.kind == options.CHOICE:
        kind = "format option" if option.name == "format" else option.name
        return f"invalid {kind}: {value}"
    if option.kind == options.INT:
        return f'invalid value "{value}" for flag -{option.name}: not a number'
    return f'invalid boolean value "{value}" for -{option.name}'


def build_group() -> click.Group:
    """The click group of the program, with all commands."""
    import click

    group = click.Group(
        paths.NAME,
        help=_DESCRIPTION,
        params=_build_options(options.GLOBAL_OPTIONS),
        context_settings=_settings(),
        no_args_is_help=False,
    )
    for name in options.COMMANDS:
        group.add_command(build_command(name))
    return group


def build_command(name: str) -> click.Command:
    """The click command of a row of the table."""
    import click

    summary, arguments, _, description, rows = options.COMMANDS[name]
    return click.Command(
        name,
        help=f"{summary.capitalize()}.\n\n{description}",
        short_help=summary,
        params=[*_build_options(rows), *[_build_argument(*row) for row in arguments]],
        context_settings=_settings(),
    )


def _settings() -> dict[str, object]:
    return {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _build_argument(name: str, count: str) -> click.Argument:
    import click

    required = count == options.ONE
    shown = f"<{name}>" if required else f"[{name}{'...' if count == options.MANY else ''}]"
    return click.Argument(
        [identifier(name)],
        required=required,
        nargs=-1 if count == options.MANY else 1,
        metavar=shown,
        type=click.UNPROCESSED,
    )


def _build_options(rows: Sequence[OptionRow]) -> list[click.Parameter]:
    return [_build_option(option) for option in options.make_options(rows)]


def _build_option(option: Option) -> click.Option:
    """A flag is an option with a value to click: Go writes ``--detach=false``.

    All are multiple, so that click looks also at values that a later one overrides, as Go does.
    """
    import click

    names = [f"--{option.name}"]
    if option.short:
        names.insert(0, f"-{option.short}")
    return click.Option(
        [identifier(option.name), *names],
        type=_converter(option),
        multiple=True,
        metavar=option.metavar,
        help=option.help,
        hidden=not option.help,
    )


def _converter(option: Option) -> Callable[[str], Value]:
    """What click calls with the text of a value: ValueError with that text if it has no meaning."""

    def convert(text: str) -> Value:
        value = options.parse_value(option, text)
        if value is None:
            raise ValueError(text)
        return value

    return convert


def identifier(name: str) -> str:
    """The name of an option or argument as click's parameter names must be."""
    return name.replace("-", "_")
