"""The completion script for bash; needs nothing of the package bash-completion."""

from __future__ import annotations

from pyoci.cli import completion, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyoci.cli.options import Option

# Goes through the words before the current one. bash makes three words of --root=/x.
_MAIN = """\
_pyoci() {
    local current=${COMP_WORDS[COMP_CWORD]} command='' awaited='' ended='' arguments=0
    local i word kind words
    local -a root=()
    [[ $current == = ]] && current=''
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = && -z $ended ]]; then
            [[ -z $awaited ]] && awaited=flag
        elif [[ -n $awaited ]]; then
            [[ $awaited == root ]] && root=(--root "$word")
            awaited=''
        elif [[ $word == -- && -z $ended ]]; then
            ended=yes
        elif [[ $word == -?* && -z $ended ]]; then
            word=${word#-}
            word=${word#-}
            _pyoci_value "$command" "$word"
            [[ -n $kind ]] && awaited=$word
        elif [[ -z $command ]]; then
            command=$word
        else
            ((arguments += 1))
            _pyoci_stops "$command" && ended=yes
        fi
    done
    COMPREPLY=()
    if [[ -n $awaited ]]; then
        _pyoci_value "$command" "$awaited"
    elif [[ $current == -* && -z $ended ]]; then
        _pyoci_options "$command"
    else
        _pyoci_argument "$command" "$arguments"
    fi
    case $kind in
        directory)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            ;;
        file)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            ;;
        container)
            words=$("$1" "${root[@]}" list --quiet 2>/dev/null)
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
            ;;
        words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    esac
}

complete -F _pyoci pyoci
"""


def script() -> str:
    """The script."""
    parts = (
        "# bash completion for pyoci; made by `pyoci completion bash`",
        _function("_pyoci_value", "What the value of option $2 is; nothing for a flag.", _values()),
        _function("_pyoci_options", "The options of a command.", _options()),
        _function("_pyoci_argument", "What argument number $2 is.", _arguments()),
        _stops(),
        _MAIN,
    )
    return "\n\n".join(parts)


def _function(name: str, comment: str, cases: Iterable[tuple[str, str, str]]) -> str:
    """A function that sets kind and words by what its arguments are."""
    lines = [f"# {comment}", f"{name}() {{", "    kind='' words=''", '    case "$1 ${2-}" in']
    for pattern, kind, words in cases:
        setting = f"kind={kind}" + (f" words='{words}'" if words else "")
        lines.append(f"        {pattern}) {setting} ;;")
    return "\n".join([*lines, "    esac", "}"])


def _values() -> list[tuple[str, str, str]]:
    tables = {"": completion.global_options()}
    tables |= {name: completion.command_options(name) for name in options.COMMANDS}
    return [
        (_pattern(command, option), kind, " ".join(words))
        for command, table in tables.items()
        for option in table
        if option.kind != options.FLAG
        for kind, words in [completion.kind_of_value(option)]
    ]


def _pattern(command: str, option: Option) -> str:
    names = [option.name, option.short] if option.short else [option.name]
    return " | ".join([f"'{command} {name}'" for name in names])


def _options() -> list[tuple[str, str, str]]:
    tables = {"": completion.global_options()}
    tables |= {name: completion.command_options(name) for name in options.COMMANDS}
    return [
        (f"'{command} '", "words", " ".join([*[f"--{option.name}" for option in table], "--help"]))
        for command, table in tables.items()
    ]


def _arguments() -> list[tuple[str, str, str]]:
    names = " ".join([*options.COMMANDS, "help"])
    return [
        ("' '*", "words", names),
        *[
            (f"'{command} {number}'", kind, " ".join(words))
            for command in options.COMMANDS
            for number, (_, kind, words) in enumerate(completion.arguments_of(command))
            if kind != completion.ANY
        ],
    ]


def _stops() -> str:
    names = "|".join([name for name in options.COMMANDS if completion.stops_at_argument(name)])
    return (
        "# Whether the first argument of a command ends its options.\n"
        f"_pyoci_stops() {{\n    [[ $1 =~ ^({names})$ ]]\n}}"
    )
