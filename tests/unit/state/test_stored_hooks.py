"""Hooks of the stored config: those that were accepted once, and nothing of a damaged file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyoci.engine.remove import read_hooks
from pyoci.spec.model import Hook


@pytest.fixture
def dir_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def read(directory: Path, dir_fd: int, hooks: object) -> tuple[Hook, ...]:
    (directory / "config.json").write_text(json.dumps({"hooks": hooks}))
    return read_hooks(dir_fd, "web", "poststop")


def test_they_are_read_back(tmp_path: Path, dir_fd: int) -> None:
    hooks = {"poststop": [{"path": "/bin/a", "args": ["a", "b"], "env": ["X=1"], "timeout": 3}]}
    assert read(tmp_path, dir_fd, hooks) == (
        Hook(path="/bin/a", args=("a", "b"), env=("X=1",), timeout=3),
    )
    assert read(tmp_path, dir_fd, {"poststart": [{"path": "/bin/a"}]}) == ()


@pytest.mark.parametrize(
    "hooks",
    [
        None,
        [],
        {"poststop": {}},
        {"poststop": 5},
        {"poststop": [1.5]},  # found by fuzzing
        {"poststop": [{}]},
        {"poststop": [{"path": 5}]},
        {"poststop": [{"path": "/a", "args": "b"}]},
        {"poststop": [{"path": "/a", "env": [1]}]},
        {"poststop": [{"path": "/a", "timeout": "9"}]},
    ],
)
def test_what_is_damaged_is_not_run(tmp_path: Path, dir_fd: int, hooks: object) -> None:
    assert read(tmp_path, dir_fd, hooks) == ()


def test_no_config(dir_fd: int) -> None:
    assert read_hooks(dir_fd, "web", "poststop") == ()
