"""Hooks of the stored config: those that were accepted once, and nothing of a damaged file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyoci.engine.containers import Container
from pyoci.engine.remove import read_hooks
from pyoci.errors import StateError
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


def test_who_is_to_blame_for_an_error_over_the_stored_config(tmp_path: Path) -> None:
    """The file, where create has not let it in; we are, where it has."""
    good = {"ociVersion": "1.0.0", "root": {"path": "/"}}
    (tmp_path / "web").mkdir()
    with Container(str(tmp_path), "web") as container:
        error = KeyError("x")
        assert container.blame(good, error) is error
        damage = container.blame({**good, "linux": 5}, error)
        assert isinstance(damage, StateError)
        assert "state.json is damaged: config.json: KeyError: 'x'" in damage.message
        # The schema takes half of a surrogate pair (found by fuzzing).
        half = UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        assert isinstance(container.blame(good, half), StateError)
