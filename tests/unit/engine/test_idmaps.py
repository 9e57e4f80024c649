"""The helpers that write id maps: their words, their failures, their time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pyoci.engine import idmaps
from pyoci.errors import StepError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the one directory that is looked in; a test writes it."""
    monkeypatch.setattr(idmaps, "_DIRECTORIES", (str(tmp_path),))
    path = tmp_path / "newuidmap"
    path.touch(mode=0o755)
    return path


def write(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")


def test_it_is_called_with_all_of_the_map_and_nothing_else(helper: Path, tmp_path: Path) -> None:
    write(helper, f'echo "$@" >{tmp_path}/said; env >>{tmp_path}/said; cat >>{tmp_path}/said')
    idmaps.run_helper("newuidmap", ["7", "0", "1000", "1"])
    first, *environment = (tmp_path / "said").read_text().splitlines()
    assert first == "7 0 1000 1"
    assert {line.partition("=")[0] for line in environment} <= {"PWD", "_", "SHLVL", "OLDPWD"}


def test_its_words_are_told(helper: Path) -> None:
    write(helper, "echo one; echo two >&2; exit 5")
    with pytest.raises(StepError) as caught:
        idmaps.run_helper("newuidmap", [])
    assert caught.value.message == (
        f"main: run {helper}: exit status 5: one; two (linux.uidMappings)"
    )
    assert "/etc/subuid" in caught.value.hint


def test_it_may_say_much(helper: Path) -> None:
    write(helper, "i=0; while [ $i -lt 3000 ]; do echo $i$i$i$i$i$i$i$i; i=$((i+1)); done; exit 1")
    with pytest.raises(StepError) as caught:
        idmaps.run_helper("newuidmap", [])
    assert len(caught.value.message) < 8192


def test_it_may_leave_a_child_behind(helper: Path) -> None:
    write(helper, "sleep 5 & echo $! >&2; exit 1")
    with pytest.raises(StepError) as caught:
        idmaps.run_helper("newuidmap", [])
    os.kill(int(caught.value.message.split(": ")[-1].split()[0]), 9)


def test_its_time_is_limited(helper: Path) -> None:
    write(helper, "exec sleep 1000")
    with pytest.raises(StepError, match="does not end within 50 ms"):
        idmaps.run_helper("newuidmap", [], patience_ms=50)


def test_without_it(helper: Path) -> None:
    helper.unlink()
    with pytest.raises(StepError) as caught:
        idmaps.run_helper("newuidmap", [])
    assert caught.value.message.startswith("main: run newuidmap: executable file not found in ")
    assert "uidmap" in caught.value.hint
