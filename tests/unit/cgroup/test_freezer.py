"""Freezing is waited for, and given up; a directory stands for the cgroup, and never answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyoci.cgroup import freezer
from pyoci.errors import StateError


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(freezer, "_TIMEOUT_MS", 1)
    (tmp_path / "cgroup.freeze").write_text("0")
    return tmp_path


def test_what_stands_still_is_frozen(cgroup: Path) -> None:
    (cgroup / "cgroup.events").write_text("populated 1\nfrozen 1\n")
    freezer.freeze(str(cgroup))
    assert (cgroup / "cgroup.freeze").read_text() == "1"


def test_what_does_not_come_to_a_stop_runs_again(cgroup: Path) -> None:
    (cgroup / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    with pytest.raises(StateError, match="not all processes can be frozen") as caught:
        freezer.freeze(str(cgroup))
    assert (cgroup / "cgroup.freeze").read_text() == "0"
    assert str(cgroup) in caught.value.hint


def test_what_a_parent_keeps_frozen_cannot_be_resumed(cgroup: Path) -> None:
    (cgroup / "cgroup.freeze").write_text("1")
    (cgroup / "cgroup.events").write_text("populated 1\nfrozen 1\n")
    with pytest.raises(StateError, match="still frozen") as caught:
        freezer.unfreeze(str(cgroup))
    assert (cgroup / "cgroup.freeze").read_text() == "0"
    assert "parent" in caught.value.hint
