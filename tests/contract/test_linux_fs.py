"""Paths below a root that is somebody else's: openat2 and the walk, on real directories."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyoci.linux import fs
from pyoci.linux.consts import O_PATH, PROC_SUPER_MAGIC, RESOLVE_NO_XDEV

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Tree:
    """A rootfs, and beside it what nothing of ours may touch."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.outside = directory / "outside"
        self.root.mkdir()
        self.outside.mkdir()
        self.fd = os.open(self.root, os.O_PATH | os.O_DIRECTORY)

    def where(self, fd: int) -> str:
        """The path of an open file below the root; the descriptor is closed."""
        try:
            return os.readlink(f"/proc/self/fd/{fd}").removeprefix(str(self.root)) or "/"
        finally:
            os.close(fd)

    def make(self, path: str, *, directory: bool = True) -> str:
        return self.where(fs.make_in_root(self.fd, path, directory=directory))


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    before = len(os.listdir("/proc/self/fd"))
    made = Tree(tmp_path)
    yield made
    os.close(made.fd)
    assert list(made.outside.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_open_in_root_follows_links_inside(tree: Tree) -> None:
    (tree.root / "a").mkdir()
    (tree.root / "absolute").symlink_to("/a")
    (tree.root / "up").symlink_to("../../../../a")
    for path in ("a", "/a", "//a/", "absolute", "up", "/../../a", "up/../a/."):
        assert tree.where(fs.open_in_root(tree.fd, path)) == "/a", path
    for path in ("", "/", "..", "up/.."):
        assert tree.where(fs.open_in_root(tree.fd, path)) == "/", path


def test_open_in_root_does_not_leave_by_links(tree: Tree) -> None:
    (tree.root / "out").symlink_to(tree.outside)
    (tree.root / "magic").symlink_to("/proc/self/root")
    for path in ("out", "magic", "magic/etc"):
        with pytest.raises(FileNotFoundError) as caught:
            fs.open_in_root(tree.fd, path)
        assert caught.value.filename == path


def test_no_magic_links(tree: Tree) -> None:
    proc_fd = os.open("/proc", os.O_PATH)
    with pytest.raises(OSError, match="symbolic links") as caught:
        fs.open_in_root(proc_fd, "self/cwd")
    assert caught.value.errno == errno.ELOOP
    os.close(proc_fd)
    assert tree.fd >= 0


def test_open_beneath_takes_no_link_at_all(tree: Tree) -> None:
    (tree.root / "a" / "b").mkdir(parents=True)
    (tree.root / "link").symlink_to("a")
    assert tree.where(fs.open_beneath(tree.fd, "/a/b/")) == "/a/b"
    assert tree.where(fs.open_beneath(tree.fd, "")) == "/"
    for path, number in (
        ("link", errno.ELOOP), ("link/b", errno.ELOOP), ("a/../..", errno.EXDEV),
        ("none", errno.ENOENT),
    ):  # fmt: skip
        with pytest.raises(OSError, match=r".") as caught:
            fs.open_beneath(tree.fd, path)
        assert caught.value.errno == number, path


def test_descriptors_are_close_on_exec(tree: Tree) -> None:
    fds = [
        fs.open_in_root(tree.fd, "/"),
        fs.open_beneath(tree.fd, "/"),
        fs.make_in_root(tree.fd, "a", directory=True),
        fs.make_entry(tree.fd, "b", directory=False),
    ]
    assert not any(os.get_inheritable(fd) for fd in fds)
    for fd in fds:
        os.close(fd)


def test_a_nul_is_refused_before_the_kernel_cuts_there(tree: Tree) -> None:
    for call in (fs.open_in_root, fs.open_beneath):
        with pytest.raises(ValueError, match="NUL"):
            call(tree.fd, "a\0b")


def test_names_of_any_bytes(tree: Tree) -> None:
    assert tree.make("\udcff\n") == "/\udcff\n"
    assert os.listdir(os.fsencode(tree.root)) == [b"\xff\n"]


def test_resolve_flags_reach_the_kernel() -> None:
    root_fd = os.open("/", os.O_PATH)
    with pytest.raises(OSError, match="cross-device") as caught:
        fs.openat2(root_fd, "proc/self", O_PATH, RESOLVE_NO_XDEV)
    assert caught.value.errno == errno.EXDEV
    os.close(root_fd)


# --- the walk that makes what is missing


def test_missing_parents_are_directories(tree: Tree) -> None:
    assert tree.make("/a/b/c") == "/a/b/c"
    assert (tree.root / "a/b/c").is_dir()
    assert tree.make("/a/x/file", directory=False) == "/a/x/file"
    assert (tree.root / "a/x/file").is_file()
    assert (tree.root / "a/x/file").stat().st_size == 0


def test_what_exists_is_taken_as_it_is(tree: Tree) -> None:
    (tree.root / "file").write_text("kept")
    (tree.root / "dir").mkdir()
    assert tree.make("/file", directory=True) == "/file"
    assert tree.make("/dir", directory=False) == "/dir"
    assert (tree.root / "file").read_text() == "kept"


def test_dangling_links_are_followed_inside(tree: Tree) -> None:
    (tree.root / "absolute").symlink_to("/made/here")
    (tree.root / "escape").symlink_to(f"../../../..{tree.outside}/x")
    (tree.root / "chain").symlink_to("absolute/deep")
    assert tree.make("absolute/y") == "/made/here/y"
    assert tree.make("chain") == "/made/here/deep"
    assert tree.make("escape") == f"{tree.outside}/x"
    assert (tree.root / str(tree.outside).lstrip("/") / "x").is_dir()


def test_dots_go_no_higher_than_the_root(tree: Tree) -> None:
    assert tree.make("../../a/../b/./../../../c") == "/c"
    assert tree.make("/..") == "/"


def test_loops_end(tree: Tree) -> None:
    (tree.root / "loop").symlink_to("loop")
    (tree.root / "one").symlink_to("two/x")
    (tree.root / "two").symlink_to("one/x")
    for path in ("loop", "loop/x", "one", "one/x"):
        with pytest.raises(OSError, match="symbolic links") as caught:
            tree.make(path)
        assert caught.value.errno == errno.ELOOP


def test_a_file_on_the_way(tree: Tree) -> None:
    (tree.root / "file").touch()
    with pytest.raises(NotADirectoryError):
        tree.make("file/x/y")


def test_make_entry_opens_a_link_itself(tree: Tree) -> None:
    (tree.root / "link").symlink_to(tree.outside / "x")
    fd = fs.make_entry(tree.fd, "link", directory=False)
    assert fs.kind_of(fd) == fs.S_IFLNK
    os.close(fd)


def test_modes_are_not_the_umasks(tree: Tree) -> None:
    before = os.umask(0)
    try:
        tree.make("a/b")
        os.close(fs.make_in_root(tree.fd, "c/d", directory=True, mode=0o700))
    finally:
        os.umask(before)
    modes = [(tree.root / name).stat().st_mode & 0o777 for name in ("a", "a/b", "c", "c/d")]
    assert modes == [0o755, 0o755, 0o700, 0o700]


words = st.lists(st.sampled_from(["a", "b", "l", "m", "..", ".", ""]), min_size=1, max_size=5)
targets = words.map("/".join).filter(bool)


@given(targets, targets, words.map("/".join))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_walk_ends_where_the_kernel_would(
    tmp_path_factory: pytest.TempPathFactory, first: str, second: str, path: str
) -> None:
    tree = Tree(tmp_path_factory.mktemp("walk"))
    (tree.root / "l").symlink_to(first)
    (tree.root / "m").symlink_to(second)
    try:
        made = outcome(lambda: tree.make(path))
        # Now that nothing is missing, the kernel's own resolution must come to the same place.
        assert outcome(lambda: tree.where(fs.open_in_root(tree.fd, path))) == made
        assert list(tree.outside.iterdir()) == []
    finally:
        os.close(tree.fd)


def outcome(call: Callable[[], str]) -> str:
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


# --- what is known of an open file


@pytest.mark.parametrize(
    ("path", "parts"),
    [("/a/b", ("/a", "b")), ("/a", ("", "a")), ("a/b/", ("a", "b")), ("a", ("", "a"))],
)
def test_split(path: str, parts: tuple[str, str]) -> None:
    assert fs.split(path) == parts


def test_filesystem_type_and_mount_id() -> None:
    proc_fd, self_fd, root_fd = (os.open(p, os.O_PATH) for p in ("/proc", "/proc/self", "/"))
    assert fs.filesystem_type(proc_fd) == PROC_SUPER_MAGIC
    assert fs.filesystem_type(root_fd) != PROC_SUPER_MAGIC
    assert fs.mount_id(proc_fd) == fs.mount_id(self_fd) != fs.mount_id(root_fd)
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    proc = [line.split()[0] for line in lines if line.split()[4] == "/proc"]
    assert str(fs.mount_id(proc_fd)) == proc[-1]
    for fd in (proc_fd, self_fd, root_fd):
        os.close(fd)


def test_kind_of(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    assert fs.kind_of(fd) == fs.S_IFDIR
    os.close(fd)
