"""linux.cgroupsPath for systemd: the unit and where its cgroup is, by systemd's own rules."""

from __future__ import annotations

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.systemd.names import escape_cgroup, expand_slice, parse_unit_name

LONG = "n" * 244


@pytest.mark.parametrize(
    ("path", "name", "parent", "cgroup"),
    [
        ("", "pyoci-web.scope", "system.slice", "/system.slice/pyoci-web.scope"),
        ("::n", "n.scope", "system.slice", "/system.slice/n.scope"),
        ("system.slice:docker:1234", "docker-1234.scope", "system.slice",
         "/system.slice/docker-1234.scope"),
        ("a-b.slice:p:n", "p-n.scope", "a-b.slice", "/a.slice/a-b.slice/p-n.scope"),
        ("-.slice:p:n", "p-n.scope", "-.slice", "/p-n.scope"),
        ("kubepods-burstable-pod1_2.slice:cri-containerd:abc", "cri-containerd-abc.scope",
         "kubepods-burstable-pod1_2.slice",
         "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice"
         "/cri-containerd-abc.scope"),
        ("a.slice:p:n.scope", "p-n.scope.scope", "a.slice", "/a.slice/p-n.scope.scope"),
        ("a.slice:p:i@x", "p-i@x.scope", "a.slice", "/a.slice/p-i@x.scope"),
        # A slice is in the slice that its name says.
        ("::a.slice", "a.slice", "-.slice", "/a.slice"),
        (":p:a-b.slice", "a-b.slice", "a.slice", "/a.slice/a-b.slice"),
        ("a.slice::a-b.slice", "a-b.slice", "a.slice", "/a.slice/a-b.slice"),
        # The kernel's names are not for cgroups.
        ("cpu.slice::memory", "memory.scope", "cpu.slice", "/_cpu.slice/_memory.scope"),
        ("a.slice::_n", "_n.scope", "a.slice", "/a.slice/__n.scope"),
    ],
)  # fmt: skip
def test_unit(path: str, name: str, parent: str, cgroup: str) -> None:
    unit = parse_unit_name(path, "web", rootless=False)
    assert (unit.name, unit.slice, unit.cgroup) == (name, parent, cgroup)
    assert unit.is_slice == name.endswith(".slice")


def test_a_users_containers_are_in_user_slice() -> None:
    assert parse_unit_name("", "web", rootless=True).cgroup == "/user.slice/pyoci-web.scope"
    assert parse_unit_name(":p:n", "web", rootless=True).slice == "user.slice"


def test_what_an_id_has_and_a_unit_cannot_have_is_escaped() -> None:
    assert parse_unit_name("", "a+b", rootless=False).name == r"pyoci-a\x2bb.scope"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/a/b", 'expected "slice:prefix:name" for systemd cgroups, got "/a/b"'),
        ("a:b", 'expected "slice:prefix:name" for systemd cgroups, got "a:b"'),
        ("a.slice:b:c:d", 'expected "slice:prefix:name" for systemd cgroups, got "a.slice:b:c:d"'),
        ("a.slice:b:", 'the name is missing in "a.slice:b:"'),
        ("system:p:n", "system is no slice: its name must end in .slice"),
        (".slice:p:n", ".slice is no valid name of a unit"),
        ("a--b.slice:p:n", "a--b.slice is no valid name of a slice"),
        ("-a.slice:p:n", "-a.slice is no valid name of a slice"),
        ("a-.slice:p:n", "a-.slice is no valid name of a slice"),
        ("a@b.slice:p:n", "a@b.slice is no valid name of a slice"),
        ("a/b.slice:p:n", "'/' cannot be in the name of a unit: a/b.slice"),
        ("a.slice:p:n/m", "'/' cannot be in the name of a unit: p-n/m.scope"),
        ("a.slice:p:ö", "'ö' cannot be in the name of a unit: p-ö.scope"),
        ("a.slice:p:n\n", "'\\n' cannot be in the name of a unit: p-n\n.scope"),
        ("a.slice::..", "...scope is no valid name of a unit"),
        ("a.slice::n@", "n@.scope is a template, and no unit"),
        ("a.slice::@n", "@n.scope is no valid name of a unit"),
        (f"a.slice:12345:{LONG}", f"12345-{LONG}.scope is longer than 255 characters"),
        ("::-.slice", "-.slice holds everything: a container cannot be in it"),
        ("b.slice::a-b.slice", "a-b.slice is in a.slice, not in b.slice"),
        ("::a--b.slice", "a--b.slice is no valid name of a slice"),
    ],
)
def test_no_unit(path: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_unit_name(path, "web", rootless=False)
    assert (caught.value.path, caught.value.reason) == ("linux.cgroupsPath", reason)


def test_the_longest_name() -> None:
    assert len(parse_unit_name(f"a.slice:1234:{LONG}", "web", rootless=False).name) == 255


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("a.scope", "a.scope"),
        ("cpufoo.scope", "cpufoo.scope"),
        ("cpu.scope", "_cpu.scope"),
        ("cgroup.scope", "_cgroup.scope"),
        ("tasks", "_tasks"),
        ("_a.scope", "__a.scope"),
    ],
)
def test_escaped_cgroup(name: str, directory: str) -> None:
    assert escape_cgroup(name) == directory


def test_the_root_slice_is_at_the_top() -> None:
    assert expand_slice("-.slice") == ""
