"""Which filesystems fsconfig(2) can be told of. Making them needs root."""

from __future__ import annotations

import pytest

from pyoci.engine.superblock import is_long


@pytest.mark.parametrize(
    ("source", "value", "long"),
    [
        ("none", None, False),
        ("none", "x" * 255, False),
        ("none", "x" * 256, True),
        ("x" * 256, None, True),
        ("none", "é" * 128, True),
    ],
)
def test_long_values(source: str, value: str | None, long: bool) -> None:
    assert is_long(source, (("ro", None), ("lowerdir", value))) is long
