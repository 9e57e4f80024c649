"""What is opened for the mounts of a container, by whom, and whose ids it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pyoci.linux import consts as c
from pyoci.plan.rootfs_steps import BindMount, BindRootfs
from pyoci.plan.steps import AwaitIdMaps, BecomeRoot, IdMap, OpenSource
from pyoci.record import replace
from pyoci.spec.model import IdMapping
from tests.support.planning import FACTS, make_config, plan_config

if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan

ROOTLESS = replace(FACTS, euid=1000)
UIDS = [{"containerID": 0, "hostID": 100000, "size": 65536}]
GIDS = [{"containerID": 0, "hostID": 200000, "size": 10}]
OWN = {
    "uidMappings": [{"containerID": 0, "hostID": 7, "size": 1}],
    "gidMappings": [{"containerID": 0, "hostID": 8, "size": 1}],
}
OF_CONTAINER = (
    (IdMapping(container_id=0, host_id=100000, size=65536),),
    (IdMapping(container_id=0, host_id=200000, size=10),),
)
OF_MOUNT = (
    (IdMapping(container_id=0, host_id=7, size=1),),
    (IdMapping(container_id=0, host_id=8, size=1),),
)
SLAVE = c.MS_SLAVE | c.MS_REC


def bind(*options: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    return {"destination": "/d", "source": "/s", "options": ["bind", *options], **members}


def config(
    *mounts: dict[str, Any], kinds: tuple[str, ...] = ("user", "mount"), **linux: object
) -> dict[str, Any]:
    namespaces = [dict(zip(("type", "path"), kind.split("="), strict=False)) for kind in kinds]
    maps = {"uidMappings": UIDS, "gidMappings": GIDS} if "user" in kinds else {}
    return make_config(mounts=list(mounts), linux={"namespaces": namespaces, **maps, **linux})


def opened_by_main(plan: CreatePlan) -> list[OpenSource]:
    return [step for step in plan.before if isinstance(step, OpenSource)]


def bind_step(plan: CreatePlan) -> BindMount:
    return next(step for step in plan.init if isinstance(step, BindMount))


def test_without_other_ids_init_opens_what_it_mounts() -> None:
    plan = plan_config(config(bind(), kinds=("mount",)))
    assert not [step for step in (*plan.before, *plan.init) if isinstance(step, OpenSource)]
    assert not bind_step(plan).opened


def test_root_opens_for_a_user_namespace_in_case_its_root_cannot() -> None:
    plan = plan_config(config(bind("src-nofollow"), bind("rbind")))
    assert opened_by_main(plan) == [
        OpenSource(
            config="root.path", path="/bundle/rootfs", recursive=True, propagations=(SLAVE,)
        ),
        OpenSource(
            config="mounts[0]", path="/s", recursive=False, follow=False, propagations=(SLAVE,)
        ),
        OpenSource(config="mounts[1]", path="/s", recursive=True, propagations=(SLAVE,)),
    ]
    # What init can open itself keeps the locks of its flags.
    assert not bind_step(plan).opened


@pytest.mark.parametrize(("kinds", "becomes"), [
    (("user", "mount"), AwaitIdMaps), (("user=/u", "mount"), BecomeRoot),
])  # fmt: skip
def test_an_ordinary_user_opens_before_it_becomes_another(
    kinds: tuple[str, ...], becomes: type[AwaitIdMaps | BecomeRoot]
) -> None:
    plan = plan_config(config(bind(), kinds=kinds), ROOTLESS)
    assert opened_by_main(plan) == []
    names = [type(step).__name__ for step in plan.init]
    at = names.index(becomes.__name__)
    assert names[at - 2 : at] == ["OpenSource", "OpenSource"]
    assert bind_step(plan).opened
    assert all(step.opened for step in plan.init if isinstance(step, BindRootfs))


def test_in_a_joined_mount_namespace_paths_are_its_own() -> None:
    plan = plan_config(config(bind(), kinds=("user", "mount=/m")))
    assert opened_by_main(plan) == []
    assert not bind_step(plan).opened


def test_a_link_to_be_copied_is_not_followed_by_anybody() -> None:
    plan = plan_config(config(bind("copy-symlink")))
    assert [step.config for step in opened_by_main(plan)] == ["root.path"]


@pytest.mark.parametrize(
    ("mount", "kinds", "mappings", "recursive"),
    [
        (bind(**OWN), ("mount",), OF_MOUNT, False),
        (bind("idmap", **OWN), ("mount",), OF_MOUNT, False),
        (bind("rbind", "ridmap", **OWN), ("user", "mount"), OF_MOUNT, True),
        (bind("idmap"), ("user", "mount"), OF_CONTAINER, False),
        (bind("ridmap"), ("user", "mount"), OF_CONTAINER, True),
        (bind("idmap"), ("user=/u", "mount"), ((), ()), False),
        (bind(**OWN), ("mount=/m",), OF_MOUNT, False),
    ],
)
def test_ids_are_mapped_as_the_mount_or_its_container_says(
    mount: dict[str, Any],
    kinds: tuple[str, ...],
    mappings: tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]],
    recursive: bool,
) -> None:
    plan = plan_config(config(mount, kinds=kinds))
    source = next(step for step in opened_by_main(plan) if step.config == "mounts[0]")
    uids, gids = mappings
    assert source.id_map == IdMap(uid_mappings=uids, gid_mappings=gids, recursive=recursive)
    assert source.recursive is ("rbind" in mount["options"])
    assert bind_step(plan).opened


@pytest.mark.parametrize(
    ("word", "kinds", "propagations"),
    [
        ("shared", ("user", "mount"), (SLAVE, c.MS_SHARED | c.MS_REC)),
        ("rprivate", ("user", "mount"), (SLAVE, c.MS_PRIVATE | c.MS_REC)),
        ("slave", ("user", "mount"), (SLAVE,)),
        ("shared", ("mount",), (c.MS_SHARED | c.MS_REC,)),
        ("private", ("mount",), (c.MS_PRIVATE | c.MS_REC,)),
    ],
)
def test_propagation_is_that_of_the_containers_mounts(
    word: str, kinds: tuple[str, ...], propagations: tuple[int, ...]
) -> None:
    plan = plan_config(config(bind(**OWN), kinds=kinds, rootfsPropagation=word))
    assert {step.propagations for step in opened_by_main(plan)} == {propagations}


def test_nothing_is_made_where_the_container_could_see_it() -> None:
    plan = plan_config(config(bind(**OWN), kinds=("pid=/p", "user=/u", "mount")))
    names = [type(step).__name__ for step in plan.before]
    assert names == [
        "MakeCgroup", "OpenNamespace", "OpenSource", "OpenSource", "OpenNamespace", "CloneInit",
    ]  # fmt: skip
