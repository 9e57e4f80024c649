"""Configs without a plan: each with the one line that says why, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from pyoci.errors import ConfigError, PyociError, UnsupportedError
from pyoci.plan.model import HostFacts
from pyoci.record import replace
from tests.support.planning import FACTS, SYSTEMD_FACTS, make_config, plan_config

BIND = {"destination": "/d", "type": "bind", "source": "/s"}
FIFO = {"path": "/dev/x", "type": "p"}
MAPPING = [{"containerID": 0, "hostID": 0, "size": 1}]


def mounts(*members: dict[str, Any]) -> dict[str, Any]:
    return make_config(mounts=list(members))


def process(**members: object) -> dict[str, Any]:
    return make_config(process={"args": ["sh"], "cwd": "/", **members})


def linux(*kinds: str, **members: object) -> dict[str, Any]:
    namespaces = [{"type": kind} for kind in kinds or ("mount",)]
    return make_config(linux={"namespaces": namespaces, **members})


def linux_with_mount(mount: dict[str, Any]) -> dict[str, Any]:
    config = linux("mount", "user", uidMappings=MAPPING, gidMappings=MAPPING)
    return {**config, "mounts": [mount]}


def joined(**paths: str) -> dict[str, Any]:
    namespaces = [{"type": kind, "path": path} for kind, path in paths.items()]
    return make_config(linux={"namespaces": namespaces})


WRONG = {
    "version": (
        make_config(ociVersion="2.0.0"),
        "ociVersion: expected a version 1.x.y, got 2.0.0",
    ),
    "args": (process(args=[]), "process.args: args must not be empty"),
    "cwd": (process(cwd="home"), "process.cwd: cwd must be an absolute path"),
    "env": (process(env=["A"]), "process.env[0]: expected NAME=value with a name"),
    "rlimit": (
        process(rlimits=[{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]),
        "process.rlimits[0].soft: 2 is above hard, 1",
    ),
    "mount over the root": (
        mounts({"destination": "/a/..", "type": "tmpfs"}),
        "mounts[0].destination: cannot mount over the root of the container",
    ),
    "mount without a type": (
        mounts({"destination": "/d"}),
        "mounts[0].type: a mount that is no bind mount needs a type",
    ),
    "bind without a source": (
        mounts({"destination": "/d", "type": "bind"}),
        "mounts[0].source: a bind mount needs a source",
    ),
    "mount below proc": (
        mounts({"destination": "/proc/sys", "type": "tmpfs"}),
        "mounts[0].destination: /proc/sys would hide part of /proc",
    ),
    "something else on proc": (
        mounts({"destination": "/proc", "type": "tmpfs"}),
        "mounts[0].type: only proc on /proc, not tmpfs",
    ),
    "idmap without mappings": (
        mounts({**BIND, "options": ["idmap"]}),
        "mounts[0].options: idmap needs uidMappings and gidMappings here, or a user namespace",
    ),
    "idmap of another runtime": (
        mounts({**BIND, "options": ["idmap=uids=0-1-2"]}),
        "mounts[0].options: idmap=uids=0-1-2: write uidMappings and gidMappings",
    ),
    "id-mapped filesystem": (
        mounts({**BIND, "type": "tmpfs", "uidMappings": MAPPING, "gidMappings": MAPPING}),
        "mounts[0]: only a bind mount can be id-mapped",
    ),
    "id-mapped remount": (
        linux_with_mount({**BIND, "options": ["bind", "remount", "ridmap"]}),
        "mounts[0]: only a bind mount can be id-mapped",
    ),
    "half of the mappings": (
        mounts({**BIND, "uidMappings": MAPPING}),
        "mounts[0]: uidMappings and gidMappings must be given together",
    ),
    "hostname without a namespace": (
        make_config(hostname="h"),
        "hostname: unable to set hostname without a private UTS namespace",
    ),
    "namespace twice": (
        linux("mount", "mount"),
        "linux.namespaces[1].type: a second mount namespace",
    ),
    "relative namespace": (
        joined(mount="ns"),
        "linux.namespaces[0].path: must be an absolute path",
    ),
    "user namespace without mappings": (
        linux("user", "mount"),
        "linux.uidMappings: a new user namespace needs mappings",
    ),
    "mappings without a user namespace": (
        linux(uidMappings=MAPPING),
        "linux.uidMappings: there is no user namespace to map",
    ),
    "masks without a mount namespace": (
        linux("pid", maskedPaths=["/m"]),
        "linux.maskedPaths: needs a mount namespace",
    ),
    "read-only root without a mount namespace": (
        make_config(root={"path": "r", "readonly": True}, linux={}),
        "linux.namespaces: masked or read-only paths and a read-only root need a mount namespace",
    ),
    "sysctl of the host": (
        linux(sysctl={"kernel.pid_max": "1"}),
        "linux.sysctl.kernel.pid_max: not a parameter of a namespace: it would change the host",
    ),
    "sysctl without its namespace": (
        linux(sysctl={"net.ipv4.ip_forward": "1"}),
        "linux.sysctl.net.ipv4.ip_forward: needs a namespace of type network",
    ),
    "cgroup of others": (
        linux(cgroupsPath="/"),
        "linux.cgroupsPath: names no cgroup: /",
    ),
    "device twice": (
        linux(devices=[FIFO, {**FIFO, "type": "c", "major": 1, "minor": 3}]),
        "linux.devices[1].path: already taken by another device",
    ),
    "relative hook": (
        make_config(hooks={"poststop": [{"path": "hook"}]}),
        "hooks.poststop[0].path: must be an absolute path",
    ),
}  # fmt: skip

LATER = {
    "cache allocation": (linux(intelRdt={"closID": "c"}), "linux.intelRdt"),
}  # fmt: skip

UNSUPPORTED = {
    "id-mapped mount of an ordinary user": (
        make_config(
            mounts=[{**BIND, "uidMappings": MAPPING, "gidMappings": MAPPING}],
            linux={
                "namespaces": [{"type": "mount"}, {"type": "user"}],
                "uidMappings": MAPPING,
                "gidMappings": MAPPING,
            },
        ),
        replace(FACTS, euid=1000),
        "mounts[0]: only root can make an id-mapped mount",
    ),
}


def refuse(config: dict[str, Any], facts: HostFacts = FACTS, /, **request: object) -> PyociError:
    with pytest.raises(PyociError) as caught:
        plan_config(config, facts, **request)
    assert caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    config, message = WRONG[name]
    error = refuse(config)
    assert error.message == message
    assert type(error) is ConfigError


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported(name: str) -> None:
    config, facts, message = UNSUPPORTED[name]
    error = refuse(config, facts)
    assert error.message == message
    assert type(error) is UnsupportedError


@pytest.mark.parametrize("name", LATER)
def test_not_yet(name: str) -> None:
    config, path = LATER[name]
    error = refuse(config)
    assert error.message == f"{path}: not supported by this version of pyoci"
    assert type(error) is UnsupportedError


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"linux": {"cgroupsPath": "/a/b"}},
            'linux.cgroupsPath: expected "slice:prefix:name" for systemd cgroups, got "/a/b"',
        ),
        (
            {"annotations": {"org.systemd.property.CollectMode": "inactive"}},
            "annotations['org.systemd.property.CollectMode']: 'inactive': 'inactive' is no value",
        ),
    ],
)
def test_no_unit_of_systemd(members: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_config(make_config(**members), SYSTEMD_FACTS, systemd_cgroup=True)
    assert caught.value.message == message
    plan_config(make_config(**members))  # they mean nothing, or something else, without it


def test_a_machine_without_cgroups() -> None:
    with pytest.raises(UnsupportedError) as caught:
        plan_config(make_config(), replace(FACTS, cgroup_mount=""))
    assert caught.value.message == "no cgroup2 filesystem is mounted"
    assert caught.value.hint == "pyoci needs cgroup v2: mount it on /sys/fs/cgroup"


def test_a_machine_without_a_table_of_system_calls() -> None:
    config = linux(seccomp={"defaultAction": "SCMP_ACT_ALLOW"})
    with pytest.raises(UnsupportedError) as caught:
        plan_config(config, replace(FACTS, machine="sh4"))
    assert caught.value.message == "linux.seccomp: no system call table for sh4"
