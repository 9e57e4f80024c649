"""Sizes of the command line, in bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.cli.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("-1", -1),
        ("4096", 4096),
        ("4096b", 4096),
        ("512k", 512 << 10),
        ("512K", 512 << 10),
        ("512kb", 512 << 10),
        ("512KiB", 512 << 10),
        ("64M", 64 << 20),
        ("64 MB", 64 << 20),
        ("1.5G", 3 << 29),
        ("0.1k", 102),
        ("2t", 2 << 40),
        ("1P", 1 << 50),
        ("20000000T", 20000000 << 40),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "k", "-2", "-1k", "+1", "1.", ".5k", "1.2.3k", "1e3", "1x", "1kk", "1kbb", "1bk", "1ib",
     "64  M", " 64M", "64M ", "0x10", "1_0", "\uff11", "\u00b2k", "9" * 50],
)  # fmt: skip
def test_what_is_no_size(text: str) -> None:
    assert parse_size(text) is None


@given(st.text(max_size=8))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(parse_size(text), int | None)


@given(st.integers(0, 2**60), st.sampled_from(["", "k", "M", "GiB", "tb"]))
def test_units_are_powers_of_1024(number: int, unit: str) -> None:
    power = ["", "k", "M", "GiB", "tb"].index(unit)
    assert parse_size(f"{number}{unit}") == number << (10 * power)
