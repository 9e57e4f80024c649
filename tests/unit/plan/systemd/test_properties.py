"""What is written to the cgroup, as properties of its unit; devices as systemd's own list."""

from __future__ import annotations

from typing import Any

import pytest

from pyoci.plan.cgroup.model import CgroupWrite
from pyoci.plan.cgroup.resources import plan_resources
from pyoci.plan.systemd.devices import plan_allowed, plan_device_properties
from pyoci.plan.systemd.properties import INFINITY, make_mask, plan_limit_properties
from pyoci.plan.systemd.words import describe_property
from pyoci.spec.model import DeviceRule

NEW, OLD = 252, 240
DENY = DeviceRule(allow=False, type="a")


def plan(resources: dict[str, Any], version: int = NEW) -> dict[str, object]:
    writes = plan_resources(resources).writes
    return {made.name: made.value for made in plan_limit_properties(writes, version)}


def unified(file: str, value: str) -> dict[str, object]:
    return plan({"unified": {file: value}})


@pytest.mark.parametrize(
    ("resources", "properties"),
    [
        ({"memory": {"limit": 4096, "reservation": 8192}},
         {"MemoryMax": 4096, "MemoryLow": 8192}),
        ({"memory": {"limit": 4096, "swap": 5000}}, {"MemorySwapMax": 904, "MemoryMax": 4096}),
        ({"memory": {"limit": -1}}, {"MemorySwapMax": INFINITY, "MemoryMax": INFINITY}),
        ({"pids": {"limit": 20}}, {"TasksMax": 20}),
        ({"pids": {"limit": -1}}, {"TasksMax": INFINITY}),
        ({"pids": {"limit": 0}}, {"TasksMax": 1}),
        ({"cpu": {"shares": 512}}, {"CPUWeight": 59}),
        ({"cpu": {"idle": 1, "shares": 512}}, {"CPUWeight": 0}),
        ({"cpu": {"idle": 0, "shares": 512}}, {"CPUWeight": 59}),
        ({"cpu": {"idle": 0}}, {"CPUWeight": INFINITY}),
        ({"cpu": {"quota": 20000, "period": 50000}},
         {"CPUQuotaPerSecUSec": 400_000, "CPUQuotaPeriodUSec": 50_000}),
        # In whole percents of a CPU, and never less than asked for.
        ({"cpu": {"quota": 20001}}, {"CPUQuotaPerSecUSec": 210_000, "CPUQuotaPeriodUSec": 100_000}),
        ({"cpu": {"quota": 1000, "period": 1000000}},
         {"CPUQuotaPerSecUSec": 10_000, "CPUQuotaPeriodUSec": 1_000_000}),
        ({"cpu": {"quota": -1}},
         {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": 100_000}),
        ({"cpu": {"burst": 5000}}, {}),
        ({"cpu": {"cpus": "0-1,9", "mems": "0"}},
         {"AllowedCPUs": [3, 2], "AllowedMemoryNodes": [1]}),
        ({"blockIO": {"weight": 500}}, {"IOWeight": 4950}),
        ({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 500}]}}, {}),
        ({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}}, {}),
        ({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}, {}),
        ({"pids": {"limit": 20}, "unified": {"pids.max": "7"}}, {"TasksMax": 7}),
    ],
)  # fmt: skip
def test_resources(resources: dict[str, Any], properties: dict[str, object]) -> None:
    assert plan(resources) == properties


@pytest.mark.parametrize(
    ("file", "value", "properties"),
    [
        ("memory.high", "64M", {"MemoryHigh": 64 << 20}),
        ("memory.min", "1g", {"MemoryMin": 1 << 30}),
        ("memory.max", "max", {"MemoryMax": INFINITY}),
        ("memory.max", "much", {}),
        ("memory.max", "1" * 30, {}),
        ("memory.oom.group", "1", {}),
        ("memory.zswap.max", "5", {}),
        ("cpu.max", "max", {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": 100_000}),
        ("cpu.max", "1000 0", {}),
        ("cpu.max", "a b", {}),
        ("cpu.idle", "2", {}),
        ("io.weight", "200", {"IOWeight": 200}),
        ("io.weight", "8:0 200", {}),
        ("cpuset.cpus", "x", {}),
        ("cpuset.cpus", "0-99999999", {}),
        ("cpuset.cpus", "3-1", {}),
    ],
)
def test_unified(file: str, value: str, properties: dict[str, object]) -> None:
    assert unified(file, value) == properties


def test_an_older_systemd_is_told_what_it_knows() -> None:
    cpu = {"idle": 1, "quota": 20000, "cpus": "0"}
    assert plan({"cpu": cpu, "pids": {"limit": 3}}, OLD) == {
        "CPUQuotaPerSecUSec": 200_000,
        "TasksMax": 3,
    }
    write = CgroupWrite(controller="memory", file="memory.zswap.max", value="5", config_path="")
    assert plan_limit_properties([write], 253)[0].name == "MemoryZSwapMax"


def test_mask() -> None:
    assert make_mask("0,8191")[:1] + make_mask("0,8191")[-1:] == [1, 128]
    assert make_mask("8192") == []


# --- devices


def rule(text: str, *, allow: bool = True) -> DeviceRule:
    kind, numbers, access = text.split()
    major, minor = (None if number == "*" else int(number) for number in numbers.split(":"))
    return DeviceRule(allow=allow, type=kind, major=major, minor=minor, access=access)


@pytest.mark.parametrize(
    ("rules", "entries"),
    [
        ([], []),
        ([DENY, rule("c 1:3 rw")], [("/dev/char/1:3", "rw")]),
        ([rule("b 8:* r"), rule("b 8:1 w")], [("block-8", "r"), ("/dev/block/8:1", "rw")]),
        ([rule("c *:* m"), rule("c 1:3 r")], [("char-*", "m"), ("/dev/char/1:3", "rm")]),
        ([rule("a 4:* r")], [("block-4", "r"), ("char-4", "r")]),
        ([rule("c 1:3 rw"), rule("c 1:3 w", allow=False)], [("/dev/char/1:3", "r")]),
        ([rule("c *:* rwm")], [("char-*", "rwm")]),
        # What a list of what is allowed cannot say.
        ([rule("c *:* rwm"), rule("c 1:3 w", allow=False)], None),
        ([rule("c 1:* r"), rule("c 1:3 r", allow=False)], None),
        ([rule("c *:* r"), rule("c 1:* r", allow=False)], None),
        ([rule("c *:3 r")], None),
        # Nothing is denied.
        ([rule("a *:* rwm")], None),
    ],
)
def test_allowed_devices(rules: list[DeviceRule], entries: list[tuple[str, str]] | None) -> None:
    assert plan_allowed(tuple(rules)) == entries


def test_device_policy() -> None:
    policy, cleared, allowed = plan_device_properties((DENY,), NEW)
    assert (policy.name, policy.value) == ("DevicePolicy", "strict")
    assert (cleared.name, cleared.value) == (allowed.name, []) == ("DeviceAllow", [])
    assert ("/dev/char/1:3", "rwm") in allowed.value
    assert ("char-136", "rwm") in allowed.value
    for rules, version in (((rule("a *:* rwm"),), NEW), ((DENY,), 239)):
        policy, cleared = plan_device_properties(rules, version)
        assert (policy.value, cleared.value) == ("auto", [])


def test_words() -> None:
    resources = {"pids": {"limit": -1}, "cpu": {"cpus": "0-1,9"}}
    made = plan_limit_properties(plan_resources(resources).writes, NEW)
    assert [describe_property(each) for each in made] == ["TasksMax=infinity", "AllowedCPUs=0 1 9"]
