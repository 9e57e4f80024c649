"""The guests have what tests rely on: else something would be left out, or be tested by luck."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CGROUP2 = Path("/sys/fs/cgroup")


def read_words(path: Path) -> set[str]:
    return set(path.read_text().split())


def test_controllers_are_there_and_enabled() -> None:
    wanted = {"cpu", "io", "memory", "pids"}
    assert read_words(CGROUP2 / "cgroup.controllers") >= wanted
    assert read_words(CGROUP2 / "cgroup.subtree_control") >= wanted


def test_no_hierarchy_of_version_1() -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    assert " - cgroup2 " in mounts
    assert " - cgroup " not in mounts


def test_every_capability() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    status = Path("/proc/self/status").read_text()
    assert f"CapEff:\t{2 ** (last + 1) - 1:016x}\n" in status


def test_apparmor_is_on() -> None:
    assert Path("/sys/module/apparmor/parameters/enabled").read_text() == "Y\n"


@pytest.mark.qemu
def test_controllers_of_the_qemu_guest() -> None:
    assert read_words(CGROUP2 / "cgroup.controllers") >= {"cpuset", "hugetlb", "rdma", "misc"}


@pytest.mark.qemu
def test_pressure_two_cpus_and_time_namespaces() -> None:
    assert Path("/proc/pressure/memory").read_text().startswith("some avg10=")
    assert os.cpu_count() == 2
    assert os.readlink("/proc/self/ns/time").startswith("time:[")


@pytest.mark.qemu
def test_systemd_is_process_1_and_answers_on_dbus() -> None:
    assert Path("/proc/1/comm").read_text() == "systemd\n"
    call = ["busctl", "get-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"]
    done = subprocess.run(
        [*call, "org.freedesktop.systemd1.Manager", "Version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith('s "')
