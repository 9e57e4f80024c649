"""process -> how init becomes the container process."""

from __future__ import annotations

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.plan.process import (
    RLIMITS,
    asks_for_labels,
    last_wins,
    plan_execution,
    plan_process,
)
from pyoci.plan.steps import (
    ChangeDirectory,
    DropBounding,
    ExecuteProcess,
    SetCapabilities,
    SetNoNewPrivileges,
    SetRlimit,
    SetUmask,
    SetUser,
    VerifyDirectory,
)
from pyoci.record import replace
from pyoci.spec.model import Capabilities, Linux, Process, Rlimit, User
from pyoci.spec.rules_process import RLIMIT_NAMES

PROCESS = Process(args=("sh",), cwd="/home")
entries = st.lists(st.sampled_from(["A=1", "A=2", "B=1", "B=", "A", "A=1=2", "=", ""]), max_size=8)


def steps_of(process: Process, *, has_filter: bool = False) -> list[object]:
    return list(plan_process(process, has_filter=has_filter)[0])


def test_numbers_of_limits_are_the_headers() -> None:
    known = {name: value for name, value in vars(resource).items() if name.startswith("RLIMIT_")}
    for name in known.keys() & RLIMITS.keys():
        assert RLIMITS[name] == known[name], name
    assert len(known.keys() & RLIMITS.keys()) >= 12


def test_every_limit_that_the_rules_accept_has_a_number() -> None:
    assert set(RLIMITS) == RLIMIT_NAMES
    assert sorted(RLIMITS.values()) == list(range(16))


def test_order() -> None:
    process = replace(
        PROCESS,
        rlimits=(Rlimit(type="RLIMIT_NOFILE", soft=1, hard=2),),
        no_new_privileges=True,
        user=User(uid=5, gid=6, umask=0o27, additional_gids=(7,)),
        capabilities=Capabilities(bounding=("CAP_KILL",)),
    )
    assert steps_of(process) == [
        SetRlimit(
            config="process.rlimits[0]", name="RLIMIT_NOFILE", resource=7, soft=1, hard=2
        ),
        SetNoNewPrivileges(config="process.noNewPrivileges"),
        # CAP_SETPCAP is still there, and so are root's rights to the directory.
        DropBounding(config="process.capabilities.bounding", keep=1 << 5),
        ChangeDirectory(config="process.cwd", path="/home"),
        SetUser(config="process.user", uid=5, gid=6, additional_gids=(7,)),
        SetCapabilities(
            config="process.capabilities", effective=0, permitted=0, inheritable=0, ambient=0
        ),
        SetUmask(config="process.user.umask", mask=0o27),
        VerifyDirectory(config="process.cwd", path="/home"),
    ]  # fmt: skip


@pytest.mark.parametrize(("umask", "mask"), [(None, 0o022), (0, 0), (0o777, 0o777)])
def test_umask(umask: int | None, mask: int) -> None:
    process = replace(PROCESS, user=User(umask=umask))
    assert SetUmask(config="process.user.umask", mask=mask) in steps_of(process)


@pytest.mark.parametrize(
    ("no_new_privileges", "has_filter", "holds"),
    [(False, False, False), (False, True, True), (True, True, False), (True, False, False)],
)
def test_admin_is_held_only_where_the_filter_needs_it(
    no_new_privileges: bool, has_filter: bool, holds: bool
) -> None:
    process = replace(PROCESS, no_new_privileges=no_new_privileges)
    steps = steps_of(process, has_filter=has_filter)
    (capabilities,) = (step for step in steps if isinstance(step, SetCapabilities))
    assert bool(capabilities.effective) is holds


@pytest.mark.parametrize("change", [{"apparmor_profile": "p"}, {"selinux_label": "l"}])
def test_labels_are_asked_for(change: dict[str, object]) -> None:
    assert asks_for_labels(replace(PROCESS, **change))
    assert not asks_for_labels(PROCESS)
    assert not asks_for_labels(None)
    assert asks_for_labels(None, Linux(mount_label="l"))


def test_execution() -> None:
    process = Process(args=("sh", "-c", "x"), env=("A=1",), user=User(uid=5))
    assert plan_execution(process, 2, 0) == ExecuteProcess(
        config="process.args", args=("sh", "-c", "x"), env=("A=1",), preserve_fds=2, uid=5
    )
    assert plan_execution(None, 2, 0) is None


def test_listen_fds_come_before_preserved_ones_and_are_told() -> None:
    process = Process(args=("sh",), env=("LISTEN_FDS=9", "LISTEN_PID=7", "A=1"))
    planned = plan_execution(process, 2, 3)
    assert planned is not None
    assert planned.preserve_fds == 5
    assert planned.env == ("A=1", "LISTEN_FDS=3", "LISTEN_PID=1")


@given(entries.map(tuple))
def test_the_last_entry_of_a_name_wins(env: tuple[str, ...]) -> None:
    found = last_wins(env)
    names = [entry.partition("=")[0] for entry in found]
    assert len(names) == len(set(names))
    assert set(names) == {entry.partition("=")[0] for entry in env}
    for entry, name in zip(found, names, strict=True):
        assert entry == [e for e in env if e.partition("=")[0] == name][-1]
    # What stays keeps its order, and doing it twice changes nothing.
    positions = [len(env) - 1 - env[::-1].index(entry) for entry in found]
    assert positions == sorted(positions)
    assert last_wins(found) == found
