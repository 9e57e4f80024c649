"""What an update leaves as it was, what it changes, and what is written for it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.plan.cgroup.merge import merge_resources, parse_given, select_changes
from pyoci.plan.cgroup.resources import plan_resources


def update(old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What holds afterwards, and the writes as FILE=VALUE; neither of the two is changed."""
    before = copy.deepcopy((old, new))
    given_now = parse_given(new)
    merged = merge_resources(old, given_now)
    plan = plan_resources(select_changes(merged, given_now))
    assert (old, new) == before
    return merged, [f"{write.file}={write.value}" for write in plan.writes]


@pytest.mark.parametrize(
    ("old", "new", "writes"),
    [
        # Quota and period are one write: either keeps the other.
        ({"quota": 20000, "period": 50000}, {"quota": 30000}, ["cpu.max=30000 50000"]),
        ({"quota": 20000, "period": 50000}, {"period": 40000}, ["cpu.max=20000 40000"]),
        ({}, {"quota": 30000}, ["cpu.max=30000 100000"]),
        ({"quota": 20000}, {"quota": -1}, ["cpu.max=max 100000"]),
        # The kernel checks burst against quota, so burst is written again.
        (
            {"quota": 20000, "burst": 5000},
            {"quota": 10000},
            ["cpu.max.burst=0", "cpu.max=10000 100000", "cpu.max.burst=5000"],
        ),
        # What nobody mentions is left alone: somebody else may have changed it.
        ({"shares": 512, "cpus": "0-1", "quota": 20000}, {"shares": 1024}, ["cpu.weight=100"]),
        ({"shares": 512, "cpus": "0-1"}, {"cpus": "1"}, ["cpuset.cpus=1"]),
        ({"shares": 512}, {"idle": 1}, ["cpu.idle=1"]),
        ({"shares": 512, "idle": 1}, {"idle": 0}, ["cpu.idle=0", "cpu.weight=59"]),
    ],
)
def test_cpu(old: dict[str, Any], new: dict[str, Any], writes: list[str]) -> None:
    assert update({"cpu": old}, {"cpu": new})[1] == writes


def test_becoming_idle_drops_the_shares_unless_they_are_given() -> None:
    old = {"cpu": {"shares": 512, "quota": 20000}}
    assert update(old, {"cpu": {"idle": 1}})[0] == {"cpu": {"quota": 20000, "idle": 1}}
    merged, _ = update(old, {"cpu": {"idle": 1, "shares": 100}})
    assert merged == {"cpu": {"quota": 20000, "idle": 1, "shares": 100}}


@pytest.mark.parametrize(
    ("old", "new", "writes"),
    [
        # Swap is kept as memory and swap together, so a new limit leaves more or less for swap.
        (
            {"limit": 64 << 20, "swap": 96 << 20},
            {"limit": 80 << 20},
            [f"memory.swap.max={16 << 20}", f"memory.max={80 << 20}"],
        ),
        ({"limit": 64 << 20}, {"limit": 32 << 20}, [f"memory.max={32 << 20}"]),
        (
            {"limit": 64 << 20, "swap": 64 << 20},
            {"limit": -1},
            ["memory.swap.max=max", "memory.max=max"],
        ),
        (
            {"limit": 64 << 20, "reservation": 8 << 20},
            {"reservation": 4 << 20},
            [f"memory.low={4 << 20}"],
        ),
    ],
)
def test_memory(old: dict[str, Any], new: dict[str, Any], writes: list[str]) -> None:
    assert update({"memory": old}, {"memory": new})[1] == writes


def test_a_limit_above_memory_and_swap_together_is_refused() -> None:
    with pytest.raises(Exception, match=r"^linux\.resources\.memory\.swap: memory\+swap limit"):
        update({"memory": {"limit": 10 << 20, "swap": 20 << 20}}, {"memory": {"limit": 30 << 20}})


def test_the_check_of_usage_stays_asked_for() -> None:
    old = {"memory": {"limit": 64 << 20, "checkBeforeUpdate": True}}
    given_now = parse_given({"memory": {"limit": 32 << 20}})
    plan = plan_resources(select_changes(merge_resources(old, given_now), given_now))
    assert [check.limit_bytes for check in plan.checks] == [32 << 20]
    only_low = parse_given({"memory": {"reservation": 1 << 20}})
    merged = merge_resources(old, only_low)
    assert plan_resources(select_changes(merged, only_low)).checks == ()


def test_zero_null_and_nothing_are_no_limits() -> None:
    new: dict[str, Any] = {
        "memory": {"limit": 0, "swap": None, "swappiness": None},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
        "blockIO": {"weight": 0, "throttleReadBpsDevice": []},
        "hugepageLimits": [],
        "network": None,
    }
    assert parse_given(new) == {}
    old = {"memory": {"limit": 64 << 20}}
    assert update(old, new) == (old, [])


def test_zeros_that_say_something_stay() -> None:
    given_now = {
        "pids": {"limit": 0},
        "cpu": {"idle": 0, "burst": 0},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
        "unified": {"cpuset.cpus": ""},
    }
    assert parse_given(given_now) == given_now


def test_devices_are_never_touched() -> None:
    old = {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 5}}
    merged, writes = update(old, {"devices": [{"allow": True}], "pids": {"limit": 7}})
    assert merged == {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 7}}
    assert writes == ["pids.max=7"]


def test_lists_come_together_entry_by_entry() -> None:
    old = {
        "blockIO": {
            "weight": 100,
            "throttleReadBpsDevice": [
                {"major": 8, "minor": 0, "rate": 10},
                {"major": 8, "minor": 16, "rate": 20},
            ],
        },
        "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
    }
    new = {
        "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 16, "rate": 30}]},
        "hugepageLimits": [{"pageSize": "1GB", "limit": 0}],
    }
    merged, writes = update(old, new)
    assert merged["blockIO"] == {
        "weight": 100,
        "throttleReadBpsDevice": [
            {"major": 8, "minor": 0, "rate": 10},
            {"major": 8, "minor": 16, "rate": 30},
        ],
    }
    assert [entry["pageSize"] for entry in merged["hugepageLimits"]] == ["2MB", "1GB"]
    assert writes == ["io.max=8:16 rbps=30", "hugetlb.1GB.max=0", "hugetlb.1GB.rsvd.max=0"]


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ({"pids": {"limit": 1}}, {"pids": {"priorities": "x"}}, {"limit": 1, "priorities": "x"}),
        ({"pids": {"limit": 1}}, {"pids": {"x": {"y": 1}}}, {"limit": 1, "x": {"y": 1}}),
        ({"pids": {"weightDevice": [5]}}, {"pids": {"weightDevice": [6]}}, {"weightDevice": [6]}),
        ({"pids": 5}, {"pids": {"limit": 1}}, {"limit": 1}),
    ],
)
def test_what_the_schema_does_not_know_is_kept(old: Any, new: Any, merged: Any) -> None:  # noqa: ANN401
    """Found by fuzzing: members of this or that name and of any type are accepted anywhere."""
    assert merge_resources(old, parse_given(new))["pids"] == merged


def test_maps_come_together_name_by_name() -> None:
    old = {"unified": {"memory.high": "10", "pids.max": "5"}, "rdma": {"a": {"hcaHandles": 1}}}
    new = {"unified": {"pids.max": "7"}, "rdma": {"b": {"hcaHandles": 2}}}
    merged, writes = update(old, new)
    assert merged == {
        "unified": {"memory.high": "10", "pids.max": "7"},
        "rdma": {"a": {"hcaHandles": 1}, "b": {"hcaHandles": 2}},
    }
    assert writes == ["rdma.max=b hca_handle=2", "pids.max=7"]


LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "memory": st.fixed_dictionaries(
            {}, optional={"limit": st.integers(4096, 2**40), "reservation": st.integers(0, 2**40)}
        ),
        "cpu": st.fixed_dictionaries(
            {},
            optional={
                "quota": st.just(-1) | st.integers(1000, 10**6),
                "period": st.integers(1000, 10**6),
                "idle": st.sampled_from([0, 1]),
                "shares": st.integers(0, 10**6),
            },
        ),
        "pids": st.fixed_dictionaries({}, optional={"limit": st.integers(-1, 1000)}),
    },
)


@given(LIMITS, LIMITS)
def test_after_an_update_the_stored_limits_are_those_written(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    """Writing the old ones and then the update's gives what writing the merged ones would."""
    merged, _ = update(old, new)
    files: dict[str, str] = {}
    given_now = parse_given(new)
    for resources in (old, select_changes(merged, given_now)):
        files |= {write.file: write.value for write in plan_resources(resources).writes}
    for write in plan_resources(merged).writes:
        assert files[write.file] == write.value


@given(LIMITS, LIMITS)
def test_a_second_update_with_the_same_changes_nothing(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    once, _ = update(old, new)
    assert update(once, new)[0] == once
