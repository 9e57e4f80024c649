"""The options of `update` as a linux.resources object."""

from __future__ import annotations

import pytest

from pyoci.cli import options
from pyoci.cli.commands.update import parse_options
from pyoci.errors import UsageError

NAMES = [row[0] for row in options.COMMANDS["update"][4]]
OTHERS = ("resources", "l3-cache-schema", "mem-bw-schema")
NOTHING = {name: "" for name in NAMES if name not in OTHERS}


def test_nothing_given_is_nothing_set() -> None:
    assert parse_options(NOTHING) == {}


def test_every_option_has_its_member() -> None:
    texts = {name: str(number) for number, name in enumerate(NOTHING, start=1)}
    found = parse_options(texts)
    values = [str(value) for section in found.values() for value in section.values()]
    assert sorted(values, key=int) == list(texts.values())


def test_members() -> None:
    given = {
        "memory": "1.5G",
        "memory-swap": "-1",
        "cpu-quota": "-1",
        "cpu-share": "512",
        "cpuset-cpus": "0-1",
        "pids-limit": "0",
    }
    assert parse_options(NOTHING | given) == {
        "memory": {"limit": 3 << 29, "swap": -1},
        "cpu": {"quota": -1, "shares": 512, "cpus": "0-1"},
        "pids": {"limit": 0},
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("memory", "lots", "--memory: 'lots' is not a size"),
        ("memory", "-2", "--memory: '-2' is not a size"),
        ("pids-limit", "1k", "--pids-limit: '1k' is not a number"),
        ("cpu-period", "9" * 20, f"--cpu-period: '{'9' * 20}' is not a number"),
    ],
)
def test_what_cannot_be_read_names_the_option(name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_options(NOTHING | {name: text})
    assert caught.value.message == words
