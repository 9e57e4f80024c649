"""Which files go with a delegated cgroup."""

from __future__ import annotations

import os
from pathlib import Path

from pyoci.cgroup.delegation import delegate, read_delegated


def test_the_kernel_says_which(tmp_path: Path) -> None:
    path = tmp_path / "delegate"
    path.write_text("cgroup.procs\nmemory.oom.group\n")
    assert read_delegated(str(path)) == ("cgroup.procs", "memory.oom.group")


def test_a_kernel_that_does_not_say(tmp_path: Path) -> None:
    usual = ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads")
    assert read_delegated(str(tmp_path / "delegate")) == usual


def test_files_that_are_not_there_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").touch()
    delegate(str(tmp_path), os.geteuid())
    assert os.stat(tmp_path).st_uid == os.geteuid()
