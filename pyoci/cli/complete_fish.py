"""The completion script for fish."""

from __future__ import annotations

from pyoci.cli import completion, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.options import Option

_VALUES = {
    completion.DIRECTORY: "-x -a '(__fish_complete_directories)'",
    completion.FILE: "-r -F",
    completion.ANY: "-x",
}

# Finds the command behind the global options, and how many arguments it has so far. The options of
# the command that take a value are asked for by name.
_HEAD = """\
# fish completion for pyoci; made by `pyoci completion fish`

function __pyoci_read
    set -g __pyoci_command
    set -g __pyoci_root
    set -g __pyoci_arguments 0
    set -l awaited
    set -l ended
    for word in (commandline -opc)[2..-1]
        if test -n "$awaited"
            test $awaited = root; and set __pyoci_root --root $word
            set awaited
        else if test -z "$ended"; and string match -qr '^-.' -- $word
            test $word = --; and set ended yes
            set -l name (string replace -r '^--?' '' -- $word)
            string match -qr '^root=' -- $name
            and set __pyoci_root --root (string replace root= '' -- $name)
            contains -- $name (__pyoci_awaiting "$__pyoci_command"); and set awaited $name
        else if test -z "$__pyoci_command"
            set __pyoci_command $word
        else
            set __pyoci_arguments (math $__pyoci_arguments + 1)
            contains -- $__pyoci_command {in_order}; and set ended yes
        end
    end
end

function __pyoci_awaiting
    switch $argv[1]
{awaiting}
    end
end

function __pyoci_in
    __pyoci_read
    test "$__pyoci_command" = "$argv[1]"
    and begin
        not set -q argv[2]
        or test $__pyoci_arguments = $argv[2]
    end
end

function __pyoci_containers
    __pyoci_read
    pyoci $__pyoci_root list --quiet 2>/dev/null
end

complete -c pyoci -e
complete -c pyoci -f
"""


def script() -> str:
    """The script."""
    tables = {"": completion.global_options()}
    tables |= {name: completion.command_options(name) for name in options.COMMANDS}
    head = _HEAD.replace("{awaiting}", "\n".join(_awaiting(tables)))
    in_order = [name for name in options.COMMANDS if completion.stops_at_argument(name)]
    lines = [head.replace("{in_order}", " ".join(in_order))]
    for command, table in tables.items():
        lines += [_option(command, option) for option in table]
        lines.append(f"{_when(command)} -l help -d 'show help'")
    for name, row in options.COMMANDS.items():
        lines.append(f"{_when('')} -a {name} -d {_quote(row[0])}")
        for number, (_, kind, words) in enumerate(completion.arguments_of(name)):
            if kind == completion.CONTAINER:
                lines.append(f"{_when(name, number)} -a '(__pyoci_containers)'")
            elif kind == completion.WORDS:
                lines.append(f"{_when(name, number)} -a {_quote(' '.join(words))}")
    return "\n".join(lines) + "\n"


def _awaiting(tables: dict[str, list[Option]]) -> list[str]:
    """The names of each command's options that take a value from the next word."""
    lines = []
    for command, table in tables.items():
        valued = [option for option in table if option.kind != options.FLAG]
        names = [name for option in valued for name in (option.name, option.short) if name]
        if names:
            lines.append(f"        case {_quote(command)}")
            lines.append(f"            printf '%s\\n' {' '.join(names)}")
    return lines


def _when(command: str, argument: int | None = None) -> str:
    number = "" if argument is None else f" {argument}"
    return f"complete -c pyoci -n {_quote(f'__pyoci_in {_quote(command)}{number}')}"


def _option(command: str, option: Option) -> str:
    short = f" -s {option.short}" if option.short else ""
    line = f"{_when(command)} -l {option.name}{short} -d {_quote(option.help)}"
    if option.kind == options.FLAG:
        return line
    kind, words = completion.kind_of_value(option)
    if kind == completion.WORDS:
        return f"{line} -x -a {_quote(' '.join(words))}"
    return f"{line} {_VALUES[kind]}"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
