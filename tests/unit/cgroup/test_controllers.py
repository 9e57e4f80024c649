"""Enabling controllers: the write that is needed, and the words where one is missing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pyoci.cgroup.controllers import enable_controllers, first_uses
from pyoci.errors import StepError

USES = {"pids": ("pids.max", "linux.resources.pids.limit")}


def make_cgroup(path: Path, controllers: str, enabled: str = "", kind: str = "domain") -> Path:
    """A directory with the files that are looked at."""
    path.mkdir(exist_ok=True)
    (path / "cgroup.controllers").write_text(controllers + "\n")
    (path / "cgroup.subtree_control").write_text(enabled)
    (path / "cgroup.type").write_text(kind + "\n")
    return path


def test_the_first_use_of_each_controller() -> None:
    writes = [("memory.swap.max", "a"), ("memory.max", "b"), ("hugetlb.2MB.max", "c"), ("x.y", "d")]
    assert first_uses(("hugetlb", "memory"), writes) == {
        "memory": ("memory.swap.max", "a"),
        "hugetlb": ("hugetlb.2MB.max", "c"),
    }


def test_what_is_enabled_is_left_alone(tmp_path: Path) -> None:
    """Above a delegated cgroup nothing can be written, and need not be."""
    for path, enabled in ((tmp_path, "cpu pids"), (tmp_path / "a", "")):
        make_cgroup(path, "cpu io pids", enabled)
    enable_controllers(str(tmp_path), "/a/web", USES)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "cpu pids"
    assert (tmp_path / "a" / "cgroup.subtree_control").read_text() == "+pids"


def test_the_kernel_does_not_have_it(tmp_path: Path) -> None:
    make_cgroup(tmp_path, "cpu")
    with pytest.raises(StepError) as caught:
        enable_controllers(str(tmp_path), "/web", USES, "main")
    assert caught.value.message == (
        "main: linux.resources.pids.limit: pids.max: "
        f"controller pids is not available in {tmp_path}"
    )
    assert "cgroup v1" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("domain", "its parent must have it in cgroup.subtree_control"),
        ("threaded", "it is threaded: only controllers of threads are there"),
    ],
)
def test_a_cgroup_on_the_way_does_not_have_it(tmp_path: Path, kind: str, hint: str) -> None:
    make_cgroup(tmp_path, "memory pids")
    lower = make_cgroup(tmp_path / "a", "memory", kind=kind)
    with pytest.raises(StepError, match=f"controller pids is not available in {lower}") as caught:
        enable_controllers(str(tmp_path), "/a/web", USES)
    assert (caught.value.path, caught.value.hint) == (str(lower), hint)


def test_a_refusal_is_told_with_its_errno(tmp_path: Path) -> None:
    make_cgroup(tmp_path, "pids")
    (tmp_path / "cgroup.subtree_control").unlink()
    (tmp_path / "cgroup.subtree_control").symlink_to("/proc/self/cmdline")
    with pytest.raises(StepError) as caught:
        enable_controllers(str(tmp_path), "/web", USES)
    assert caught.value.message == (
        f"linux.resources.pids.limit: pids.max: controller pids is not available below {tmp_path}, "
        "which refuses it: EINVAL (invalid argument)"
    )
    assert caught.value.errno == errno.EINVAL
