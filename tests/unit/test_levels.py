"""The levels of tests fit together."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_the_guests_level_has_every_fixture_of_the_root_level() -> None:
    """It takes them over by name: one that is missing would only show in a guest."""
    root = (TESTS / "root" / "conftest.py").read_text()
    fixtures = re.findall(r"^@pytest\.fixture.*\ndef (\w+)", root, re.MULTILINE)
    taken = re.findall(r'^    "(\w+)",$', (TESTS / "vm" / "conftest.py").read_text(), re.MULTILINE)
    assert len(fixtures) > 5
    assert sorted(taken) == sorted(fixtures)
