"""Help, and the words for mistakes."""

from __future__ import annotations

import pytest

from pyoci.cli import click_app, options
from pyoci.cli.argv import Invocation


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("create", '"create" requires exactly 1 argument(s)'),
        ("create a b", '"create" requires exactly 1 argument(s)'),
        ("list x", '"list" requires exactly 0 argument(s)'),
        ("kill", '"kill" requires a minimum of 1 argument(s)'),
        ("kill a b c", '"kill" requires a maximum of 2 argument(s)'),
        ("ps", '"ps" requires a minimum of 1 argument(s)'),
        ("--nope list", "flag provided but not defined: -nope"),
        ("state -x c", "flag provided but not defined: -x"),
        ("run -db /b c", "flag provided but not defined: -db"),
        ("create c --bundle", "flag needs an argument: -bundle"),
        ("create c -b", "flag needs an argument: -bundle"),
        ("--log", "flag needs an argument: -log"),
        ("--log-format=bad list", "invalid log-format: bad"),
        ("list -f bad", "invalid format option: bad"),
        ("--rootless=maybe list", 'invalid boolean value "maybe" for -rootless'),
        ("run --keep=maybe c", 'invalid boolean value "maybe" for -keep'),
        ("run --preserve-fds= c", 'invalid value "" for flag -preserve-fds: not a number'),
    ],
)
def test_words_for_mistakes(line: str, message: str) -> None:
    with pytest.raises(click_app.Misuse) as caught:
        click_app.parse(line.split())
    assert caught.value.message == message
    assert caught.value.exit_code == 1
    assert caught.value.usage.startswith("Usage: pyoci ")


def test_a_slip_gets_a_hint() -> None:
    with pytest.raises(click_app.Misuse) as caught:
        click_app.parse(["create", "--bundel", "/b", "c"])
    assert caught.value.hint == "did you mean --bundle?"


@pytest.mark.parametrize("line", ["nosuch", "help nosuch", "h nosuch", "nosuch --help", "exec2 a"])
def test_unknown_commands_end_with_3(line: str) -> None:
    with pytest.raises(click_app.UnknownCommand) as caught:
        click_app.parse(line.split())
    word = next(word for word in line.split() if word not in {"help", "h"})
    assert caught.value.message == f"No help topic for '{word}'"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("line", ["", "help", "h", "--help", "-h", "-help", "--debug", "--h"])
def test_help_of_the_program_names_every_command(line: str) -> None:
    text = click_app.parse(line.split())
    assert isinstance(text, str)
    assert set(options.COMMANDS) <= set(text.split())


@pytest.mark.parametrize("name", options.COMMANDS)
def test_help_of_a_command_names_its_options(name: str) -> None:
    text = click_app.help_text(name)
    for option in options.make_options(options.COMMANDS[name][4]):
        assert (f"--{option.name}" in text) == bool(option.help)


@pytest.mark.parametrize(
    "line", ["kill --help", "kill -h c", "help kill", "h kill", "kill -a -help"]
)
def test_ways_to_the_help_of_a_command(line: str) -> None:
    assert click_app.parse(line.split()) == click_app.help_text("kill")


def test_behind_the_first_argument_of_ps_help_is_its_own() -> None:
    made = click_app.parse(["ps", "c", "--help"])
    assert isinstance(made, Invocation)
    assert made.arguments == ("c", "--help")
