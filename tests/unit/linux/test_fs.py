"""Paths below a root that lies: resolved inside it, whatever the symlinks say."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyoci.linux import fs
from pyoci.linux.consts import PROC_SUPER_MAGIC


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with some symlinks, beside a directory that they would lead to from outside."""
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_text("inside")
    (tmp_path / "outside").mkdir()
    links = {
        "up": "../outside",
        "a/up": "../../outside",
        "absolute": str(tmp_path / "outside"),
        "to-b": "/a/b",
        "a/back": "..",
        "dangling": "/new/place",
        "loop": "loop",
        "to-file": "a/file",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return root


@pytest.fixture
def root_fd(root: Path) -> Iterator[int]:
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def where(fd: int) -> Path:
    """The path of an open file; the descriptor is closed."""
    path = Path(f"/proc/self/fd/{fd}").readlink()
    assert os.get_inheritable(fd) is False
    os.close(fd)
    return path


def outside(root: Path) -> list[Path]:
    return list((root.parent / "outside").iterdir())


# --- what exists


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", ""),
        ("", ""),
        ("a/b", "a/b"),
        ("/a//./b/", "a/b"),
        ("/a/b/../../..", ""),
        ("/../../a", "a"),
        ("to-b", "a/b"),
        ("a/back/to-b/../file", "a/file"),
        ("to-file", "a/file"),
    ],
)
def test_open_in_root(root: Path, root_fd: int, path: str, found: str) -> None:
    assert where(fs.open_in_root(root_fd, path)) == root / found


@pytest.mark.parametrize("path", ["up", "a/up", "absolute", "dangling", "a/back/up/x", "no"])
def test_what_is_only_outside_is_not_there(root_fd: int, path: str) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        fs.open_in_root(root_fd, path)
    assert raised.value.filename == path


def test_open_in_root_of_a_loop_or_a_magic_link(root_fd: int) -> None:
    with pytest.raises(OSError, match="loop") as raised:
        fs.open_in_root(root_fd, "loop")
    assert raised.value.errno == errno.ELOOP
    proc_fd = os.open("/proc", os.O_PATH)
    try:
        with pytest.raises(OSError, match="self/root") as raised:
            fs.open_in_root(proc_fd, "self/root")
        assert raised.value.errno == errno.ELOOP
    finally:
        os.close(proc_fd)


def test_open_beneath_takes_no_symlink_and_goes_nowhere_else(root: Path, root_fd: int) -> None:
    assert where(fs.open_beneath(root_fd, "/a/b/")) == root / "a/b"
    assert where(fs.open_beneath(root_fd, "/")) == root
    for path, number in {
        "to-b": errno.ELOOP,
        "a/back/a": errno.ELOOP,
        "a/../..": errno.EXDEV,
    }.items():
        with pytest.raises(OSError, match=path) as raised:
            fs.open_beneath(root_fd, path)
        assert raised.value.errno == number


def test_a_nul_does_not_cut_a_path_short(root_fd: int) -> None:
    for call in (fs.open_in_root, fs.open_beneath):
        with pytest.raises(ValueError, match="NUL"):
            call(root_fd, "a\0b")


def test_names_that_are_no_utf8(root: Path, root_fd: int) -> None:
    name = os.fsdecode(b"\xff\xfe")
    os.close(fs.make_in_root(root_fd, f"{name}/{name}", directory=True))
    assert os.listdir(os.fsencode(root / name)) == [b"\xff\xfe"]


# --- what is made


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("x/y/z", "x/y/z"),
        ("/a/x", "a/x"),
        ("dangling", "new/place"),
        ("dangling/below", "new/place/below"),
        ("to-b/x", "a/b/x"),
        ("a/back/x", "x"),
        ("x/../y", "y"),
        ("../../x", "x"),
        ("up", "outside"),
        ("a/up/x", "outside/x"),
    ],
)
@pytest.mark.parametrize("directory", [True, False])
def test_make_in_root(root: Path, root_fd: int, path: str, made: str, directory: bool) -> None:
    before = os.umask(0o022)
    try:
        assert where(fs.make_in_root(root_fd, path, directory=directory)) == root / made
    finally:
        os.umask(before)
    assert (root / made).is_dir() is directory
    assert (root / made).parent.stat().st_mode & 0o7777 == 0o755
    assert outside(root) == []
    # And now it is there.
    assert where(fs.make_in_root(root_fd, path, directory=directory)) == root / made


def test_an_absolute_symlink_starts_at_the_root(root: Path, root_fd: int) -> None:
    inside = root / str(root.parent / "outside").lstrip("/")
    assert where(fs.make_in_root(root_fd, "absolute/x", directory=True)) == inside / "x"
    assert outside(root) == []


def test_what_exists_is_taken_as_it_is(root: Path, root_fd: int) -> None:
    assert where(fs.make_in_root(root_fd, "to-file", directory=True)) == root / "a/file"
    assert where(fs.make_in_root(root_fd, "a/b", directory=False)) == root / "a/b"
    assert (root / "a" / "file").read_text() == "inside"


@pytest.mark.parametrize(
    ("path", "number"),
    [("loop/x", errno.ELOOP), ("a/file/x", errno.ENOTDIR), ("x" * 256, errno.ENAMETOOLONG)],
)
def test_what_cannot_be_made(root: Path, root_fd: int, path: str, number: int) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"\w") as raised:
        fs.make_in_root(root_fd, path, directory=True)
    assert raised.value.errno == number
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert sorted(os.listdir(root / "a")) == ["b", "back", "file", "up"]


@pytest.mark.parametrize(("links", "allowed"), [(40, True), (41, False)])
def test_as_many_symlinks_as_the_kernel_follows(
    root: Path, root_fd: int, links: int, allowed: bool
) -> None:
    for n in range(links):
        (root / f"l{n}").symlink_to(f"l{n + 1}" if n + 1 < links else "end/made")
    if allowed:
        assert where(fs.make_in_root(root_fd, "l0", directory=True)) == root / "end/made"
    else:
        with pytest.raises(OSError, match=r"\w") as raised:
            fs.make_in_root(root_fd, "l0", directory=True)
        assert raised.value.errno == errno.ELOOP


def test_up_leads_back_to_where_the_walk_came_from(root: Path, root_fd: int) -> None:
    (root / "x").symlink_to("a/b/missing/../../../../../../a/here")
    assert where(fs.make_in_root(root_fd, "x", directory=True)) == root / "a/here"
    assert (root / "a/b/missing").is_dir()


# --- one name


def test_make_entry_follows_no_symlink(root: Path, root_fd: int) -> None:
    assert where(fs.make_entry(root_fd, "new", directory=True)) == root / "new"
    assert where(fs.make_entry(root_fd, "empty", directory=False)) == root / "empty"
    for name in ("loop", "up", "dangling"):
        assert where(fs.make_entry(root_fd, name, directory=True)) == root / name
        assert (root / name).is_symlink()
    assert outside(root) == []


@pytest.mark.parametrize("make", [fs.make_entry, fs.make_in_root])
def test_nothing_is_opened_that_waits_or_acts(
    root: Path, root_fd: int, make: Callable[..., int]
) -> None:
    os.mkfifo(root / "fifo")
    assert where(make(root_fd, "fifo", directory=False)) == root / "fifo"


# --- words about paths and files


@pytest.mark.parametrize(
    ("path", "parts"),
    [("/a/b", ("/a", "b")), ("/a", ("", "a")), ("a", ("", "a")), ("/a/b//", ("/a", "b"))],
)
def test_split(path: str, parts: tuple[str, str]) -> None:
    assert fs.split(path) == parts


def test_kind_of(root: Path, root_fd: int) -> None:
    assert fs.kind_of(root_fd) == fs.S_IFDIR
    fd = os.open(root / "loop", os.O_PATH | os.O_NOFOLLOW)
    assert fs.kind_of(fd) == fs.S_IFLNK
    os.close(fd)


def test_filesystem_type_and_mount_id(root: Path, root_fd: int) -> None:
    proc_fd = os.open("/proc/self", os.O_PATH)
    below_fd = os.open(root / "a", os.O_PATH)
    try:
        assert fs.filesystem_type(proc_fd) == PROC_SUPER_MAGIC
        assert fs.filesystem_type(root_fd) != PROC_SUPER_MAGIC
        assert fs.mount_id(root_fd) == fs.mount_id(below_fd) != fs.mount_id(proc_fd)
        said = Path(f"/proc/self/fdinfo/{root_fd}").read_text()
        assert f"mnt_id:\t{fs.mount_id(root_fd)}\n" in said
    finally:
        os.close(proc_fd)
        os.close(below_fd)


@pytest.mark.parametrize("by_procfs", [True, False])
def test_only_a_regular_file_is_opened(tmp_path: Path, by_procfs: bool) -> None:
    (tmp_path / "file").write_text("content")
    os.mkfifo(tmp_path / "fifo")
    proc_fd = os.open("/proc", os.O_PATH) if by_procfs else -1

    def open_at(name: str) -> int | None:
        return fs.open_file(lambda flags: os.open(tmp_path / name, flags), proc_fd)

    fd = open_at("file")
    assert fd is not None
    assert os.read(fd, 100) == b"content"
    os.close(fd)
    assert open_at("fifo") is None
    assert open_at(".") is None
    with pytest.raises(FileNotFoundError):
        open_at("missing")
    if by_procfs:
        os.close(proc_fd)


def test_an_o_path_descriptor_is_opened_in_earnest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    found_fd = os.open(tmp_path / "file", os.O_PATH)
    (tmp_path / "file").unlink()
    fd = fs.reopen(found_fd, os.O_RDONLY)
    assert os.read(fd, 100) == b"content"
    assert not os.get_inheritable(fd)
    os.close(fd)
    os.close(found_fd)
