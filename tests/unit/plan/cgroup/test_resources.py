"""linux.resources as a whole: the order of controllers, what is ignored, what is not imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.model import ResourcePlan
from pyoci.plan.cgroup.resources import needed_controllers, plan_resources

EVERYTHING = {
    "unified": {"memory.max": "5000000"},
    "rdma": {"mlx5_1": {"hcaHandles": 3}},
    "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
    "cpu": {"shares": 512, "quota": 10000, "burst": 1000, "cpus": "0", "mems": "0"},
    "blockIO": {"weight": 100},
    "memory": {"limit": 8 << 20, "checkBeforeUpdate": True},
    "pids": {"limit": 10},
    "devices": [{"allow": False, "access": "rwm"}],
}


def test_order_does_not_follow_the_config() -> None:
    plan = plan_resources(EVERYTHING)
    assert [write.file for write in plan.writes] == [
        "pids.max",
        "memory.max",
        "io.bfq.weight",
        "cpu.weight",
        "cpu.max.burst",
        "cpu.max",
        "cpu.max.burst",
        "cpuset.cpus",
        "cpuset.mems",
        "hugetlb.2MB.max",
        "hugetlb.2MB.rsvd.max",
        "rdma.max",
        "memory.max",
    ]
    assert plan.writes[-1].value == "5000000"
    assert [check.limit_bytes for check in plan.checks] == [8 << 20]
    assert plan.notes == ()


def test_needed_controllers() -> None:
    expected = ("pids", "memory", "io", "cpu", "cpuset", "hugetlb", "rdma")
    assert needed_controllers(plan_resources(EVERYTHING)) == expected
    assert needed_controllers(plan_resources({"unified": {"cgroup.max.depth": "1"}})) == ()


def test_what_is_optional_needs_no_controller() -> None:
    assert needed_controllers(plan_resources({"memory": {"swap": -1}})) == ()


@pytest.mark.parametrize(
    "resources",
    [
        {},
        {"devices": [{"allow": False, "access": "rwm"}]},
        # What Docker writes when it was asked for no limit.
        {"memory": {}, "cpu": {"shares": 0}, "blockIO": {"weight": 0}, "unified": {}, "rdma": {}},
        {"pids": None, "memory": None, "hugepageLimits": None},
    ],
)
def test_nothing_asked_is_nothing_done(resources: dict[str, object]) -> None:
    assert plan_resources(resources) == ResourcePlan()


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ({"memory": {"kernel": 1}}, "memory.kernel"),
        ({"memory": {"kernelTCP": 1}}, "memory.kernelTCP"),
        ({"memory": {"swappiness": 0}}, "memory.swappiness"),
        ({"memory": {"disableOOMKiller": True}}, "memory.disableOOMKiller"),
        ({"memory": {"useHierarchy": False}}, "memory.useHierarchy"),
        ({"cpu": {"realtimeRuntime": 1}}, "cpu.realtimeRuntime"),
        ({"cpu": {"realtimePeriod": 1}}, "cpu.realtimePeriod"),
        ({"blockIO": {"leafWeight": 10}}, "blockIO.leafWeight"),
        (
            {"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}},
            "blockIO.weightDevice[0].leafWeight",
        ),
        ({"network": {"classID": 1}}, "network.classID"),
        ({"network": {"priorities": [{"name": "eth0", "priority": 1}]}}, "network.priorities"),
    ],
)
def test_v1_only_is_noted(resources: dict[str, object], path: str) -> None:
    plan = plan_resources(resources)
    note = f"linux.resources.{path}: ignored: it has no meaning on cgroup v2"
    assert plan == ResourcePlan(notes=(note,))


@pytest.mark.parametrize(
    "resources",
    [
        {"memory": {"kernel": -1, "kernelTCP": 0, "disableOOMKiller": False, "useHierarchy": True}},
        {"cpu": {"realtimeRuntime": 0, "realtimePeriod": 0}},
        {"network": {"classID": 0, "priorities": []}},
    ],
)
def test_v1_words_for_what_v2_does_anyway(resources: dict[str, object]) -> None:
    assert plan_resources(resources) == ResourcePlan()


def test_shares_of_an_idle_group_are_noted() -> None:
    plan = plan_resources({"cpu": {"idle": 1, "shares": 1024}})
    assert [write.file for write in plan.writes] == ["cpu.idle"]
    assert plan.notes == (
        "linux.resources.cpu.shares: ignored: an idle cgroup has no weight of its own",
    )


def test_page_size_is_passed_on() -> None:
    with pytest.raises(ConfigError, match="one page"):
        plan_resources({"memory": {"limit": 8192}}, page_size=16384)


def test_only_what_is_asked_for_is_imported() -> None:
    code = (
        "import sys; from pyoci.plan.cgroup.resources import plan_resources\n"
        "plan_resources({'devices': [], 'pids': {'limit': 5}})\n"
        "print(*sorted(name.rpartition('.')[2] for name in sys.modules"
        " if name.startswith('pyoci.plan.cgroup.')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["ignored", "model", "pids", "resources"]
