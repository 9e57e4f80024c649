"""The plan of an ordinary user: id maps, cgroup, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pyoci.errors import UnsupportedError
from pyoci.plan.steps import (
    AttachDeviceFilter,
    AwaitIdMaps,
    MakeCgroup,
    SetOomScoreAdj,
    WriteIdMaps,
)
from pyoci.record import replace
from tests.support.planning import FACTS, make_config, plan_config

if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan

USER = replace(FACTS, euid=1000, egid=1001, rootless=True)
OWN = {
    "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
    "gidMappings": [{"containerID": 0, "hostID": 1001, "size": 1}],
}
RANGE = [{"containerID": 1, "hostID": 100000, "size": 10}]


def config(
    process: dict[str, Any] | None = None,
    **linux: Any,  # noqa: ANN401  (JSON)
) -> dict[str, Any]:
    kinds = [{"type": kind} for kind in ("user", "mount", "pid")]
    base = make_config(linux={"namespaces": kinds, **OWN, **linux})
    return {**base, "process": {**base["process"], **(process or {})}}


def id_maps(plan: CreatePlan) -> WriteIdMaps:
    (step,) = (step for step in plan.beside if isinstance(step, WriteIdMaps))
    return step


def test_root_writes_maps_itself_and_denies_nothing() -> None:
    step = id_maps(plan_config(config()))
    assert (step.uid_helper, step.gid_helper, step.deny_setgroups) == ("", "", False)


@pytest.mark.parametrize(
    ("uids", "gids", "helpers", "denied"),
    [
        (OWN["uidMappings"], OWN["gidMappings"], ("", ""), True),
        (OWN["uidMappings"] + RANGE, OWN["gidMappings"] + RANGE, ("newuidmap", "newgidmap"), False),
        (OWN["uidMappings"], OWN["gidMappings"] + RANGE, ("", "newgidmap"), False),
        (OWN["uidMappings"] + RANGE, OWN["gidMappings"], ("newuidmap", ""), True),
        (RANGE, RANGE, ("newuidmap", "newgidmap"), False),
        # One id, but not his.
        (
            [{"containerID": 0, "hostID": 1001, "size": 1}],
            [{"containerID": 0, "hostID": 1000, "size": 1}],
            ("newuidmap", "newgidmap"),
            False,
        ),
        # His, but more than one.
        (
            [{"containerID": 0, "hostID": 1000, "size": 2}],
            OWN["gidMappings"],
            ("newuidmap", ""),
            True,
        ),
    ],
)
def test_who_writes_a_users_maps(
    uids: list[dict[str, int]],
    gids: list[dict[str, int]],
    helpers: tuple[str, str],
    denied: bool,
) -> None:
    step = id_maps(plan_config(config(uidMappings=uids, gidMappings=gids), USER))
    assert (step.uid_helper, step.gid_helper) == helpers
    assert step.deny_setgroups is denied


def test_his_files_in_proc_are_used_before_init_is_another() -> None:
    plan = plan_config(config(process={"oomScoreAdj": -5}), USER)
    kinds = [type(step) for step in plan.beside]
    assert kinds == [SetOomScoreAdj, WriteIdMaps]
    assert next(s for s in plan.beside if isinstance(s, SetOomScoreAdj)).optional
    assert [s.visible for s in plan.init if isinstance(s, AwaitIdMaps)] == [True]
    plan = plan_config(config(process={"oomScoreAdj": -5}))
    assert not next(s for s in plan.beside if isinstance(s, SetOomScoreAdj)).optional
    assert [s.visible for s in plan.init if isinstance(s, AwaitIdMaps)] == [False]


def test_without_a_cgroup_nothing_is_done_about_one() -> None:
    plan = plan_config(config(resources={"devices": [{"allow": False}]}), USER)
    assert plan.cgroup == ""
    assert not any(isinstance(step, MakeCgroup) for step in plan.before)
    assert plan.limits == ()


def test_in_a_delegated_cgroup_limits_are_set_and_a_filter_if_permitted() -> None:
    facts = replace(USER, parent_cgroup="/user/session")
    plan = plan_config(config(resources={"pids": {"limit": 5}}), facts)
    assert plan.cgroup == "/user/session/web"
    assert [type(step).__name__ for step in plan.limits] == [
        "EnableControllers", "WriteCgroup", "AttachDeviceFilter",
    ]  # fmt: skip
    assert [s.optional for s in plan.limits if isinstance(s, AttachDeviceFilter)] == [True]
    root = plan_config(config())
    assert [s.optional for s in root.limits if isinstance(s, AttachDeviceFilter)] == [False]


def test_a_limit_without_a_cgroup_is_refused() -> None:
    with pytest.raises(UnsupportedError) as caught:
        plan_config(config(resources={"memory": {"limit": 1 << 20}}), USER)
    assert caught.value.message == (
        "linux.resources.memory.limit: there is no cgroup that this user may limit"
    )
    assert "Delegate=yes" in caught.value.hint


@pytest.mark.parametrize("gids", [[0], [5]])
def test_groups_without_any_to_give(gids: list[int]) -> None:
    process = {"user": {"uid": 0, "gid": 0, "additionalGids": gids}}
    with pytest.raises(UnsupportedError, match=r"process\.user\.additionalGids: an ordinary"):
        plan_config(config(process=process), USER)
    plan_config(config(process=process, gidMappings=OWN["gidMappings"] + RANGE), USER)
    plan_config(config(process=process))


def test_network_devices() -> None:
    kinds = [{"type": kind} for kind in ("user", "mount", "network")]
    moved = config(namespaces=kinds, netDevices={"eth0": {}})
    with pytest.raises(UnsupportedError, match=r"linux\.netDevices\.eth0: only root"):
        plan_config(moved, USER)
    plan_config(moved)
