"""Nodes and symlinks by the descriptor of their directory. Making devices needs root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyoci.engine.nodes import check_node, is_device, is_symlink, make_node, symlink
from pyoci.errors import StepError
from pyoci.plan.rootfs_steps import MakeDevice


@pytest.fixture
def directory_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


def step(kind: str, major: int = 0, minor: int = 0, mode: int = 0o640) -> MakeDevice:
    return MakeDevice(
        base="/", path="/x", type=kind, major=major, minor=minor, mode=mode, uid=0, gid=0
    )


def test_is_device() -> None:
    null = os.stat("/dev/null")
    assert is_device(null, "c", 1, 3)
    assert not is_device(null, "c", 1, 5)
    assert not is_device(null, "b", 1, 3)
    assert not is_device(null, "p", 1, 3)


def test_a_fifo_has_no_number(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert is_device((tmp_path / "fifo").stat(), "p", 7, 8)


def test_make_node_twice_leaves_the_first(tmp_path: Path, directory_fd: int) -> None:
    before = os.umask(0)
    try:
        make_node(step("p"), b"x", directory_fd)
        make_node(step("p", mode=0o600), b"x", directory_fd)
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode == 0o010640


def test_make_node_over_something_else(tmp_path: Path, directory_fd: int) -> None:
    (tmp_path / "x").write_text("precious")
    with pytest.raises(StepError, match="/x exists and is not p"):
        make_node(step("p"), b"x", directory_fd)
    assert (tmp_path / "x").read_text() == "precious"


def test_check_node_names_what_it_wants() -> None:
    check_node(step("c", 1, 3), os.stat("/dev/null"))
    with pytest.raises(StepError, match="/x exists and is not b 1:3"):
        check_node(step("b", 1, 3), os.stat("/dev/null"))


def test_symlink(tmp_path: Path, directory_fd: int) -> None:
    symlink("/first", "link", directory_fd, replace=False)
    symlink("/second", "link", directory_fd, replace=False)
    assert os.readlink(tmp_path / "link") == "/first"
    symlink("/second", "link", directory_fd, replace=True)
    assert os.readlink(tmp_path / "link") == "/second"
    assert is_symlink(b"/second", "link", directory_fd)
    assert not is_symlink(b"/first", "link", directory_fd)


def test_symlink_replaces_a_link_and_not_what_it_leads_to(
    tmp_path: Path, directory_fd: int
) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to("file")
    symlink("/other", "link", directory_fd, replace=True)
    assert (tmp_path / "file").read_text() == "precious"


def test_what_is_no_symlink(tmp_path: Path, directory_fd: int) -> None:
    (tmp_path / "file").touch()
    assert not is_symlink(b"file", "file", directory_fd)
    assert not is_symlink(b"file", "missing", directory_fd)
