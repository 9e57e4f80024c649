"""Which filesystems fsconfig(2) can be told of, and what mount(2) is. Making them needs root."""

from __future__ import annotations

import pytest

from pyoci.engine.superblock import is_long, split_flags
from pyoci.linux import consts as c


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


LOWER = ("lowerdir", "/a:/b")


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ((), 0),
        (("ro",), c.MS_RDONLY),
        (("async", "sync", "ro"), c.MS_SYNCHRONOUS | c.MS_RDONLY),
        (("mand", "nomand", "nolazytime"), 0),
        (("sync", "dirsync", "lazytime"), c.MS_SYNCHRONOUS | c.MS_DIRSYNC | c.MS_LAZYTIME),
        (("sync", "ro", "async"), c.MS_RDONLY),
    ],
)
def test_what_every_filesystem_knows_are_flags(words: tuple[str, ...], flags: int) -> None:
    parameters = (*[(word, None) for word in words], LOWER, ("userxattr", None))
    assert split_flags(parameters) == (flags, (LOWER, ("userxattr", None)))
