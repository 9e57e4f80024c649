"""The fast parser of well-formed command lines.

It knows one answer to a mistake, None: the words for mistakes, and help, are
``click_app.py``'s. Words are options as Go's flag package reads them, which is
what callers of runc write: ``--bundle B``, ``--bundle=B``, ``-bundle B``, ``-b=B``;
``--`` ends the options; short flags do not combine.
"""

from __future__ import annotations

from pyoci.cli import options
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyoci.cli.options import Option, OptionRow, Value


class Invocation(Record):
    """A parsed command line: every option of the table has a value, given or default.

    The command "version" stands for ``--version``.
    """

    command: str
    global_options: dict[str, Value]
    options: dict[str, Value]
    arguments: tuple[str, ...]


def parse(words: Sequence[str]) -> Invocation | None:
    """The invocation of argv without the program; None if it is not well-formed."""
    split = parse_globals(words)
    return None if split is None else parse_command(*split)


def parse_globals(words: Sequence[str]) -> tuple[dict[str, Value], list[str]] | None:
    """The options before the command, and the words from the command on; None for a mistake."""
    return _scan(options.GLOBAL_OPTIONS, words, in_order=True)


def parse_command(global_options: dict[str, Value], words: Sequence[str]) -> Invocation | None:
    """The invocation of what `parse_globals` gives; None if the rest is not well-formed."""
    if global_options["version"]:
        return Invocation(
            command="version", global_options=global_options, options={}, arguments=()
        )
    if not words or words[0] not in options.COMMANDS:
        return None
    _, arguments, in_order, _, table = options.COMMANDS[words[0]]
    scanned = _scan(table, words[1:], in_order=in_order)
    least, most = options.count_arguments(arguments)
    if scanned is None or len(scanned[1]) < least:
        return None
    if most is not None and len(scanned[1]) > most:
        return None
    return Invocation(
        command=words[0],
        global_options=global_options,
        options=scanned[0],
        arguments=tuple(scanned[1]),
    )


def _scan(
    table: Sequence[OptionRow], words: Sequence[str], *, in_order: bool
) -> tuple[dict[str, Value], list[str]] | None:
    """The options' values and the other words."""
    by_name = {name: row for row in table for name in row[:2] if name}
    values: dict[str, Value] = {row[0]: row[3] for row in table}
    rest: list[str] = []
    coming = iter(words)
    for word in coming:
        if word == "--":
            rest += coming
        elif is_option(word):
            name, equals, text = split_option(word)
            row = by_name.get(name)
            if row is None or not _take(values, row, text if equals else None, coming):
                return None
        else:
            rest.append(word)
            if in_order:
                rest += coming
    return values, rest


def _take(
    values: dict[str, Value], row: OptionRow, text: str | None, coming: Iterator[str]
) -> bool:
    """Store the value of one use of an option; False if it has none."""
    option = options.make_option(row)
    if text is None:
        text = "true" if option.kind == options.FLAG else next(coming, None)
    value = None if text is None else options.parse_value(option, text)
    if value is None:
        return False
    _store(values, option, value)
    return True


def _store(values: dict[str, Value], option: Option, value: str | int | bool) -> None:
    """The last use of an option counts; a repeated one collects."""
    if option.kind == options.REPEATED:
        before = values[option.name]
        values[option.name] = (*(before if isinstance(before, tuple) else ()), str(value))
    else:
        values[option.name] = value


def is_option(word: str) -> bool:
    """Whether the word is an option, where options may stand; a lone dash is an argument."""
    return len(word) > 1 and word[0] == "-"


def split_option(word: str) -> tuple[str, str, str]:
    """The name without dashes, "=" if there is one, and what follows it."""
    return word[2 if word[1] == "-" else 1 :].partition("=")
