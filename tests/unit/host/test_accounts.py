"""Files of a container that are read from outside: whatever is there, bounded and in its root."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyoci.errors import PyociError
from pyoci.host.accounts import LIMIT_BYTES, read_account_file

PATH = "/etc/passwd"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    path = tmp_path / "root" / "etc"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def root_fd(etc: Path) -> Iterator[int]:
    fd = os.open(etc.parent, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_a_file_is_its_text(etc: Path, root_fd: int) -> None:
    (etc / "passwd").write_bytes(b"web:x:1:1\nb\xff:x:2:2\n")
    assert read_account_file(root_fd, PATH) == "web:x:1:1\nb\udcff:x:2:2\n"


def test_no_file_is_no_text(etc: Path, root_fd: int) -> None:
    assert read_account_file(root_fd, PATH) == ""
    etc.rmdir()
    etc.write_text("a file")
    assert read_account_file(root_fd, PATH) == ""


def test_a_large_file_is_refused_whole(etc: Path, root_fd: int) -> None:
    (etc / "passwd").write_bytes(b"x" * LIMIT_BYTES)
    assert len(read_account_file(root_fd, PATH)) == LIMIT_BYTES
    with (etc / "passwd").open("ab") as file:
        file.truncate(1 << 40)
    with pytest.raises(PyociError, match="larger than 1048576 bytes"):
        read_account_file(root_fd, PATH)


def test_what_is_no_regular_file(etc: Path, root_fd: int) -> None:
    place = etc / "passwd"
    with socket.socket(socket.AF_UNIX) as unix:
        makers: list[Callable[[], object]] = [
            place.mkdir,
            lambda: os.mkfifo(place),
            lambda: place.symlink_to("group"),
            lambda: unix.bind(str(place)),
        ]
        for make in makers:
            make()
            with pytest.raises(PyociError, match=r"^/etc/passwd of the container is not a regular"):
                read_account_file(root_fd, PATH)
            place.rmdir() if place.is_dir() else place.unlink()


def test_a_symlink_on_the_way_stays_inside(etc: Path, root_fd: int, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("of the host")
    etc.rmdir()
    etc.symlink_to(outside)
    assert read_account_file(root_fd, PATH) == ""
    etc.unlink()
    etc.symlink_to("../../../usr")
    (etc.parent / "usr").mkdir()
    (etc.parent / "usr" / "passwd").write_text("of the container")
    assert read_account_file(root_fd, PATH) == "of the container"


def test_no_descriptor_is_left(etc: Path, root_fd: int) -> None:
    (etc / "passwd").write_text("x")
    before = os.listdir("/proc/self/fd")
    read_account_file(root_fd, PATH)
    (etc / "passwd").unlink()
    os.mkfifo(etc / "passwd")
    with pytest.raises(PyociError):
        read_account_file(root_fd, PATH)
    assert len(os.listdir("/proc/self/fd")) == len(before)
