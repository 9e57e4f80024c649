"""Names of signals against Python's own table."""

from __future__ import annotations

import signal

import pytest

from pyoci.cli.signals import parse_signal
from pyoci.errors import UsageError

NAMES = {name: int(number) for name, number in signal.Signals.__members__.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_in_every_spelling(name: str) -> None:
    short = name.removeprefix("SIG")
    for word in (name, short, name.lower(), short.lower(), short.title()):
        assert parse_signal(word) == NAMES[name]


def test_names_that_python_lacks() -> None:
    assert parse_signal("SIGUNUSED") == parse_signal("SYS")
    assert parse_signal("STKFLT") == 16


@pytest.mark.parametrize("number", range(65))
def test_numbers(number: int) -> None:
    assert parse_signal(str(number)) == number


@pytest.mark.parametrize(
    ("word", "number"),
    [("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmin+30", 64), ("RTMAX", 64), ("sigrtmax-2", 62),
     ("RTMAX-30", 34), ("RTMIN+0", 34), ("09", 9)],
)  # fmt: skip
def test_real_time_signals(word: str, number: int) -> None:
    assert parse_signal(word) == number


@pytest.mark.parametrize(
    "word",
    ["", "SIG", "FOO", "65", "-1", "+9", " 9", "9 ", "\uff19", "1_0", "0x9", "999999", "RTMIN-1",
     "RTMAX+1", "RTMIN+31",
     "RTMAX-31", "RTMIN+", "RTMIN3", "SIGSIGTERM", "_DFL", "SIG_IGN", "\u017fys"],
)  # fmt: skip
def test_what_is_no_signal(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_signal(word)
    assert caught.value.message == f'unknown signal "{word}"'
