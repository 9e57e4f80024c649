"""The Features structure: valid, and true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pyoci.errors import ConfigError
from pyoci.plan.features import plan_features
from pyoci.plan.steps import DropBounding, OpenSource
from pyoci.record import fields
from tests.support.planning import NAMESPACES, make_config, plan_config

SCHEMAS = Path(__file__).parents[3] / "schemas"
FEATURES = plan_features()
LINUX: dict[str, Any] = FEATURES["linux"]


def plan_linux(**linux: object) -> None:
    plan_config(make_config(linux={"namespaces": [{"type": "mount"}], **linux}))


def plan_rule(**rule: object) -> None:
    rules = [{"names": ["times"], "action": "SCMP_ACT_ALLOW", **rule}]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules, "listenerPath": "/agent"}
    plan_linux(seccomp=profile)


def test_valid() -> None:
    schema = json.loads((SCHEMAS / "features.schema.json").read_text())
    jsonschema.Draft4Validator(schema).validate(json.loads(json.dumps(FEATURES)))


def test_no_member_that_the_schema_does_not_know() -> None:
    definitions = json.loads((SCHEMAS / "features.schema.json").read_text())["definitions"]
    assert set(LINUX) == set(definitions["linux"]["properties"])
    for name in ("cgroup", "seccomp"):
        assert set(LINUX[name]) == set(definitions[name]["properties"])


@pytest.mark.parametrize("version", ["ociVersionMin", "ociVersionMax"])
def test_versions_are_accepted(version: str) -> None:
    plan_config(make_config(ociVersion=FEATURES[version]))


def test_every_hook_is_run() -> None:
    hooks = {name: [{"path": f"/{name}"}] for name in FEATURES["hooks"]}
    planned = plan_config(make_config(hooks=hooks)).hooks
    paths = [hook.path for kind in fields(planned) for hook in getattr(planned, kind)]
    assert paths == [f"/{name}" for name in FEATURES["hooks"]]


@pytest.mark.parametrize("word", ["idmap", "ridmap"])
def test_id_mapped_mounts_are_made(word: str) -> None:
    assert word in FEATURES["mountOptions"]
    assert LINUX["mountExtensions"] == {"idmap": {"enabled": True}}
    maps = [{"containerID": 0, "hostID": 7, "size": 1}]
    mount = {"destination": "/m", "source": "/s", "options": ["bind", word]}
    mapped = {**mount, "uidMappings": maps, "gidMappings": maps}
    (source,) = [
        step
        for step in plan_config(make_config(mounts=[mapped])).before
        if isinstance(step, OpenSource)
    ]
    assert source.id_map is not None
    assert source.id_map.recursive is (word == "ridmap")


@pytest.mark.parametrize("word", sorted({*FEATURES["mountOptions"]} - {"idmap", "ridmap"}))
def test_mount_options_are_not_handed_to_the_filesystem(word: str) -> None:
    mount = {"destination": "/m", "type": "tmpfs", "source": "tmpfs", "options": [word]}
    plan = plan_config(make_config(mounts=[mount]))
    steps = [step for step in plan.init if getattr(step, "destination", "") == "/m"]
    names = [name for step in steps for name, _ in getattr(step, "parameters", ())]
    superblock = {"sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime", "ro"}
    assert set(names) <= {word} & superblock


def test_an_option_that_is_the_filesystems_is_not_claimed() -> None:
    assert "size=1k" not in FEATURES["mountOptions"]
    mount = {"destination": "/m", "type": "tmpfs", "source": "tmpfs", "options": ["size=1k"]}
    plan = plan_config(make_config(mounts=[mount]))
    assert any(getattr(step, "parameters", ()) == (("size", "1k"),) for step in plan.init)


def test_every_namespace_can_be_new() -> None:
    maps = [{"containerID": 0, "hostID": 100000, "size": 10}]
    kinds = [{"type": kind} for kind in LINUX["namespaces"]]
    assert {kind["type"] for kind in kinds} > set(NAMESPACES)
    plan_config(make_config(linux={"namespaces": kinds, "uidMappings": maps, "gidMappings": maps}))


def test_capabilities_are_known() -> None:
    config = make_config()
    config["process"]["capabilities"] = {"bounding": LINUX["capabilities"]}
    plan = plan_config(config)
    assert plan.warnings == ()
    (keep,) = (step.keep for step in plan.init if isinstance(step, DropBounding))
    assert keep == (1 << len(LINUX["capabilities"])) - 1


@pytest.mark.parametrize("action", LINUX["seccomp"]["actions"])
def test_seccomp_actions(action: str) -> None:
    plan_rule(action=action)


@pytest.mark.parametrize("op", LINUX["seccomp"]["operators"])
def test_seccomp_operators(op: str) -> None:
    plan_rule(args=[{"index": 0, "value": 1, "op": op}])


def test_seccomp_architectures_and_flags() -> None:
    seccomp = LINUX["seccomp"]
    for flags in (seccomp["knownFlags"], seccomp["supportedFlags"]):
        plan_linux(
            seccomp={
                "defaultAction": "SCMP_ACT_ALLOW",
                "architectures": seccomp["archs"],
                "flags": flags,
            }
        )
    with pytest.raises(ConfigError):
        plan_linux(
            seccomp={"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NATIVE"]}
        )


def test_rdma() -> None:
    config = {"rdma": {"mlx5_0": {"hcaHandles": 3}}}
    plan = plan_config(make_config(linux={"resources": config}))
    assert any(getattr(step, "file", "") == "rdma.max" for step in plan.limits)


def test_memory_policies() -> None:
    policy = LINUX["memoryPolicy"]
    for mode in policy["modes"]:
        nodes = "" if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else "0"
        plan_linux(memoryPolicy={"mode": mode, "nodes": nodes})
    for flag in policy["flags"]:
        plan_linux(memoryPolicy={"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]})
