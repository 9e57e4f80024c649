"""The resources that `update` is given: checked as the part of a config.json that they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pyoci.errors import ConfigError
from pyoci.host.resources import read_resources


def write(directory: Path, value: object) -> str:
    path = directory / "r.json"
    path.write_text(json.dumps(value))
    return str(path)


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> int:
    """The end of a pipe to write to; the other one serves as standard input."""
    read_fd, write_fd = os.pipe()
    monkeypatch.setattr("pyoci.host.resources._STDIN", read_fd)
    return write_fd


@pytest.mark.parametrize("value", [{}, {"pids": {"limit": 5}}, {"future": [1]}, {"memory": None}])
def test_what_the_schema_accepts_comes_as_it_is(tmp_path: Path, value: object) -> None:
    assert read_resources(write(tmp_path, value)) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"pids": {"limit": "5"}}, "linux.resources.pids.limit: expected an integer from"),
        ({"pids": 5}, "linux.resources.pids: expected an object, got 5"),
        ({"unified": {"pids.max": 5}}, 'linux.resources.unified["pids.max"]: expected a string'),
        ([], "linux.resources: expected an object"),
        (None, "linux.resources: expected an object"),
    ],
)
def test_what_it_refuses_is_named_by_its_path(tmp_path: Path, value: object, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_resources(write(tmp_path, value))
    assert caught.value.message.startswith(words)


def test_standard_input_is_read_to_its_end(stdin: int) -> None:
    os.write(stdin, b'{"pids": ')
    os.write(stdin, b'{"limit": 5}}')
    os.close(stdin)
    assert read_resources("-") == {"pids": {"limit": 5}}


def test_standard_input_without_an_end(stdin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyoci.host.resources.LIMIT_BYTES", 10)
    os.write(stdin, b" " * 11)
    with pytest.raises(ConfigError, match="standard input: larger than 10 bytes"):
        read_resources("-")
    os.close(stdin)
