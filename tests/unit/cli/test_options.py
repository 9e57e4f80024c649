"""The option table is consistent, and its values mean what Go's flag package makes of them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from pyoci.cli import options

TABLES = {"": options.GLOBAL_OPTIONS} | {name: row[4] for name, row in options.COMMANDS.items()}

TYPES: dict[str, type | tuple[type, ...]] = {
    options.FLAG: bool,
    options.STRING: (str, type(None)),
    options.INT: int,
    options.CHOICE: str,
    options.AUTO_BOOL: str,
    options.REPEATED: tuple,
}


@pytest.mark.parametrize("name", TABLES)
def test_names_are_unique_within_a_command(name: str) -> None:
    names = [word for row in TABLES[name] for word in row[:2] if word]
    assert len(names) == len(set(names))
    assert not {"h", "help"} & set(names)


@pytest.mark.parametrize("name", TABLES)
def test_defaults_have_the_type_of_their_kind(name: str) -> None:
    for option in options.make_options(TABLES[name]):
        assert isinstance(option.default, TYPES[option.kind]), option
        if option.kind == options.CHOICE:
            assert option.default in option.metavar.split("|")


@pytest.mark.parametrize("name", TABLES)
def test_what_takes_a_value_names_it(name: str) -> None:
    for option in options.make_options(TABLES[name]):
        assert bool(option.metavar) == (option.kind != options.FLAG), option


@pytest.mark.parametrize("name", options.COMMANDS)
def test_every_command_has_its_module(name: str) -> None:
    assert find_spec(f"pyoci.cli.commands.{name}") is not None


@pytest.mark.parametrize("name", options.COMMANDS)
def test_what_may_be_left_out_comes_last(name: str) -> None:
    counts = [count for _, count in options.COMMANDS[name][1]]
    assert counts == sorted(counts, key=[options.ONE, options.OPTIONAL, options.MANY].index)


def test_argument_counts() -> None:
    counts = {name: options.count_arguments(row[1]) for name, row in options.COMMANDS.items()}
    assert counts["create"] == (1, 1)
    assert counts["list"] == (0, 0)
    assert counts["kill"] == (1, 2)
    assert counts["ps"] == (1, None)


def test_which_commands_take_a_container() -> None:
    without = {name for name in options.COMMANDS if not options.takes_container(name)}
    assert without == {"completion", "features", "list", "seccomp", "spec"}
    assert not options.takes_container("version")


def test_go_booleans() -> None:
    for word in ("1", "t", "T", "true", "TRUE", "True"):
        assert options.parse_bool(word) is True
    for word in ("0", "f", "F", "false", "FALSE", "False"):
        assert options.parse_bool(word) is False
    for word in ("", "yes", "tRUE", " true", "2"):
        assert options.parse_bool(word) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("3", 3), ("-1", -1), ("+7", 7), ("007", 7), ("9223372036854775807", 2**63 - 1)],
)
def test_numbers(text: str, number: int) -> None:
    assert options.parse_int(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "-", "+-1", "1_0", " 1", "1 ", "\uff11", "0x10", "1.0", "9223372036854775808", "9" * 99],
)
def test_what_is_no_number(text: str) -> None:
    assert options.parse_int(text) is None


def test_rootless_is_normalized() -> None:
    rootless = next(o for o in options.make_options(options.GLOBAL_OPTIONS) if o.name == "rootless")
    assert options.parse_value(rootless, "auto") == "auto"
    assert options.parse_value(rootless, "T") == "true"
    assert options.parse_value(rootless, "0") == "false"
    assert options.parse_value(rootless, "maybe") is None
