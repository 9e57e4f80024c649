"""What is read of the machine, against what the machine says elsewhere."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from pyoci.host.cgroupfs import find_cgroup_mount, read_own_cgroup
from pyoci.host.facts import read_facts
from pyoci.host.mountinfo import read_mountinfo


def test_the_cgroup_mount_is_one_of_the_mounts() -> None:
    mounts = {mount.mount_point for mount in read_mountinfo() if mount.type == "cgroup2"}
    found = find_cgroup_mount()
    assert found in mounts or (found == "" and not mounts)
    if found:
        assert Path(found, "cgroup.procs").exists()


def test_our_own_cgroup_is_where_we_are() -> None:
    own = read_own_cgroup()
    assert own.startswith("/")
    mount = find_cgroup_mount()
    procs = Path(f"{mount}{own}", "cgroup.procs")
    # A cgroup namespace may show paths that lead out of it.
    if mount and procs.exists():
        assert str(os.getpid()) in procs.read_text().split()


def test_facts() -> None:
    facts = read_facts()
    assert facts.machine == platform.machine()
    assert facts.euid == os.geteuid()
    assert facts.cgroup_mount == find_cgroup_mount()
    assert facts == read_facts()
