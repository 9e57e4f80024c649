"""linux.cgroupsPath: where the container's cgroup is, and where it cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.errors import ConfigError, UnsupportedError
from pyoci.paths import clean, is_below
from pyoci.plan.cgroups_path import plan_cgroups_path
from pyoci.record import replace
from tests.support.planning import FACTS

paths = st.lists(st.sampled_from(["a", "b", "..", ".", ""]), max_size=6).map("/".join)


@pytest.mark.parametrize(
    ("path", "own", "planned"),
    [
        ("/docker/abc", "/user.slice/s", "/docker/abc"),
        ("/a//b/./c/.", "/", "/a/b/c"),
        ("/a/..b", "/", "/a/..b"),
        ("", "/user.slice/s", "/user.slice/web"),
        ("", "/", "/web"),
        ("a/b", "/user.slice/s", "/user.slice/a/b"),
        ("system.slice:x:y", "/", "/system.slice:x:y"),
        # Our own cgroup can lie outside of what our cgroup namespace shows.
        ("", "/../../x", "/web"),
    ],
)
def test_path(path: str, own: str, planned: str) -> None:
    assert plan_cgroups_path(path, "web", replace(FACTS, own_cgroup=own)) == planned


@pytest.mark.parametrize(
    ("path", "parent", "planned"),
    [
        ("", None, ""),
        ("", "/user/session", "/user/session/web"),
        ("", "", "/web"),
        ("a/b", "/user/session", "/user/session/a/b"),
        ("a/b", None, "/user.slice/a/b"),
        ("/a", None, "/a"),
        ("/a", "/user", "/a"),
    ],
)
def test_where_it_is_tolerated_that_there_is_none(
    path: str, parent: str | None, planned: str
) -> None:
    facts = replace(FACTS, rootless=True, parent_cgroup=parent)
    assert plan_cgroups_path(path, "web", facts) == planned


def test_a_machine_without_cgroups_is_no_matter_to_an_ordinary_user() -> None:
    assert plan_cgroups_path("", "web", replace(FACTS, rootless=True, cgroup_mount="")) == ""
    with pytest.raises(UnsupportedError):
        plan_cgroups_path("/a", "web", replace(FACTS, rootless=True, cgroup_mount=""))


@pytest.mark.parametrize("path", ["/", "//.", "."])
def test_the_mount_and_our_parent_are_no_cgroups_of_a_container(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_cgroups_path(path, "web", FACTS)
    assert caught.value.message == f"linux.cgroupsPath: names no cgroup: {path}"


@pytest.mark.parametrize("path", ["..", "/..", "/a/..", "a/../b", "/../../etc", "../../../a"])
def test_no_path_leads_upwards(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_cgroups_path(path, "web", FACTS)
    assert caught.value.message == f"linux.cgroupsPath: must not lead upwards by ..: {path}"


@given(paths, paths)
def test_nothing_is_outside_the_mount_or_beside_a_relative_paths_parent(
    path: str, own: str
) -> None:
    facts = replace(FACTS, own_cgroup=f"/{own}")
    try:
        planned = plan_cgroups_path(path, "web", facts)
    except ConfigError:
        assert clean(path) == "/" or ".." in path.split("/")
        return
    assert ".." not in path.split("/")
    assert planned == clean(planned) != "/"
    if not path.startswith("/"):
        parent = clean(f"/{own}".rpartition("/")[0])
        assert is_below(planned, parent)
        assert planned != parent


def test_a_machine_without_cgroup2() -> None:
    with pytest.raises(UnsupportedError, match="no cgroup2 filesystem is mounted") as caught:
        plan_cgroups_path("/a", "web", replace(FACTS, cgroup_mount=""))
    assert "/sys/fs/cgroup" in caught.value.hint
