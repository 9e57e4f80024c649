"""Every rule both ways: what it lets pass, and what it says of the rest."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pyoci.errors import ConfigError
from pyoci.record import replace
from pyoci.spec.accept import accept
from pyoci.spec.defaults import default_config
from pyoci.spec.model import Mount, Process, Rlimit, Root, Spec, User
from pyoci.spec.parse import parse_config
from pyoci.spec.rules import RULES, check_spec
from pyoci.spec.rules_linux import LINUX_RULES
from pyoci.spec.rules_process import PROCESS_RULES, RLIMIT_NAMES, check_process

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
EXAMPLE = json.loads((EXAMPLES / "config.json").read_text(encoding="utf-8"))
MAX_ID = 2**32 - 2

ALL = [{"type": kind} for kind in ("pid", "network", "mount", "ipc", "uts", "cgroup")]
ONE_ID = [{"containerID": 0, "hostID": 1000, "size": 1}]


def without(*kinds: str) -> list[dict[str, str]]:
    return [namespace for namespace in ALL if namespace["type"] not in kinds]


def user_namespace(**more: object) -> dict[str, object]:
    mappings = {"uidMappings": ONE_ID, "gidMappings": ONE_ID}
    return {"namespaces": [*ALL, {"type": "user"}], **mappings, **more}


def mapped(*ranges: tuple[int, int, int]) -> dict[str, object]:
    entries = [dict(zip(("containerID", "hostID", "size"), r, strict=True)) for r in ranges]
    return user_namespace(uidMappings=entries)


def device(**values: object) -> list[dict[str, object]]:
    return [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, **values}]


def parsed(config: dict[str, Any]) -> Spec:
    assert accept(config), "the schema refuses it already: no case for a rule"
    return parse_config(config)


def spec_with(
    *, linux: dict[str, Any] | None = None, process: dict[str, Any] | None = None, **top: object
) -> Spec:
    """A small config, with these members."""
    config: dict[str, Any] = {
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": ["sh"], **copy.deepcopy(process or {})},
        "linux": {"namespaces": ALL, **copy.deepcopy(linux or {})},
        **top,
    }
    return parsed(config)


GOOD: list[dict[str, Any]] = [
    {},
    {"ociVersion": "1.0.0-rc5"},
    {"process": {"args": [""]}},
    {"process": {"cwd": "/a/b"}},
    {"process": {"env": ["A=", "B==", "C=é\n"]}},
    {"process": {"user": {"uid": MAX_ID, "gid": MAX_ID, "additionalGids": [0, MAX_ID]}}},
    {"process": {"user": {"uid": 0, "gid": 0, "umask": 0o777}}},
    {"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1}]}},
    {"process": {"rlimits": [{"type": name, "soft": 1, "hard": 1} for name in RLIMIT_NAMES]}},
    {"process": {"oomScoreAdj": -1000}},
    {"process": {"oomScoreAdj": 1000}},
    {"process": {"scheduler": {"policy": "SCHED_OTHER", "nice": 19}}},
    {"process": {"scheduler": {"policy": "SCHED_FIFO", "priority": 1}}},
    {"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1, "period": 2}}},
    {"process": {"ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 7}}},
    {"mounts": [{"destination": "relative/path", "type": "tmpfs"}]},
    {"mounts": [{"destination": "/proc", "type": "proc"}]},
    {"mounts": [{"destination": "/proc", "options": ["rbind"]}]},
    {"mounts": [{"destination": "/proc/cpuinfo", "type": "bind"}]},
    {"mounts": [{"destination": "/proc/../srv", "type": "tmpfs"}]},
    {"mounts": [{"destination": "/process", "type": "tmpfs"}]},
    {"mounts": [{"destination": "/a", "uidMappings": ONE_ID, "gidMappings": ONE_ID}]},
    {
        "mounts": [
            {
                "destination": "/a",
                "options": ["idmap"],
                "uidMappings": ONE_ID,
                "gidMappings": ONE_ID,
            }
        ]
    },
    {"mounts": [{"destination": "/a", "options": ["ridmap"]}], "linux": user_namespace()},
    {"hostname": "h" * 64, "domainname": "d" * 64},
    {"hostname": "web", "linux": {"namespaces": [{"type": "uts", "path": "/proc/1/ns/uts"}]}},
    {"hooks": {"prestart": [{"path": "/bin/true", "env": ["A=1"], "timeout": 1}]}},
    {"hooks": {"poststop": [{"path": "/bin/true", "args": [], "env": None}]}},
    {"annotations": {"a": ""}},
    {"linux": {"namespaces": []}},
    {"linux": {"namespaces": [{"type": "network", "path": "/run/netns/a"}]}},
    {"linux": user_namespace()},
    {"linux": user_namespace(namespaces=[{"type": "user", "path": "/proc/1/ns/user"}])},
    {"linux": {"namespaces": [{"type": "user", "path": "/proc/1/ns/user"}]}},
    {"linux": mapped((0, 0, 2**32 - 1))},
    {"linux": mapped((0, 100, 10), (10, 50, 50))},
    {
        "linux": {
            "namespaces": [{"type": "time"}],
            "timeOffsets": {"monotonic": {"secs": -5}, "boottime": {"nanosecs": 999999999}},
        }
    },
    {"linux": {"sysctl": {"net.ipv4.ip_forward": "1", "kernel.sem": "1", "fs.mqueue.x": "1"}}},
    {"linux": {"sysctl": {"net.ipv4.conf.eno2/100.rp_filter": "1", "kernel/shmmax": "1"}}},
    {"linux": {"sysctl": {"kernel.domainname": "x", "net/ipv4/conf/a.b/forwarding": "1"}}},
    {"linux": user_namespace(sysctl={"user.max_user_namespaces": "1"})},
    {"linux": {"maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"]}},
    {"linux": {"devices": device(major=4095, minor=2**20 - 1, uid=MAX_ID, gid=MAX_ID)}},
    {"linux": {"devices": device(type="p", major=-1) + device(path="/run/x", type="u")}},
    {"linux": {"devices": device() + device(uid=7)}},
    {"linux": {"netDevices": {"eth0": {}, "fifteen-chars-x": {"name": "c%d"}}}},
    {"linux": {"netDevices": {"eth0": {"name": "eth1"}, "eth1": {"name": "eth0"}}}},
    {"linux": {"netDevices": {"eth0": {"name": "c%d"}, "eth1": {"name": "c%d"}}}},
    {"linux": {"intelRdt": {"closID": "/"}}},
    {"linux": {"intelRdt": {"closID": "group"}}},
    {"linux": {"intelRdt": {}}},
]


@pytest.mark.parametrize("members", GOOD, ids=json.dumps)
def test_passes(members: dict[str, Any]) -> None:
    check_spec(spec_with(**members))


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"ociVersion": "2.0.0"}, "ociVersion", "expected a version 1.x.y, got 2.0.0"),
    ({"ociVersion": "0.9.0"}, "ociVersion", "expected a version 1.x.y"),
    ({"ociVersion": "10.0.0"}, "ociVersion", "expected a version 1.x.y"),
    ({"root": {"path": ""}}, "root.path", "must not be empty"),
    ({"process": {"args": []}}, "process.args", "args must not be empty"),
    ({"process": {"args": None}}, "process.args", "args must not be empty"),
    ({"process": {"cwd": ""}}, "process.cwd", "cwd must not be empty"),
    ({"process": {"cwd": "a"}}, "process.cwd", "cwd must be an absolute path"),
    ({"process": {"env": ["A=1", "PATH"]}}, "process.env[1]", "expected NAME=value"),
    ({"process": {"env": ["=x"]}}, "process.env[0]", "expected NAME=value"),
    (
        {"process": {"user": {"uid": 0, "gid": 0, "umask": 0o1000}}},
        "process.user.umask",
        "expected 0 to 511, got 512",
    ),
    (
        {"process": {"rlimits": [{"type": "RLIMIT_TEST", "soft": 1, "hard": 1}]}},
        "process.rlimits[0].type",
        "Linux has no limit RLIMIT_TEST",
    ),
    (
        {"process": {"rlimits": [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}] * 2}},
        "process.rlimits[1].type",
        "RLIMIT_CPU is set twice",
    ),
    (
        {"process": {"rlimits": [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]}},
        "process.rlimits[0].soft",
        "2 is above hard, 1",
    ),
    ({"process": {"oomScoreAdj": 1001}}, "process.oomScoreAdj", "expected -1000 to 1000"),
    ({"process": {"oomScoreAdj": -1001}}, "process.oomScoreAdj", "expected -1000 to 1000"),
    (
        {"process": {"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}},
        "process.scheduler.nice",
        "expected -20 to 19",
    ),
    (
        {"process": {"scheduler": {"policy": "SCHED_OTHER", "priority": 1}}},
        "process.scheduler.priority",
        "only for SCHED_FIFO and SCHED_RR",
    ),
    (
        {"process": {"scheduler": {"policy": "SCHED_RR", "deadline": 1}}},
        "process.scheduler.deadline",
        "only for SCHED_DEADLINE",
    ),
    (
        {"process": {"ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 8}}},
        "process.ioPriority.priority",
        "expected 0 to 7, got 8",
    ),
    ({"mounts": [{"destination": ""}]}, "mounts[0].destination", "must not be empty"),
    (
        {"mounts": [{"destination": "/a"}, {"destination": "/b", "uidMappings": ONE_ID}]},
        "mounts[1]",
        "given together",
    ),
    (
        {"mounts": [{"destination": "/b", "uidMappings": [], "gidMappings": ONE_ID}]},
        "mounts[0]",
        "given together",
    ),
    (
        {"mounts": [{"destination": "/b", "uidMappings": ONE_ID, "gidMappings": ONE_ID * 2}]},
        "mounts[0].gidMappings[1]",
        "overlaps",
    ),
    (
        {"mounts": [{"destination": "/b", "options": ["ro", "ridmap"]}]},
        "mounts[0].options",
        "idmap needs",
    ),
    (
        {"mounts": [{"destination": "/proc", "type": "tmpfs"}]},
        "mounts[0].type",
        "only proc on /proc, not tmpfs",
    ),
    (
        {"mounts": [{"destination": "x/.././proc//sys/", "options": ["bind"]}]},
        "mounts[0].destination",
        "/proc/sys would hide part of /proc",
    ),
    ({"hostname": "a", "linux": {"namespaces": without("uts")}}, "hostname", "UTS namespace"),
    ({"domainname": "a", "linux": {"namespaces": without("uts")}}, "domainname", "UTS namespace"),
    ({"hostname": "é" * 33}, "hostname", "longer than 64 bytes"),
    ({"domainname": "d" * 65}, "domainname", "longer than 64 bytes"),
    ({"hooks": {"prestart": [{"path": "sh"}]}}, "hooks.prestart[0].path", "absolute"),
    ({"hooks": {"createRuntime": [{"path": ""}]}}, "hooks.createRuntime[0].path", "absolute"),
    (
        {"hooks": {"createContainer": [{"path": "/a"}, {"path": "/a", "env": ["A"]}]}},
        "hooks.createContainer[1].env[0]",
        "expected NAME=value",
    ),
    ({"hooks": {"startContainer": [{"path": "a"}]}}, "hooks.startContainer[0].path", "absolute"),
    ({"hooks": {"poststart": [{"path": "a"}]}}, "hooks.poststart[0].path", "absolute"),
    ({"hooks": {"poststop": [{"path": "a"}]}}, "hooks.poststop[0].path", "absolute"),
    ({"annotations": {"a": "1", "": "2"}}, "annotations", "must not be empty"),
    (
        {"linux": {"namespaces": [*ALL, {"type": "ipc"}]}},
        "linux.namespaces[6].type",
        "a second ipc namespace",
    ),
    (
        {"linux": {"namespaces": [{"type": "ipc", "path": "ns"}]}},
        "linux.namespaces[0].path",
        "absolute",
    ),
    ({"linux": {"uidMappings": ONE_ID}}, "linux.uidMappings", "no user namespace"),
    ({"linux": {"gidMappings": ONE_ID}}, "linux.gidMappings", "no user namespace"),
    ({"linux": user_namespace(uidMappings=[])}, "linux.uidMappings", "needs mappings"),
    ({"linux": user_namespace(gidMappings=None)}, "linux.gidMappings", "needs mappings"),
    ({"linux": mapped((0, 0, 0))}, "linux.uidMappings[0].size", "0 ids"),
    ({"linux": mapped((0, 0, 2**32 - 1), (1, 0, 1))}, "linux.uidMappings[1]", "overlaps"),
    ({"linux": mapped((1, 0, 2**32 - 1))}, "linux.uidMappings[0].size", "go beyond"),
    ({"linux": mapped((0, MAX_ID, 2))}, "linux.uidMappings[0].size", "go beyond"),
    ({"linux": mapped((0, 100, 10), (10, 95, 6))}, "linux.uidMappings[0]", "overlaps"),
    ({"linux": mapped((5, 100, 10), (0, 0, 6))}, "linux.uidMappings[0]", "overlaps"),
    (
        {"linux": {"timeOffsets": {"monotonic": {"secs": 1}}}},
        "linux.timeOffsets.monotonic",
        "need a new time namespace",
    ),
    (
        {
            "linux": {
                "namespaces": [{"type": "time", "path": "/proc/1/ns/time"}],
                "timeOffsets": {"boottime": {}},
            }
        },
        "linux.timeOffsets.boottime",
        "need a new time namespace",
    ),
    (
        {"linux": {"namespaces": [{"type": "time"}], "timeOffsets": {"realtime": {}}}},
        "linux.timeOffsets.realtime",
        "unknown clock",
    ),
    (
        {
            "linux": {
                "namespaces": [{"type": "time"}],
                "timeOffsets": {"monotonic": {"nanosecs": 10**9}},
            }
        },
        "linux.timeOffsets.monotonic.nanosecs",
        "expected less than",
    ),
    (
        {"linux": {"sysctl": {"kernel.hostname": "x"}}},
        "linux.sysctl.kernel.hostname",
        "use the property hostname",
    ),
    (
        {"linux": {"sysctl": {"kernel/core_pattern": "x"}}},
        "linux.sysctl.kernel/core_pattern",
        "not a parameter of a namespace",
    ),
    (
        {"linux": {"sysctl": {"net.../../kernel/core_pattern": "x"}}},
        "linux.sysctl.net.../../kernel/core_pattern",
        "not a parameter of a namespace",
    ),
    (
        {"linux": {"sysctl": {"net/../kernel/core_pattern": "x"}}},
        "linux.sysctl.net/../kernel/core_pattern",
        "not a parameter of a namespace",
    ),
    ({"linux": {"sysctl": {"net": "x"}}}, "linux.sysctl.net", "not a parameter"),
    ({"linux": {"sysctl": {"": "x"}}}, "linux.sysctl.", "not a parameter"),
    (
        {"linux": {"namespaces": without("network"), "sysctl": {"net.core.x": "1"}}},
        "linux.sysctl.net.core.x",
        "needs a namespace of type network",
    ),
    (
        {"linux": {"namespaces": without("ipc"), "sysctl": {"kernel.shmmax": "1"}}},
        "linux.sysctl.kernel.shmmax",
        "needs a namespace of type ipc",
    ),
    (
        {"linux": {"namespaces": without("ipc"), "sysctl": {"fs.mqueue.msg_max": "1"}}},
        "linux.sysctl.fs.mqueue.msg_max",
        "needs a namespace of type ipc",
    ),
    (
        {"linux": {"namespaces": without("uts"), "sysctl": {"kernel.domainname": "1"}}},
        "linux.sysctl.kernel.domainname",
        "needs a namespace of type uts",
    ),
    (
        {
            "linux": {
                "namespaces": [{"type": "user", "path": "/proc/1/ns/user"}],
                "sysctl": {"user.max_user_namespaces": "1"},
            }
        },
        "linux.sysctl.user.max_user_namespaces",
        "needs a new namespace of type user",
    ),
    ({"linux": {"maskedPaths": ["/a", "b"]}}, "linux.maskedPaths[1]", "absolute"),
    ({"linux": {"readonlyPaths": [""]}}, "linux.readonlyPaths[0]", "absolute"),
    (
        {"linux": {"namespaces": without("mount"), "maskedPaths": ["/a"]}},
        "linux.maskedPaths",
        "needs a mount namespace",
    ),
    ({"linux": {"devices": device(path="dev/x")}}, "linux.devices[0].path", "absolute"),
    ({"linux": {"devices": device(major=4096)}}, "linux.devices[0].major", "expected 0 to 4095"),
    ({"linux": {"devices": device(major=-1)}}, "linux.devices[0].major", "expected 0 to 4095"),
    (
        {"linux": {"devices": device(minor=2**20)}},
        "linux.devices[0].minor",
        "expected 0 to 1048575",
    ),
    (
        {"linux": {"devices": device() + device(minor=1)}},
        "linux.devices[1].path",
        "already taken",
    ),
    (
        {"linux": {"namespaces": without("network"), "netDevices": {"eth0": {}}}},
        "linux.netDevices.eth0",
        "needs a network namespace",
    ),
    (
        {"linux": {"netDevices": {"sixteen-chars-xx": {}}}},
        "linux.netDevices.sixteen-chars-xx",
        "not the name",
    ),
    ({"linux": {"netDevices": {"..": {}}}}, "linux.netDevices...", "not the name"),
    ({"linux": {"netDevices": {"a b": {}}}}, "linux.netDevices.a b", "not the name"),
    (
        {"linux": {"netDevices": {"eth0": {"name": "a/b"}}}},
        "linux.netDevices.eth0.name",
        "not the name",
    ),
    (
        {"linux": {"netDevices": {"eth0": {"name": "a%s"}}}},
        "linux.netDevices.eth0.name",
        "not the name",
    ),
    (
        {"linux": {"netDevices": {"eth0": {"name": "a"}, "eth1": {"name": "a"}}}},
        "linux.netDevices.eth1.name",
        "a is taken",
    ),
    ({"linux": {"intelRdt": {"closID": "../x"}}}, "linux.intelRdt.closID", "without slashes"),
    ({"linux": {"intelRdt": {"closID": ".."}}}, "linux.intelRdt.closID", "without slashes"),
]


@pytest.mark.parametrize(("members", "path", "said"), BAD, ids=[case[1] for case in BAD])
def test_refuses(members: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_spec(spec_with(**members))
    assert caught.value.path == path
    assert said in caught.value.reason


@pytest.mark.parametrize("uid", [-1, 2**32 - 1, 2**32, 2**64])
@pytest.mark.parametrize("field", ["uid", "gid", "additional_gids"])
def test_ids_that_the_schema_has_not_seen_are_refused_too(field: str, uid: int) -> None:
    value = (0, uid) if field == "additional_gids" else uid
    process = Process(args=("sh",), user=User(**{field: value}))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"expected an id from 0 to {MAX_ID}, got {uid}"):
        check_process(process)


def test_limits_that_the_schema_has_not_seen_are_refused_too() -> None:
    limit = Rlimit(type="RLIMIT_CPU", soft=0, hard=2**64)
    with pytest.raises(ConfigError, match="above hard"):
        check_process(Process(args=("sh",), rlimits=(limit,)))


def test_a_config_without_process_passes() -> None:
    check_spec(Spec(oci_version="1.0.0", root=Root(path="/")))


@pytest.mark.parametrize("rootless", [False, True])
def test_the_default_config_passes(rootless: bool) -> None:
    check_spec(parsed(default_config(rootless, 1000, 1000)))


def test_the_example_passes() -> None:
    check_spec(parsed(EXAMPLE))


def test_each_rule_refuses_something() -> None:
    """A rule that no case above reaches would be dead, or untested."""
    silent = {rule.__name__ for rule in (*RULES, *PROCESS_RULES)}
    for members, _, _ in BAD:
        spec = spec_with(**members)
        for rule in RULES:
            try:
                rule(spec)
            except ConfigError:
                silent.discard(rule.__name__)
        assert spec.process is not None
        for process_rule in PROCESS_RULES:
            try:
                process_rule(spec.process)
            except ConfigError:
                silent.discard(process_rule.__name__)
    assert silent == set()
    assert set(LINUX_RULES) <= set(RULES)


def test_rules_leave_the_spec_alone() -> None:
    spec = parsed(EXAMPLE)
    assert replace(spec, mounts=(Mount(destination="/a"),)) != spec
    check_spec(spec)
    assert spec == parsed(EXAMPLE)
