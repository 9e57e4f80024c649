"""dict -> Spec: every member in its place, absent and null ones alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pyoci.record import Record, fields
from pyoci.spec import model
from pyoci.spec.accept import accept
from pyoci.spec.parse import parse_config, parse_hook, parse_process

if TYPE_CHECKING:
    from collections.abc import Iterator

MINIMAL = {"ociVersion": "1.3.0", "root": {"path": "rootfs"}}


def parse(**members: object) -> model.Spec:
    config = {**MINIMAL, **members}
    assert accept(config), config
    return parse_config(config)


def parse_linux(**members: object) -> model.Linux:
    return parse(linux=members).linux


def parse_member(**members: object) -> model.Process:
    process = {"cwd": "/", **members}
    assert accept({**MINIMAL, "process": process}), process
    return parse_process(process)


def test_the_least_config() -> None:
    assert parse() == model.Spec(oci_version="1.3.0", root=model.Root(path="rootfs"))


def test_null_is_absent() -> None:
    nothing = dict.fromkeys(("mounts", "process", "hooks", "annotations", "linux"))
    assert parse(**nothing) == parse()
    assert parse_linux(resources=None, seccomp=None, devices=None, sysctl=None) == model.Linux()


def test_top_level() -> None:
    spec = parse(
        root={"path": "/r", "readonly": True},
        hostname="h",
        domainname="d",
        annotations={"b": "2", "a": ""},
    )
    assert spec.root == model.Root(path="/r", readonly=True)
    assert (spec.hostname, spec.domainname) == ("h", "d")
    assert spec.annotations == (("b", "2"), ("a", ""))


def test_mounts() -> None:
    mapping = {"containerID": 0, "hostID": 1000, "size": 10}
    spec = parse(
        mounts=[
            {"destination": "/a"},
            {
                "destination": "/b",
                "type": "bind",
                "source": "/s",
                "options": ["rbind", "ro"],
                "uidMappings": [mapping],
                "gidMappings": [mapping],
            },
        ]
    )
    parsed = (model.IdMapping(container_id=0, host_id=1000, size=10),)
    assert spec.mounts == (
        model.Mount(destination="/a"),
        model.Mount(
            destination="/b",
            type="bind",
            source="/s",
            options=("rbind", "ro"),
            uid_mappings=parsed,
            gid_mappings=parsed,
        ),
    )


def test_the_least_process() -> None:
    process = parse_member()
    assert process == model.Process(cwd="/")
    assert process.user == model.User(uid=0, gid=0, umask=None, additional_gids=())


def test_process() -> None:
    process = parse_member(
        args=["sh", "-c", ""],
        env=["A=1", "A=2"],
        cwd="/home",
        terminal=True,
        consoleSize={"height": 24, "width": 80},
        user={"uid": 1, "gid": 2, "umask": 0, "additionalGids": [3, 3]},
        rlimits=[{"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1}],
        noNewPrivileges=True,
        oomScoreAdj=-5,
        apparmorProfile="p",
        selinuxLabel="l",
    )
    assert process == model.Process(
        args=("sh", "-c", ""),
        env=("A=1", "A=2"),
        cwd="/home",
        terminal=True,
        console_size=model.ConsoleSize(height=24, width=80),
        user=model.User(uid=1, gid=2, umask=0, additional_gids=(3, 3)),
        rlimits=(model.Rlimit(type="RLIMIT_CORE", soft=0, hard=2**64 - 1),),
        no_new_privileges=True,
        oom_score_adj=-5,
        apparmor_profile="p",
        selinux_label="l",
    )


def test_no_capabilities_are_not_empty_sets() -> None:
    assert parse_member().capabilities is None
    assert parse_member(capabilities=None).capabilities is None
    assert parse_member(capabilities={}).capabilities == model.Capabilities()
    assert parse_member(capabilities={"ambient": ["CAP_KILL"]}).capabilities == (
        model.Capabilities(ambient=("CAP_KILL",))
    )


def test_a_score_of_zero_is_a_score() -> None:
    assert parse_member(oomScoreAdj=0).oom_score_adj == 0
    assert parse_member(oomScoreAdj=None).oom_score_adj is None


def test_scheduling() -> None:
    process = parse_member(
        scheduler={"policy": "SCHED_FIFO", "priority": 1, "flags": ["SCHED_FLAG_RECLAIM"]},
        ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 4},
        execCPUAffinity={"initial": "0-1"},
    )
    assert process.scheduler == model.Scheduler(
        policy="SCHED_FIFO", priority=1, flags=("SCHED_FLAG_RECLAIM",)
    )
    assert process.io_priority == model.IoPriority(io_class="IOPRIO_CLASS_BE", priority=4)
    assert process.exec_cpu_affinity == model.CpuAffinity(initial="0-1")


def test_an_empty_object_is_a_value_of_its_kind() -> None:
    assert parse_member(execCPUAffinity={}).exec_cpu_affinity == model.CpuAffinity()


def test_hooks() -> None:
    names = (
        "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
    )  # fmt: skip
    spec = parse(hooks={name: [{"path": f"/{name}"}] for name in names})
    wanted = [(model.Hook(path=f"/{name}"),) for name in names]
    assert list(fields(spec.hooks).values()) == wanted


def test_a_hook_without_environment_is_not_one_with_an_empty_one() -> None:
    assert parse_hook({"path": "/h"}) == model.Hook(path="/h", env=None, timeout=None)
    assert parse_hook({"path": "/h", "env": [], "timeout": 3, "args": ["h", "x"]}) == (
        model.Hook(path="/h", args=("h", "x"), env=(), timeout=3)
    )


def test_linux() -> None:
    linux = parse_linux(
        namespaces=[{"type": "pid"}, {"type": "network", "path": "/n"}],
        uidMappings=[{"containerID": 0, "hostID": 1, "size": 2}],
        gidMappings=[{"containerID": 3, "hostID": 4, "size": 5}],
        timeOffsets={"monotonic": {"secs": -1}, "boottime": {"nanosecs": 5}},
        sysctl={"net.x": "1"},
        cgroupsPath="/c",
        netDevices={"eth0": {}, "eth1": {"name": "lan"}},
        rootfsPropagation="slave",
        maskedPaths=["/m"],
        readonlyPaths=["/r"],
        mountLabel="label",
        personality={"domain": "LINUX32"},
    )
    assert linux == model.Linux(
        namespaces=(model.Namespace(type="pid"), model.Namespace(type="network", path="/n")),
        uid_mappings=(model.IdMapping(container_id=0, host_id=1, size=2),),
        gid_mappings=(model.IdMapping(container_id=3, host_id=4, size=5),),
        time_offsets=(
            model.TimeOffset(clock="monotonic", secs=-1),
            model.TimeOffset(clock="boottime", nanosecs=5),
        ),
        sysctl=(("net.x", "1"),),
        cgroups_path="/c",
        net_devices=(
            model.NetDevice(host_name="eth0", name="eth0"),
            model.NetDevice(host_name="eth1", name="lan"),
        ),
        rootfs_propagation="slave",
        masked_paths=("/m",),
        readonly_paths=("/r",),
        mount_label="label",
        personality="LINUX32",
    )


def test_devices() -> None:
    linux = parse_linux(
        devices=[
            {"path": "/dev/p", "type": "p"},
            {
                "path": "/dev/c", "type": "c", "major": 1, "minor": 2, "fileMode": 0, "uid": 3,
                "gid": 4,
            },
        ]
    )  # fmt: skip
    assert linux.devices == (
        model.Device(path="/dev/p", type="p"),
        model.Device(path="/dev/c", type="c", major=1, minor=2, file_mode=0, uid=3, gid=4),
    )


@pytest.mark.parametrize(
    ("rule", "parsed"),
    [
        ({"allow": False}, model.DeviceRule(allow=False)),
        ({"allow": True, "type": ""}, model.DeviceRule(allow=True, type="a")),
        ({"allow": True, "access": ""}, model.DeviceRule(allow=True, access="rwm")),
        # Every number: absent, null, and -1 as older callers write it. Zero is a number, and so is
        # any other, for the rules to refuse: it must not come to mean every device.
        ({"allow": True, "major": None, "minor": -1}, model.DeviceRule(allow=True)),
        ({"allow": True, "minor": -2}, model.DeviceRule(allow=True, minor=-2)),
        (
            {"allow": True, "type": "c", "major": 0, "minor": 0, "access": "r"},
            model.DeviceRule(allow=True, type="c", major=0, minor=0, access="r"),
        ),
    ],
)
def test_device_rules(rule: dict[str, Any], parsed: model.DeviceRule) -> None:
    assert parse_linux(resources={"devices": [rule]}).device_rules == (parsed,)


def test_resources_stay_what_they_are() -> None:
    assert parse_linux(resources={"pids": {"limit": 5}}).resources == {"pids": {"limit": 5}}
    assert parse_linux(resources={}).resources is None
    assert parse_linux().resources is None


def test_seccomp() -> None:
    linux = parse_linux(
        seccomp={
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "architectures": ["SCMP_ARCH_X86_64"],
            "flags": [],
            "syscalls": [
                {
                    "names": ["read", "write"],
                    "action": "SCMP_ACT_ALLOW",
                    "errnoRet": 0,
                    "args": [{"index": 1, "value": 2**64 - 1, "op": "SCMP_CMP_EQ"}],
                }
            ],
        }
    )
    assert linux.seccomp == model.Seccomp(
        default_action="SCMP_ACT_ERRNO",
        default_errno_ret=38,
        architectures=("SCMP_ARCH_X86_64",),
        flags=(),
        syscalls=(
            model.SyscallRule(
                names=("read", "write"),
                action="SCMP_ACT_ALLOW",
                errno_ret=0,
                args=(model.SyscallArg(index=1, value=2**64 - 1, op="SCMP_CMP_EQ"),),
            ),
        ),
    )
    assert parse_linux(seccomp={"defaultAction": "SCMP_ACT_ALLOW"}).seccomp == (
        model.Seccomp(default_action="SCMP_ACT_ALLOW", flags=None)
    )


def raw_members(value: object) -> Iterator[str]:
    """Where JSON objects and lists are left in a Spec as they came."""
    if isinstance(value, tuple):
        for item in value:
            yield from raw_members(item)
    if isinstance(value, Record):
        for name, item in fields(value).items():
            if isinstance(item, dict | list):
                yield f"{type(value).__name__}.{name}"
            yield from raw_members(item)


def test_the_example_of_the_schemas_becomes_records_all_through() -> None:
    example = Path(__file__).parents[3] / "schemas" / "examples" / "config.json"
    spec = parse_config(json.loads(example.read_text()))
    raw = {"Linux.resources", "Linux.intel_rdt", "Linux.memory_policy"}
    assert set(raw_members(spec)) == raw
