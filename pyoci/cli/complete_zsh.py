"""The completion script for zsh."""

from __future__ import annotations

from pyoci.cli import completion, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.options import Option

_ACTIONS = {
    completion.DIRECTORY: "_files -/",
    completion.FILE: "_files",
    completion.CONTAINER: "_pyoci_containers",
    completion.ANY: " ",
}

_HEAD = """\
#compdef pyoci
# zsh completion for pyoci; made by `pyoci completion zsh`

_pyoci_containers() {
    local -a ids
    ids=(${(f)"$($pyoci_program $pyoci_root list --quiet 2>/dev/null)"})
    compadd -a ids
}

_pyoci() {
    local context state state_descr line
    typeset -A opt_args
    local -a commands pyoci_program pyoci_root
    pyoci_program=($words[1])
"""

# As a file of $fpath it is the function itself; by `source` it is given to the shell.
_TAIL = """

if [[ $funcstack[1] == _pyoci ]]; then
    _pyoci "$@"
else
    compdef _pyoci pyoci
fi
"""


def script() -> str:
    """The script."""
    lines = [
        "    _arguments -C -S \\",
        *_specs(completion.global_options()),
        "        '1: :->command' \\",
        "        '*:: :->arguments' && return",
        "    [[ -n $opt_args[--root] ]] && pyoci_root=(--root ${(Q)opt_args[--root]})",
        "    case $state in",
        "        command)",
        "            commands=(",
        *[
            f"                {_quote(f'{name}:{row[0]}')}"
            for name, row in options.COMMANDS.items()
        ],
        "            )",
        "            _describe command commands",
        "            ;;",
        "        arguments)",
        "            case $words[1] in",
    ]
    for name in options.COMMANDS:
        lines += _command(name)
    lines += ["            esac", "            ;;", "    esac", "}"]
    return _HEAD + "\n".join(lines) + _TAIL


def _command(name: str) -> list[str]:
    """What follows a command. Where its first argument ends the options, the rest is anything."""
    specs = _specs(completion.command_options(name))
    for number, (argument, kind, words) in enumerate(completion.arguments_of(name), 1):
        specs.append(f"        {_quote(f'{number}:{argument}:{_action(kind, words)}')} \\")
    only = "-A '-*' " if completion.stops_at_argument(name) else ""
    rest = (
        "        '*: : '" if options.count_arguments(options.COMMANDS[name][1])[1] is None else ""
    )
    made = [f"        {name})", f"    _arguments {only}-S \\", *specs]
    made += [rest] if rest else []
    made[-1] = made[-1].removesuffix(" \\")
    return [f"        {line}" for line in [*made, "    ;;"]]


def _specs(table: list[Option]) -> list[str]:
    return [f"        {_spec(option)} \\" for option in table] + ["        '--help[show help]' \\"]


def _spec(option: Option) -> str:
    """An option as _arguments takes it; one that may come again excludes nothing."""
    help_text = option.help.replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")
    value = ""
    if option.kind != options.FLAG:
        kind, words = completion.kind_of_value(option)
        value = f":{option.metavar.replace(':', chr(92) + ':')}:{_action(kind, words)}"
    long = f"--{option.name}" + ("=" if value else "")
    description = f"[{help_text}]{value}"
    again = "*" if option.kind == options.REPEATED else ""
    if not option.short:
        return _quote(f"{again}{long}{description}")
    names = f"{{-{option.short},{long}}}"
    excluded = again or f"(-{option.short} --{option.name})"
    return f"{_quote(excluded)}{names}{_quote(description)}"


def _action(kind: str, words: tuple[str, ...]) -> str:
    return f"({' '.join(words)})" if kind == completion.WORDS else _ACTIONS[kind]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
