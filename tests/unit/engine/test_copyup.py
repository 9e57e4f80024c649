"""tmpcopyup: one directory tree into another. What only root can copy is in tests/root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyoci.engine.copyup import copy_tree

TIMES = (1_000_000_001, 2_000_000_002)


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def copy(source: Path, target: Path, *, attributes: bool = True) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with opened(source, os.O_PATH) as source_fd, opened(target, os.O_RDONLY) as target_fd:
        copy_tree(source_fd, target_fd, attributes=attributes)
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "file").write_bytes(bytes(range(256)) * 10_000)
    (source / "deep" / "er" / "file").chmod(0o640)
    (source / "link").symlink_to("/nowhere")
    (source / "program").touch(0o755)
    os.mkfifo(source / "fifo", 0o600)
    os.mknod(source / "socket", 0o140600)
    for name in ("link", "deep/er/file", "deep/er", "deep", "."):
        os.utime(source / name, ns=TIMES, follow_symlinks=False)
    (source / "deep").chmod(0o710)
    return source


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir(mode=0o700)
    return tmp_path / "target"


def test_everything_but_sockets_is_copied(source: Path, target: Path) -> None:
    copy(source, target)
    for path in sorted(source.rglob("*")):
        copied = target / path.relative_to(source)
        if path.name == "socket":
            assert not copied.exists()
            continue
        kept, made = path.lstat(), copied.lstat()
        assert (made.st_mode, made.st_mtime_ns) == (kept.st_mode, kept.st_mtime_ns), path
        assert (made.st_uid, made.st_gid) == (kept.st_uid, kept.st_gid)
    file = Path("deep", "er", "file")
    assert (target / file).read_bytes() == (source / file).read_bytes()
    assert os.readlink(target / "link") == "/nowhere"


def test_the_directory_itself_gets_the_attributes_if_wanted(source: Path, target: Path) -> None:
    copy(source, target, attributes=False)
    assert target.stat().st_mode & 0o7777 == 0o700
    other = target.with_name("other")
    other.mkdir(mode=0o700)
    copy(source, other)
    kept, made = source.stat(), other.stat()
    assert (made.st_mode, made.st_mtime_ns) == (kept.st_mode, kept.st_mtime_ns)


def test_an_empty_directory(tmp_path: Path, target: Path) -> None:
    (tmp_path / "empty").mkdir()
    copy(tmp_path / "empty", target)
    assert list(target.iterdir()) == []


def test_names_that_are_no_utf8(tmp_path: Path, target: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / os.fsdecode(b"\xff")).write_text("content")
    copy(tmp_path / "odd", target)
    assert os.listdir(os.fsencode(target)) == [b"\xff"]


def test_what_is_there_is_not_replaced(source: Path, target: Path) -> None:
    (target / "program").write_text("precious")
    with pytest.raises(FileExistsError):
        copy(source, target)
    assert (target / "program").read_text() == "precious"
