"""Scheduler, I/O priority, personality and memory policy -> steps."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pyoci.engine.scheduling import _APPLY
from pyoci.errors import ConfigError
from pyoci.plan import scheduling
from pyoci.plan.render import describe
from pyoci.plan.scheduling import (
    SetIoPriority,
    SetMemoryPolicy,
    SetPersonality,
    SetScheduler,
    parse_nodes,
    plan_scheduling,
)
from pyoci.plan.steps import DropBounding, SchedulingStep, SetNoNewPrivileges
from pyoci.spec.model import IoPriority, Linux, Process, Scheduler
from tests.support.planning import make_config, plan_config

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.json"
ALL = (SetScheduler, SetIoPriority, SetPersonality, SetMemoryPolicy)


def plan_scheduler(policy: str, **values: Any) -> SetScheduler:  # noqa: ANN401
    (step,) = plan_scheduling(Process(scheduler=Scheduler(policy=policy, **values)), Linux())
    assert isinstance(step, SetScheduler)
    return step


def plan_memory(mode: str, **values: Any) -> SetMemoryPolicy:  # noqa: ANN401
    (step,) = plan_scheduling(Process(), Linux(memory_policy={"mode": mode, **values}))
    assert isinstance(step, SetMemoryPolicy)
    return step


def words_of_schema(name: str, *path: str) -> set[str]:
    found = json.loads(SCHEMA.read_text())["definitions"][name]
    for part in path:
        found = found["properties"][part]
    return set(found["enum"])


def test_the_tables_are_what_the_schema_accepts() -> None:
    assert set(scheduling.POLICIES) == words_of_schema("scheduler", "policy")
    assert set(scheduling.SCHEDULER_FLAGS) == words_of_schema("schedulerFlag")
    assert set(scheduling.IO_CLASSES) == words_of_schema("ioPriority", "class")
    assert set(scheduling.PERSONALITIES) == words_of_schema("personality", "domain")
    assert set(scheduling.MEMORY_MODES) == words_of_schema("memoryPolicyMode")
    assert set(scheduling.MEMORY_FLAGS) == words_of_schema("memoryPolicyFlag")


def test_every_kind_of_step_can_be_carried_out() -> None:
    assert set(_APPLY) == set(SchedulingStep.__subclasses__()) == set(ALL)


def test_numbers_of_policies_are_pythons() -> None:
    known = scheduling.POLICIES.keys() & vars(os).keys()
    assert {name: scheduling.POLICIES[name] for name in known} == {
        name: getattr(os, name) for name in known
    }
    assert len(known) >= 5


def test_order_and_place() -> None:
    config = make_config()
    config["process"] |= {
        "noNewPrivileges": True,
        "scheduler": {"policy": "SCHED_BATCH", "nice": 5},
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 0},
    }
    config["linux"] |= {"personality": {"domain": "LINUX"}, "memoryPolicy": {"mode": "MPOL_LOCAL"}}
    kinds: list[type] = [type(step) for step in plan_config(config).init]
    at = kinds.index(SetScheduler)
    # CAP_SYS_NICE is still there.
    assert kinds[at - 1 : at + 5] == [SetNoNewPrivileges, *ALL, DropBounding]


def test_nothing_without_the_properties() -> None:
    steps = plan_config(make_config()).init
    assert [step for step in steps if isinstance(step, ALL)] == []


def test_scheduler() -> None:
    flags = ("SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM")
    values = {"runtime": 10**6, "deadline": 2 * 10**6, "period": 3 * 10**6}
    step = plan_scheduler("SCHED_DEADLINE", flags=flags, **values)
    assert step == SetScheduler(
        config="process.scheduler", name="SCHED_DEADLINE", policy=6, flags=3,
        runtime_ns=10**6, deadline_ns=2 * 10**6, period_ns=3 * 10**6,
    )  # fmt: skip
    assert describe(step) == (
        "set scheduler SCHED_DEADLINE runtime 1000000 deadline 2000000 period 3000000 flags 3"
    )
    assert describe(plan_scheduler("SCHED_OTHER")) == "set scheduler SCHED_OTHER"


@pytest.mark.parametrize("policy", ["SCHED_FIFO", "SCHED_RR"])
def test_realtime_priorities(policy: str) -> None:
    for priority in (1, 99):
        assert plan_scheduler(policy, priority=priority).priority == priority
    for priority in (-1, 0, 100):
        with pytest.raises(ConfigError, match=r"process\.scheduler\.priority: .* 1 to 99"):
            plan_scheduler(policy, priority=priority)


@pytest.mark.parametrize(
    ("runtime", "deadline", "period", "wrong"),
    [
        (1024, 1024, 1024, None),
        (1024, 1024, 0, None),
        (0, 0, 0, "runtime"),
        (1023, 5000, 5000, "runtime"),
        (2000, 1999, 5000, "deadline"),
        (2000, 3000, 2999, "period"),
    ],
)
def test_deadlines(runtime: int, deadline: int, period: int, wrong: str | None) -> None:
    values = {"runtime": runtime, "deadline": deadline, "period": period}
    if wrong is None:
        assert plan_scheduler("SCHED_DEADLINE", **values).period_ns == period
        return
    with pytest.raises(ConfigError) as caught:
        plan_scheduler("SCHED_DEADLINE", **values)
    assert caught.value.path == f"process.scheduler.{wrong}"


@pytest.mark.parametrize("flag", ["SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS"])
def test_what_is_kept_needs_no_values(flag: str) -> None:
    assert plan_scheduler("SCHED_FIFO", flags=(flag,)).priority == 0


def test_io_priority() -> None:
    priority = IoPriority(io_class="IOPRIO_CLASS_RT", priority=3)
    (step,) = plan_scheduling(Process(io_priority=priority), Linux())
    assert step == SetIoPriority(
        config="process.ioPriority", name="IOPRIO_CLASS_RT", priority=3, value=0x2003
    )
    assert describe(step) == "set I/O priority IOPRIO_CLASS_RT 3"


@pytest.mark.parametrize(("name", "persona"), [("LINUX", 0), ("LINUX32", 8)])
def test_personality(name: str, persona: int) -> None:
    assert plan_scheduling(Process(), Linux(personality=name)) == [
        SetPersonality(config="linux.personality", name=name, persona=persona)
    ]


def test_memory_policy() -> None:
    step = plan_memory("MPOL_INTERLEAVE", nodes="2-3, 7", flags=["MPOL_F_STATIC_NODES"])
    assert step == SetMemoryPolicy(
        config="linux.memoryPolicy", name="MPOL_INTERLEAVE", flags=("MPOL_F_STATIC_NODES",),
        mode=3 | 1 << 15, nodes=(2, 3, 7),
    )  # fmt: skip
    words = "set memory policy MPOL_INTERLEAVE MPOL_F_STATIC_NODES on nodes 2, 3, 7"
    assert describe(step) == words


@pytest.mark.parametrize("mode", sorted(scheduling.MEMORY_MODES))
def test_which_modes_want_nodes(mode: str) -> None:
    takes_none = mode in ("MPOL_DEFAULT", "MPOL_LOCAL", "MPOL_PREFERRED")
    takes_some = mode not in ("MPOL_DEFAULT", "MPOL_LOCAL")
    for nodes, fits in ((None, takes_none), ("", takes_none), ("0", takes_some)):
        if fits:
            assert plan_memory(mode, nodes=nodes).nodes == ((0,) if nodes else ())
        else:
            with pytest.raises(ConfigError, match=r"^linux\.memoryPolicy\.nodes: "):
                plan_memory(mode, nodes=nodes)


def test_flags_that_exclude_each_other() -> None:
    flags = ["MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES"]
    with pytest.raises(ConfigError, match=r"linux\.memoryPolicy\.flags: "):
        plan_memory("MPOL_BIND", nodes="0", flags=flags)
    assert plan_memory("MPOL_BIND", nodes="0", flags=flags[:2]).mode == 2 | 1 << 15 | 1 << 13


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("", ()),
        (" ", ()),
        ("0", (0,)),
        ("3,1,1-2", (1, 2, 3)),
        ("1023", (1023,)),
        ("1 , 0", (0, 1)),
    ],
)
def test_lists_of_nodes(text: str, nodes: tuple[int, ...]) -> None:
    assert parse_nodes(text, "p") == nodes


@pytest.mark.parametrize("text", ["a", "1-", "-1", "2-1", "1,,2", "0x1", "1024", "0-999999999"])
def test_no_lists_of_nodes(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^p: "):
        parse_nodes(text, "p")
