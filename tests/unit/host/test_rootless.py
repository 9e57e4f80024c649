"""Where an ordinary user may make a cgroup, and whether we are in a user namespace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pyoci.host.facts import read_facts
from pyoci.host.rootless import find_parent, in_user_namespace
from tests.support.child import in_child
from tests.support.child import in_user_namespace as inside_one

if TYPE_CHECKING:
    from pathlib import Path

UID = 4711


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What looks like a tree of cgroups: /top/user/session; nobody but its owner may write."""
    where = tmp_path
    for name in ("top", "user", "session"):
        where = where / name
        where.mkdir(mode=0o755)
        (where / "cgroup.procs").touch(mode=0o644)
    tmp_path.chmod(0o755)
    return tmp_path


def lend(path: Path, *, directory: bool = True, procs: bool = True) -> None:
    """Have others write there, as delegation does for one."""
    if directory:
        path.chmod(0o777)
    if procs:
        (path / "cgroup.procs").chmod(0o666)


def as_user(tree: Path, own: str) -> str | None:
    """What an ordinary user finds there."""

    def look() -> str | None:
        os.setgroups([])
        os.chdir(tree)  # the directories above may be closed
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
        return find_parent(".", own)

    return in_child(look)


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to be somebody who owns nothing"
)


@pytest.mark.parametrize(
    ("lent", "parent"),
    [
        ((), None),
        (("top/user",), "/top/user"),
        (("top/user/session",), "/top/user/session"),
        (("top/user", "top/user/session"), "/top/user"),
        (("top",), None),
    ],
)
def test_the_nearest_that_is_delegated(tree: Path, lent: tuple[str, ...], parent: str) -> None:
    for name in lent:
        lend(tree / name)
    assert as_user(tree, "/top/user/session") == parent


@pytest.mark.parametrize("part", ["directory", "procs"])
def test_it_takes_the_right_to_move_there_too(tree: Path, part: str) -> None:
    lend(tree / "top" / "user", **{part: False})
    assert as_user(tree, "/top/user/session") is None


def test_one_that_cannot_be_seen_from_here(tree: Path) -> None:
    assert as_user(tree, "/../../x") is None
    assert find_parent("", "/a") is None


def test_namespaces() -> None:
    assert not in_user_namespace()
    assert inside_one(in_user_namespace)


@pytest.mark.parametrize(
    ("rootless", "tolerant"), [("auto", False), ("false", False), ("true", True)]
)
def test_what_root_tolerates(rootless: str, tolerant: bool) -> None:
    facts = read_facts(rootless)
    assert facts.rootless is tolerant
    if tolerant:
        assert facts.parent_cgroup is not None  # root may make one anywhere


@pytest.mark.parametrize(
    ("rootless", "tolerant"), [("auto", True), ("false", False), ("true", True)]
)
def test_what_an_ordinary_user_tolerates(rootless: str, tolerant: bool) -> None:
    def look() -> tuple[int, int, bool, str | None]:
        os.setresgid(UID, UID + 1, UID)
        os.setresuid(UID, UID, UID)
        facts = read_facts(rootless)
        return facts.euid, facts.egid, facts.rootless, facts.parent_cgroup

    assert in_child(look) == (UID, UID + 1, tolerant, None)
