"""linux.resources that cannot be: create and update name the key at fault, and change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import MakeContainer

AT = {"major": 1, "minor": 3}
RATES = (
    *("throttleReadBpsDevice", "throttleWriteBpsDevice"),
    *("throttleReadIOPSDevice", "throttleWriteIOPSDevice"),
)

# The key at fault, relative to linux.resources, and values of it that are below or above its range.
NUMBERS: dict[str, tuple[int, ...]] = {
    "memory.limit": (-2, 1, 4095, 2**63),
    "memory.reservation": (-2, 2**63),
    "memory.kernel": (-(2**63) - 1, 2**63),
    "memory.kernelTCP": (-(2**63) - 1, 2**63),
    "memory.swappiness": (-1, 101),
    "cpu.shares": (-1, 2**64),
    "cpu.quota": (-2, 999, 2**44, 2**63),
    "cpu.burst": (-1, 2**44, 2**64),
    "cpu.period": (-1, 999, 1_000_001, 2**64),
    "cpu.realtimeRuntime": (2**63,),
    "cpu.realtimePeriod": (-1, 2**64),
    "cpu.idle": (-1, 2, 2**63),
    "pids.limit": (-2, 2**22 + 1, 2**63),
    "blockIO.weight": (-1, 9, 1001, 65536),
    "blockIO.leafWeight": (-1, 65536),
    "network.classID": (-1, 2**32),
}
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("memory.swap", {"memory": {"limit": 8192, "swap": -2}}),
    ("memory.swap", {"memory": {"limit": 8192, "swap": 4096}}),
    ("memory.swap", {"memory": {"swap": 8192}}),
    ("memory.swap", {"memory": {"limit": 8192, "swap": 2**63}}),
    ("memory.disableOOMKiller", {"memory": {"disableOOMKiller": 1}}),
    ("memory.useHierarchy", {"memory": {"useHierarchy": "no"}}),
    ("memory.checkBeforeUpdate", {"memory": {"checkBeforeUpdate": 0}}),
    ("cpu.burst", {"cpu": {"quota": 20000, "burst": 20001}}),
    ("cpu.cpus", {"cpu": {"cpus": "3-1"}}),
    ("cpu.cpus", {"cpu": {"cpus": "-1"}}),
    ("cpu.mems", {"cpu": {"mems": "0,,1"}}),
    ("blockIO.weightDevice[0].weight", {"blockIO": {"weightDevice": [AT | {"weight": 9}]}}),
    ("blockIO.weightDevice[0].weight", {"blockIO": {"weightDevice": [AT | {"weight": -1}]}}),
    (
        "blockIO.weightDevice[0].leafWeight",
        {"blockIO": {"weightDevice": [AT | {"leafWeight": -1}]}},
    ),
    (
        "blockIO.weightDevice[0].major",
        {"blockIO": {"weightDevice": [{"major": 4096, "minor": 0, "weight": 10}]}},
    ),
    *[
        (f"blockIO.{name}[0].rate", {"blockIO": {name: [AT | {"rate": rate}]}})
        for name in RATES
        for rate in (-1, 2**64)
    ],
    (
        "blockIO.throttleReadBpsDevice[0].major",
        {"blockIO": {RATES[0]: [{"major": -1, "minor": 0, "rate": 1}]}},
    ),
    (
        "blockIO.throttleReadBpsDevice[0].minor",
        {"blockIO": {RATES[0]: [{"major": 8, "minor": 2**20, "rate": 1}]}},
    ),
    ("hugepageLimits[0].pageSize", {"hugepageLimits": [{"pageSize": "2", "limit": 0}]}),
    ("hugepageLimits[0].pageSize", {"hugepageLimits": [{"pageSize": "../2MB", "limit": 0}]}),
    ("hugepageLimits[0].limit", {"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}),
    ("hugepageLimits[0].limit", {"hugepageLimits": [{"pageSize": "2MB", "limit": 2**64}]}),
    (
        "network.priorities[0].priority",
        {"network": {"priorities": [{"name": "a", "priority": -1}]}},
    ),
    ("network.priorities[0].name", {"network": {"priorities": [{"name": 1, "priority": 1}]}}),
    ("rdma.mlx.hcaHandles", {"rdma": {"mlx": {"hcaHandles": -1}}}),
    ("rdma.mlx.hcaHandles", {"rdma": {"mlx": {"hcaHandles": 2**31}}}),
    ("rdma.mlx.hcaObjects", {"rdma": {"mlx": {"hcaObjects": 2**32}}}),
    ("rdma.mlx", {"rdma": {"mlx": {}}}),
    ("rdma", {"rdma": {"two words": {"hcaHandles": 1}}}),
    ("unified", {"unified": {"../memory.max": "1"}}),
    ("unified", {"unified": {"memory": "1"}}),
    ("unified", {"unified": {"cgroup.procs": "1"}}),
    ("unified['nosuch.max']", {"unified": {"nosuch.max": "1"}}),
    ("unified['cgroup.nosuch']", {"unified": {"cgroup.nosuch": "1"}}),
    ("unified['cgroup.max.depth']", {"unified": {"cgroup.max.depth": "-1"}}),
    ("unified['cgroup.max.depth']", {"unified": {"cgroup.max.depth": "9" * 30}}),
]
# What only create looks at: update leaves the rules of devices alone.
DEVICES: list[tuple[str, dict[str, Any]]] = [
    ("devices[0].allow", {"devices": [{"allow": 1}]}),
    ("devices[0].type", {"devices": [{"allow": True, "type": "p"}]}),
    ("devices[0].major", {"devices": [{"allow": True, "type": "c", "major": 4096}]}),
    ("devices[0].minor", {"devices": [{"allow": True, "type": "c", "minor": -2}]}),
    ("devices[0].access", {"devices": [{"allow": True, "access": "x"}]}),
]


def spread(key: str, value: int) -> tuple[str, dict[str, Any]]:
    section, name = key.split(".")
    return key, {section: {name: value}}


REFUSED = [spread(key, value) for key, values in NUMBERS.items() for value in values] + OTHERS
DEPTH = "cgroup.max.depth"


def test_create(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    for key, resources in REFUSED + DEVICES:
        c.bundle.config["linux"]["resources"] = {"unified": {DEPTH: "5"}} | resources
        c.bundle.write()
        done = c.create().failed()
        path = f"linux.resources.{key}"
        assert f" {path}: " in done.stderr or f" ({path})\n" in done.stderr, (resources, done)
        c.assert_gone()


def test_a_nul_character(pyoci: Path, container: MakeContainer) -> None:
    """It is found where JSON is read, before anybody knows what the key means."""
    c = container("true", linux={"resources": {"unified": {"x.max": "a\0b"}}})
    c.create().failed('linux.resources.unified["x.max"]: a NUL character')
    c.assert_gone()


def test_create_in_a_cgroup_that_was_there(pyoci: Path, container: MakeContainer) -> None:
    """What was written before the refusal is no longer there, either."""
    c = container("true")
    c.cgroup.mkdir(parents=True)
    limits = {DEPTH: "5", "cgroup.max.descendants": "many"}
    c.bundle.config["linux"]["resources"] = {"unified": limits}
    c.bundle.write()
    c.create().failed("linux.resources.unified['cgroup.max.descendants']", "is rolled back")
    assert (c.cgroup / DEPTH).read_text() == "max\n"
    # Nor where it is something else that fails later.
    c.bundle.config["linux"]["resources"] = {"unified": {DEPTH: "5"}}
    c.bundle.config["process"]["args"] = ["nosuch"]
    c.bundle.write()
    c.create().failed("executable file not found in $PATH")
    assert (c.cgroup / DEPTH).read_text() == "max\n"
    c.cgroup.rmdir()


def test_update(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    stored = (c.state_directory / "config.json").read_text()
    path = c.directory / "resources.json"
    for key, resources in REFUSED:
        path.write_text(json.dumps({"unified": {DEPTH: "5"}} | resources))
        done = c.call("update", "--resources", str(path), c.id).failed()
        assert f" linux.resources.{key}: " in done.stderr, (resources, done)
        assert (c.cgroup / DEPTH).read_text() == "max\n", (key, resources)
    assert (c.state_directory / "config.json").read_text() == stored
    assert c.status == "running"


@pytest.mark.parametrize("resources", [resources for _, resources in REFUSED[:3]])
def test_update_of_a_stopped_container(
    pyoci: Path, container: MakeContainer, resources: dict[str, Any]
) -> None:
    """The status comes first: nothing is said of values that nobody can set."""
    c = container("true")
    c.run_detached().ok()
    c.wait_status("stopped")
    path = c.directory / "resources.json"
    path.write_text(json.dumps(resources))
    c.call("update", "--resources", str(path), c.id).failed("container not running")
