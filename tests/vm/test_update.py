"""update where the controllers are: files, effects without a restart, and all or nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, Result, wait_until

MIB = 1 << 20

# Takes much memory whenever it is told to.
HOG = f"dd if=/dev/zero of=/dev/null count=1 bs={96 * MIB} 2>/dev/null"
HOG_ON_USR1 = f"trap '{HOG}; echo hog $?' USR1; echo ready; while :; do sleep 1000 & wait $!; done"


@pytest.fixture
def running(pyoci: Path, container: MakeContainer) -> Container:
    """A container that waits; its config says nothing of resources."""
    c = container("sleep", "1000", linux={"resources": None})
    c.run_detached().ok()
    return c


def update(c: Container, resources: object) -> Result:
    path = c.directory / "resources.json"
    path.write_text(json.dumps(resources))
    return c.call("update", "--resources", str(path), c.id)


def read(c: Container, file: str) -> str:
    return (c.cgroup / file).read_text().strip()


def read_flat(c: Container, file: str) -> dict[str, int]:
    words = (line.split() for line in read(c, file).splitlines())
    return {name: int(value) for name, value in words}


def root_disk() -> tuple[int, int]:
    """The disk that the root file system is on."""
    device = os.stat("/").st_dev
    return os.major(device), os.minor(device)


# --- values in files


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ("--memory 64M", {"memory.max": str(64 * MIB)}),
        ("--memory 1.5G --memory-swap 2G", {"memory.swap.max": str(512 * MIB)}),
        ("--memory 64M --memory-swap 64M", {"memory.swap.max": "0"}),
        ("--memory-reservation 32m", {"memory.low": str(32 * MIB)}),
        ("--pids-limit 20", {"pids.max": "20"}),
        ("--pids-limit -1", {"pids.max": "max"}),
        ("--cpu-quota 20000", {"cpu.max": "20000 100000"}),
        ("--cpu-period 50000", {"cpu.max": "max 50000"}),
        ("--cpu-quota 20000 --cpu-burst 5000", {"cpu.max.burst": "5000"}),
        ("--cpu-share 512", {"cpu.weight": "59"}),
        ("--cpu-idle 1", {"cpu.idle": "1"}),
    ],
)
def test_options(running: Container, options: str, values: dict[str, str]) -> None:
    running.call("update", *options.split(), running.id).ok()
    assert {file: read(running, file) for file in values} == values


def test_each_update_builds_on_those_before(running: Container) -> None:
    c = running
    seen = []
    for options in ("--cpu-period 50000", "--cpu-quota 20000", "--cpu-period 40000"):
        c.call("update", *options.split(), c.id).ok()
        seen.append(read(c, "cpu.max"))
    assert seen == ["max 50000", "20000 50000", "20000 40000"]
    c.call("update", "--memory", "64M", "--memory-swap", "80M", c.id).ok()
    c.call("update", "--memory", "72M", c.id).ok()
    assert read(c, "memory.swap.max") == str(8 * MIB)
    c.call("update", "--memory", "-1", c.id).ok()
    assert (read(c, "memory.max"), read(c, "memory.swap.max")) == ("max", "max")
    assert read(c, "cpu.max") == "20000 40000"


def test_an_update_builds_on_the_config(pyoci: Path, container: MakeContainer) -> None:
    cpu = {"quota": 20000, "period": 50000, "shares": 512}
    c = container("sleep", "1000", linux={"resources": {"cpu": cpu, "pids": {"limit": 9}}})
    c.create().ok()
    c.call("update", "--cpu-quota", "10000", c.id).ok()
    found = [read(c, file) for file in ("cpu.max", "cpu.weight", "pids.max")]
    assert found == ["10000 50000", "59", "9"]


def test_throttles(running: Container) -> None:
    c = running
    major, minor = root_disk()
    device = {"major": major, "minor": minor}
    update(c, {"blockIO": {"throttleReadBpsDevice": [device | {"rate": MIB}]}}).ok()
    update(c, {"blockIO": {"throttleWriteIOPSDevice": [device | {"rate": 50}]}}).ok()
    assert read(c, "io.max") == f"{major}:{minor} rbps={MIB} wbps=max riops=max wiops=50"
    update(c, {"blockIO": {"throttleReadBpsDevice": [device | {"rate": 0}]}}).ok()
    assert read(c, "io.max") == f"{major}:{minor} rbps=max wbps=max riops=max wiops=50"


# --- effects


def test_a_lower_limit_kills_who_takes_more(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", HOG_ON_USR1)
    c.run_detached().ok()
    c.wait_stdout("ready\n")
    pid = c.pid
    c.kill("USR1").ok()
    c.wait_stdout("hog 0\n")
    c.call("update", "--memory", "48M", "--memory-swap", "48M", c.id).ok()
    c.kill("USR1").ok()
    c.wait_stdout(f"hog {128 + signal.SIGKILL}\n")
    assert (c.status, c.pid) == ("running", pid)


def test_a_quota_throttles(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "while :; do :; done")
    c.run_detached().ok()
    c.call("update", "--cpu-quota", "10000", c.id).ok()
    wait_until(lambda: read_flat(c, "cpu.stat")["nr_throttled"] >= 3)


def test_a_limit_of_tasks_stops_forks(pyoci: Path, container: MakeContainer) -> None:
    fork = "trap '(sleep 1000 & sleep 1000 &); echo forked $?' USR1; echo ready; "
    c = container("sh", "-c", f"{fork} while :; do sleep 1000 & wait $!; done")
    c.run_detached().ok()
    c.wait_stdout("ready\n")
    c.call("update", "--pids-limit", "3", c.id).ok()
    c.kill("USR1").ok()
    wait_until(lambda: "can't fork" in c.read_stderr())
    assert read_flat(c, "pids.events")["max"] >= 1


# --- all or nothing


def test_what_fails_half_way_is_rolled_back(running: Container) -> None:
    c = running
    major, minor = root_disk()
    device = {"major": major, "minor": minor}
    set_before: dict[str, Any] = {
        "blockIO": {"throttleReadBpsDevice": [device | {"rate": 0}]},  # so that there is io.max
        "cpu": {"shares": 512, "quota": 20000},
        "memory": {"limit": 64 * MIB},
        "pids": {"limit": 20},
    }
    update(c, set_before).ok()
    files = ("cpu.idle", "cpu.weight", "cpu.max", "memory.max", "pids.max", "io.max")
    before = {file: read(c, file) for file in files}
    assert before["io.max"] == ""
    stored = (c.state_directory / "config.json").read_text()
    refused = {
        "cpu": {"idle": 1, "quota": 30000},
        "memory": {"limit": 32 * MIB},
        "pids": {"limit": 9},
        "blockIO": {"throttleReadBpsDevice": [device | {"rate": MIB}]},
        "unified": {"memory.high": "much"},
    }
    update(c, refused).failed(
        "linux.resources.unified['memory.high']: write 'much'", "EINVAL", "is rolled back"
    )
    assert {file: read(c, file) for file in files} == before
    assert (c.state_directory / "config.json").read_text() == stored


def test_a_limit_below_what_is_used_is_refused_if_so_asked(
    pyoci: Path, container: MakeContainer
) -> None:
    memory = {"limit": 64 * MIB, "checkBeforeUpdate": True}
    c = container("sleep", "1000", linux={"resources": {"memory": memory}})
    c.run_detached().ok()
    refused = update(c, {"memory": {"limit": 4096}, "pids": {"limit": 5}})
    refused.failed("linux.resources.memory.limit: 4096 bytes are no limit")
    assert read(c, "memory.max") == str(64 * MIB)
    assert not (c.cgroup / "pids.max").exists()


def test_a_missing_controller_is_named(running: Container) -> None:
    c = running
    expected = "linux.resources.cpu.cpus: cpuset.cpus: controller cpuset is not available in /sys"
    update(c, {"cpu": {"cpus": "0"}, "pids": {"limit": 7}}).failed(expected)
    assert not (c.cgroup / "pids.max").exists() or read(c, "pids.max") == "max"


# --- cpuset and hugetlb


@pytest.mark.qemu
def test_cpus(running: Container) -> None:
    c = running
    c.call("update", "--cpuset-cpus", "1", "--cpuset-mems", "0", c.id).ok()
    assert (read(c, "cpuset.cpus"), read(c, "cpuset.mems")) == ("1", "0")
    status = Path(f"/proc/{c.pid}/status").read_text()
    assert "Cpus_allowed_list:\t1\n" in status
    c.call("update", "--cpuset-cpus", "7", c.id).failed("linux.resources.cpu.cpus", "cpuset.cpus")
    assert read(c, "cpuset.cpus") == "1"


@pytest.mark.qemu
def test_a_first_cpuset_that_is_rolled_back_allows_what_was_allowed(running: Container) -> None:
    c = running
    refused = update(c, {"cpu": {"cpus": "1", "mems": "7"}})
    refused.failed("linux.resources.cpu.mems", "is rolled back")
    status = Path(f"/proc/{c.pid}/status").read_text()
    assert "Cpus_allowed_list:\t0-1\n" in status


@pytest.mark.qemu
def test_huge_pages(running: Container) -> None:
    c = running
    update(c, {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]}).ok()
    found = [read(c, f"hugetlb.2MB.{name}") for name in ("max", "rsvd.max")]
    assert found == [str(4 * MIB)] * 2


@pytest.mark.qemu
def test_weight(running: Container) -> None:
    c = running
    c.call("update", "--blkio-weight", "500", c.id).ok()
    found = [read(c, name) for name in ("io.bfq.weight", "io.weight") if (c.cgroup / name).exists()]
    assert "default 500" in found or found == ["default 4950"]
