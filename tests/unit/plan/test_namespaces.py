"""linux.namespaces -> what is made, what is joined, in which order."""

from __future__ import annotations

import json
from pathlib import Path

from pyoci.plan.namespaces import CLONE_FLAGS, PROC_NAMES, NamespacePlan
from pyoci.plan.steps import (
    AwaitIdMaps,
    BecomeRoot,
    CloneInit,
    CloneSibling,
    EnterTimeNamespace,
    JoinNamespace,
    JoinSessionKeyring,
    OpenNamespace,
    SetLoopbackUp,
    SetTimeOffset,
    UnshareCgroupNamespace,
    UnshareNamespaces,
    UnshareTimeNamespace,
)
from pyoci.spec.model import Namespace, TimeOffset

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.json"


def make(*words: str, privileged: bool = True) -> NamespacePlan:
    """A plan of namespaces written `type` or `type=path`."""
    pairs = (word.partition("=") for word in words)
    namespaces = tuple(Namespace(type=kind, path=path) for kind, _, path in pairs)
    return NamespacePlan(namespaces, privileged=privileged)


def test_every_type_of_the_schema_is_known() -> None:
    types = json.loads(SCHEMA.read_text())["definitions"]["namespaceType"]["enum"]
    assert set(CLONE_FLAGS) == set(PROC_NAMES) == set(types)
    assert len(set(CLONE_FLAGS.values())) == len(types)


def test_names_are_those_of_proc() -> None:
    there = {entry.name for entry in Path("/proc/self/ns").iterdir()}
    assert set(PROC_NAMES.values()) <= there


def test_new_and_joined() -> None:
    plan = make("pid", "network=/n", "mount", "uts=/u")
    assert plan.new == ("pid", "mount")
    assert plan.joined == {"network": "/n", "uts": "/u"}
    assert all(plan.has(kind) for kind in ("pid", "network", "mount", "uts"))
    assert not plan.has("ipc")


def test_main_opens_what_is_joined() -> None:
    assert make("pid=/p", "ipc", "network=/n").open_steps() == [
        OpenNamespace(kind="pid", path="/p", config="linux.namespaces[0]", enter=True),
        OpenNamespace(kind="network", path="/n", config="linux.namespaces[2]"),
    ]


def test_the_clone_leaves_the_cgroup_namespace_for_later() -> None:
    plan = make("cgroup", "pid", "user", "ipc=/i")
    assert plan.clone_step() == CloneInit(kinds=("pid", "user"), config="linux.namespaces")
    assert UnshareCgroupNamespace(config="linux.namespaces[0]") in plan.init_steps("")
    assert make().clone_step().kinds == ()


def test_joins_end_with_the_mount_namespace() -> None:
    # In it the paths are others; and pid is joined by main, before the clone.
    plan = make("mount=/m", "cgroup=/c", "network=/n", "pid=/p", "uts=/u", "ipc=/i")
    kinds = [step.kind for step in plan.init_steps("") if isinstance(step, JoinNamespace)]
    assert kinds == ["ipc", "uts", "network", "cgroup", "mount"]


def test_first_the_ids_then_the_keyring() -> None:
    steps = make("user", "network", "ipc=/i", "cgroup").init_steps("_ses.web")
    assert [type(step) for step in steps] == [
        AwaitIdMaps, JoinSessionKeyring, JoinNamespace, UnshareCgroupNamespace, SetLoopbackUp,
    ]  # fmt: skip
    assert steps[1] == JoinSessionKeyring(name="_ses.web")


def test_loopback_is_only_ours_to_bring_up_in_a_new_namespace() -> None:
    assert make("network=/n").init_steps("") == [
        JoinNamespace(kind="network", config="linux.namespaces[0]")
    ]
    assert make().init_steps("") == []


def test_a_clock_is_set_before_anybody_lives_by_it() -> None:
    offsets = (TimeOffset(clock="boottime", secs=-5, nanosecs=7),)
    plan = NamespacePlan((Namespace(type="time"), Namespace(type="pid")), offsets)
    assert plan.clone_step().kinds == ("pid",)
    assert plan.init_steps("") == [
        UnshareTimeNamespace(config="linux.namespaces[0]"),
        SetTimeOffset(config="linux.timeOffsets.boottime", clock="boottime", secs=-5, nanosecs=7),
        EnterTimeNamespace(config="linux.namespaces[0]"),
    ]


def test_a_joined_user_namespace_owns_the_new_ones() -> None:
    plan = make("user=/u", "network=/n", "uts", "mount")
    assert plan.clone_step().kinds == ()
    steps = plan.init_steps("_ses.web")
    assert steps == [
        # With the runtime's rights still: it may be another's.
        JoinNamespace(kind="network", config="linux.namespaces[1]"),
        JoinNamespace(kind="user", config="linux.namespaces[0]"),
        UnshareNamespaces(kinds=("uts", "mount"), config="linux.namespaces"),
        BecomeRoot(config="linux.namespaces[0]"),
        JoinSessionKeyring(name="_ses.web"),
    ]


def test_a_joined_mount_namespace_stays_the_last_to_join() -> None:
    kinds = [
        step.kind
        for step in make("mount=/m", "user=/u", "ipc=/i").init_steps("")
        if isinstance(step, JoinNamespace)
    ]
    assert kinds == ["ipc", "user", "mount"]


def test_a_pid_namespace_in_a_joined_user_namespace_takes_one_more_process() -> None:
    plan = make("pid", "user=/u", "mount")
    assert plan.clone_step().kinds == ()
    assert plan.init_steps("") == [
        JoinNamespace(kind="user", config="linux.namespaces[1]"),
        CloneSibling(kinds=("pid", "mount"), config="linux.namespaces[0]"),
        BecomeRoot(config="linux.namespaces[1]"),
    ]


def test_root_needs_no_other_process_to_join_both() -> None:
    plan = make("user=/u", "pid=/p", "ipc=/i")
    assert [step.enter for step in plan.open_steps()] == [False, True, False]
    assert plan.init_steps("") == [
        JoinNamespace(kind="ipc", config="linux.namespaces[2]"),
        JoinNamespace(kind="user", config="linux.namespaces[0]"),
        BecomeRoot(config="linux.namespaces[0]"),
    ]


def test_an_ordinary_user_joins_the_user_namespace_first() -> None:
    plan = make("ipc=/i", "mount=/m", "user=/u", "pid=/p", "uts", privileged=False)
    assert not any(step.enter for step in plan.open_steps())
    assert plan.init_steps("") == [
        JoinNamespace(kind="user", config="linux.namespaces[2]"),
        JoinNamespace(kind="pid", config="linux.namespaces[3]"),
        JoinNamespace(kind="ipc", config="linux.namespaces[0]"),
        CloneSibling(kinds=("uts",), config="linux.namespaces[3]"),
        BecomeRoot(config="linux.namespaces[2]"),
        JoinNamespace(kind="mount", config="linux.namespaces[1]"),
    ]
