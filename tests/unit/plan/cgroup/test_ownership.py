"""Who owns the cgroup (config-linux.md, "Cgroup ownership")."""

from __future__ import annotations

from typing import Any

import pytest

from pyoci.plan.steps import DelegateCgroup
from pyoci.record import replace
from tests.support.planning import FACTS, make_config, plan_config

MOUNT = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}
CGROUP, USER = {"type": "cgroup"}, {"type": "user"}
MAPPINGS = [
    {"containerID": 0, "hostID": 100000, "size": 10},
    {"containerID": 1000, "hostID": 200000, "size": 1},
]


def find_owners(
    *namespaces: dict[str, str],
    uid: int = 0,
    mounts: list[dict[str, Any]] | None = None,
    mappings: list[dict[str, int]] | None = None,
    euid: int = 0,
) -> list[int]:
    """The owners that the plan of such a container gives its cgroup to."""
    linux: dict[str, Any] = {"namespaces": [{"type": "mount"}, *namespaces]}
    if mappings:
        linux |= {"uidMappings": mappings, "gidMappings": mappings}
    config = make_config(
        process={"args": ["sh"], "cwd": "/", "user": {"uid": uid, "gid": 0}},
        mounts=[MOUNT] if mounts is None else mounts,
        linux=linux,
    )
    plan = plan_config(config, replace(FACTS, euid=euid))
    return [step.uid for step in plan.limits if isinstance(step, DelegateCgroup)]


@pytest.mark.parametrize(("uid", "owner"), [(0, 100000), (9, 100009), (1000, 200000)])
def test_the_user_of_the_process_as_the_host_knows_it(uid: int, owner: int) -> None:
    assert find_owners(CGROUP, USER, uid=uid, mappings=MAPPINGS) == [owner]


def test_without_a_user_namespace_it_is_the_same_user() -> None:
    assert find_owners(CGROUP, uid=1000) == [1000]


def test_root_owns_it_anyway() -> None:
    assert find_owners(CGROUP) == []


def test_a_user_without_a_mapping_owns_nothing() -> None:
    assert find_owners(CGROUP, USER, uid=10, mappings=MAPPINGS) == []
    assert find_owners(CGROUP, USER | {"path": "/proc/1/ns/user"}, uid=1000) == []


@pytest.mark.parametrize(
    "mounts",
    [
        [],
        [MOUNT | {"options": ["ro"]}],
        [MOUNT, MOUNT | {"options": ["nosuid", "ro"]}],
        [MOUNT | {"destination": "/sys/fs/cgroup/unified"}],
        [MOUNT | {"source": "none"}],
    ],
)
def test_only_if_it_is_mounted_read_write_in_its_place(mounts: list[dict[str, Any]]) -> None:
    assert find_owners(CGROUP, uid=1000, mounts=mounts) == []


def test_only_in_a_cgroup_namespace_of_its_own() -> None:
    assert find_owners(uid=1000) == []
    assert find_owners(CGROUP | {"path": "/proc/1/ns/cgroup"}, uid=1000) == []


def test_an_unprivileged_runtime_gives_nothing_away() -> None:
    assert find_owners(CGROUP, uid=1000, euid=1000) == []
