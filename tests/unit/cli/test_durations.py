"""Durations mean what Go's time.ParseDuration makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.cli.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("5s", 5 * 10**9),
        ("500ms", 5 * 10**8),
        ("1m30s", 90 * 10**9),
        ("1.5h", 5400 * 10**9),
        (".5s", 5 * 10**8),
        ("1.s", 10**9),
        ("100us", 10**5),
        ("100\u00b5s", 10**5),
        ("100\u03bcs", 10**5),
        ("7ns", 7),
        ("0", 0),
        ("-0", 0),
        ("+5s", 5 * 10**9),
        ("-1m", -60 * 10**9),
        ("0.3ns", 0),
        ("2562047h47m16.854775807s", 2**63 - 1),
    ],
)
def test_durations(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    ["", "-", "+", "5", "s", ".s", "1..5s", "5 s", " 5s", "5s ", "5S", "1d", "--5s", "1m-30s",
     "5sx", "1_0s", "\uff15s", "\u00b2s", "2562047h47m16.854775808s", "9" * 50 + "s", "1e3s", "00"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.text(max_size=8))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(parse_duration(text), int | None)


@given(st.integers(0, 100), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_add_up(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    total = ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
    assert parse_duration(f"{hours}h{minutes}m{seconds}.{milliseconds:03}s") == total * 10**6
