"""What is killed and removed with a container; a directory stands for the cgroup tree."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyoci.cgroup import manager


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is no container's."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def make_cgroup(path: Path, *pids: int, root: bool = False) -> Path:
    """Files as the kernel makes them, but those that only cgroups below the root have."""
    path.mkdir(exist_ok=True)
    (path / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    if not root:
        (path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    return path


def no_pause(_: int) -> None:
    """Whoever was killed has ended."""


def test_everything_below_a_cgroup_is_found(tmp_path: Path) -> None:
    make_cgroup(make_cgroup(tmp_path / "a", 3) / "b", 2, 3)
    assert manager.read_processes(str(tmp_path / "a"), deep=True) == [2, 3]
    assert manager.read_processes(str(tmp_path / "a"), deep=False) == [3]


def test_the_root_of_the_tree_is_nobodys(tmp_path: Path, stranger: subprocess.Popen[bytes]) -> None:
    """A damaged state may name it: neither are its processes killed nor its cgroups removed."""
    make_cgroup(tmp_path, stranger.pid, root=True)
    (tmp_path / "empty").mkdir()
    assert manager.read_processes(str(tmp_path), deep=True) == []
    manager.kill_all(str(tmp_path), no_pause)
    manager.remove_cgroup(str(tmp_path), (str(tmp_path),), no_pause)
    assert stranger.poll() is None
    assert (tmp_path / "empty").is_dir()


def test_before_linux_5_14_each_process_is_killed(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    make_cgroup(tmp_path / "a", stranger.pid)
    waits: list[int] = []

    def pause(milliseconds: int) -> None:
        waits.append(milliseconds)
        (tmp_path / "a" / "cgroup.events").write_text("populated 0\nfrozen 0\n")

    manager.kill_all(str(tmp_path / "a"), pause)
    assert stranger.wait() == -9
    assert waits == [10]
