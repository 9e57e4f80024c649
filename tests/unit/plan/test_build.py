"""The order of a plan, and what depends on the request and on the machine.

What whole plans look like is in tests/golden.
"""

from __future__ import annotations

from typing import Any

import pytest

from pyoci.errors import ConfigError, PyociError
from pyoci.plan import rootfs_steps as r
from pyoci.plan import steps as s
from pyoci.record import replace
from tests.support.planning import FACTS, NAMESPACES, make_config, plan_config

HOOK = [{"path": "/hook"}]


def with_linux(*namespaces: str, **linux: object) -> dict[str, Any]:
    kinds = [{"type": kind} for kind in namespaces or NAMESPACES]
    return make_config(linux={"namespaces": kinds, **linux})


def names(config: dict[str, Any], part: str = "init", **request: object) -> list[str]:
    return [type(step).__name__ for step in getattr(plan_config(config, **request), part)]


def position(found: list[str], *wanted: str) -> list[int]:
    return [found.index(name) for name in wanted]


def test_the_cgroup_is_first_and_the_clone_last() -> None:
    found = names(with_linux(), "before")
    assert found == ["MakeCgroup", "CloneInit"]


def test_limits_are_a_part_of_their_own() -> None:
    """Init makes its mounts without them; hooks, on both sides, come after."""
    found = names(with_linux(resources={"pids": {"limit": 5}}), "limits")
    assert found == ["EnableControllers", "WriteCgroup", "AttachDeviceFilter"]


def test_a_device_filter_even_without_resources() -> None:
    (step,) = (x for x in plan_config(with_linux()).limits if isinstance(x, s.AttachDeviceFilter))
    assert step.rules == ()
    assert step.program


def test_hooks_and_network_before_anything_is_locked() -> None:
    config = with_linux(maskedPaths=["/m"], readonlyPaths=["/r"], sysctl={"net.x": "1"})
    config["hooks"] = {"prestart": HOOK, "createContainer": HOOK}
    found = names(config)
    order = position(
        found, "BindRootfs", "AwaitHost", "RunHooks", "SetSysctl", "ReadonlyPath", "MaskPath",
        "PivotRoot", "DropBounding",
    )  # fmt: skip
    assert order == sorted(order)


def test_main_is_waited_for_only_if_it_has_something_to_do() -> None:
    assert "AwaitHost" not in names(with_linux())
    assert "AwaitHost" in names({**with_linux(), "hooks": {"createRuntime": HOOK}})
    assert "AwaitHost" in names(with_linux(netDevices={"eth7": {}}))
    # For the limits, which its hooks must find set.
    assert "AwaitHost" in names({**with_linux(), "hooks": {"createContainer": HOOK}})


def test_nothing_of_the_process_without_a_process() -> None:
    config = with_linux(seccomp={"defaultAction": "SCMP_ACT_ALLOW"})
    del config["process"]
    plan = plan_config(config)
    assert plan.process is None
    assert plan.start == ()
    found = {type(step).__name__ for step in plan.init}
    assert not found & {"SetUser", "SetCapabilities", "DropBounding", "ChangeDirectory"}


def test_the_filter_is_the_last_thing() -> None:
    config = with_linux(seccomp={"defaultAction": "SCMP_ACT_ALLOW"})
    config["hooks"] = {"startContainer": HOOK}
    assert names(config, "start") == ["RunHooks", "LoadSeccomp"]


@pytest.mark.parametrize(("no_pivot", "how"), [(False, "pivot_root"), (True, "move")])
def test_no_pivot(no_pivot: bool, how: str) -> None:
    plan = plan_config(with_linux(), no_pivot=no_pivot)
    assert [step.how for step in plan.init if isinstance(step, r.PivotRoot)] == [how]


def test_without_a_mount_namespace_nothing_is_mounted() -> None:
    config = with_linux("pid")
    config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    plan = plan_config(config)
    found = [type(step).__name__ for step in plan.init]
    assert "MountFilesystem" not in found
    assert "SetPropagation" not in found
    (rootfs,) = (step for step in plan.init if isinstance(step, r.BindRootfs))
    (root,) = (step for step in plan.init if isinstance(step, r.PivotRoot))
    assert (rootfs.bind, root.how) == (False, "chroot")
    assert plan.warnings == (
        "mounts, linux.devices: not made, since the container shares its mount namespace",
    )


def test_without_a_mount_namespace_no_read_only_root() -> None:
    config = {**with_linux("pid"), "root": {"path": "r", "readonly": True}}
    with pytest.raises(ConfigError, match=r"linux\.namespaces: .* need a mount namespace"):
        plan_config(config)


def test_a_keyring_of_its_own() -> None:
    plan = plan_config(with_linux(), container_id="db")
    assert [x.name for x in plan.init if isinstance(x, s.JoinSessionKeyring)] == ["_ses.db"]
    assert "JoinSessionKeyring" not in names(with_linux(), no_new_keyring=True)


def test_no_devices_on_a_dev_of_the_host() -> None:
    config = with_linux(devices=[{"path": "/dev/x", "type": "p"}])
    config["mounts"] = [{"destination": "/dev/.", "type": "bind", "source": "/dev"}]
    assert "MakeDevice" not in names(config)


def test_devices_are_bound_in_a_new_user_namespace() -> None:
    mapping = [{"containerID": 0, "hostID": 1000, "size": 10}]
    config = with_linux("user", "mount", uidMappings=mapping, gidMappings=mapping)
    plan = plan_config(config)
    assert all(step.bind for step in plan.init if isinstance(step, r.MakeDevice))
    assert isinstance(plan.init[0], s.AwaitIdMaps)
    assert isinstance(plan.beside[0], s.WriteIdMaps)


def test_what_is_hidden_is_found_from_our_own_mounts() -> None:
    config = with_linux(maskedPaths=["/proc/kcore", "/etc/x"], readonlyPaths=["/proc/./sys/"])
    config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    plan = plan_config(config)
    assert [(x.base, x.path) for x in plan.init if isinstance(x, r.MaskPath)] == [
        ("/proc", "/proc/kcore"), ("/", "/etc/x"),
    ]  # fmt: skip
    assert [(x.base, x.path) for x in plan.init if isinstance(x, r.ReadonlyPath)] == [
        ("/proc", "/proc/sys")
    ]
    assert [x.destination for x in plan.init if isinstance(x, r.VerifyMount)] == ["/proc"]


def test_a_read_only_tmpfs_is_filled_first() -> None:
    config = with_linux()
    config["mounts"] = [
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]}
    ]
    found = names(config)
    assert found.index("ReadonlyMount") > max(
        n for n, name in enumerate(found) if name in ("MakeDevice", "MakeSymlink")
    )


@pytest.mark.parametrize("word", ["private", "rslave", "shared", "runbindable"])
def test_the_roots_propagation_is_set_after_pivot_root(word: str) -> None:
    found = names(with_linux(rootfsPropagation=word))
    assert found.index("SetRootPropagation") > found.index("PivotRoot") > 0
    assert found.index("SetPropagation") < found.index("BindRootfs")


def test_a_joined_pid_namespace_is_not_the_containers_own() -> None:
    # Its init's end does not end the others: kill and delete must go by the cgroup.
    joined = [{"type": "mount"}, {"type": "pid", "path": "/proc/1/ns/pid"}]
    assert plan_config(make_config(linux={"namespaces": joined})).own_pid_namespace is False


def test_own_pid_namespace() -> None:
    assert plan_config(with_linux()).own_pid_namespace is True
    assert plan_config(with_linux("mount")).own_pid_namespace is False


def test_what_the_plan_keeps_for_later() -> None:
    config = {**with_linux(), "annotations": {"k": "v"}, "hooks": {"poststop": HOOK}}
    plan = plan_config(config)
    assert (plan.container_id, plan.bundle, plan.rootfs) == ("web", "/bundle", "/bundle/rootfs")
    assert (plan.annotations, plan.oci_version) == ((("k", "v"),), "1.3.0")
    assert [hook.path for hook in plan.hooks.poststop] == ["/hook"]
    assert plan.cgroup == "/user.slice/web"


def test_a_plan_of_the_same_input_is_the_same() -> None:
    config = with_linux(maskedPaths=["/m"])
    one, other = plan_config(config), plan_config(config)
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64", "ppc64le", "s390x", "armv7l"])
def test_every_machine_gets_a_plan(machine: str) -> None:
    config = with_linux(seccomp={"defaultAction": "SCMP_ACT_ERRNO"})
    plan = plan_config(config, replace(FACTS, machine=machine))
    assert isinstance(plan.start[-1], s.LoadSeccomp)


def test_no_cgroup_filesystem_no_plan() -> None:
    with pytest.raises(PyociError, match="no cgroup2 filesystem"):
        plan_config(with_linux(), replace(FACTS, cgroup_mount=""))
