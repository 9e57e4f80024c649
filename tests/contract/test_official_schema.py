"""Our schema against the official one: the same verdict on each change, or a known difference.

The official schema is that of golang-github-opencontainers-specs-dev, which is older than the
specification we follow, and on purpose looser than its text in places.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pyoci.spec.accept import accept
from pyoci.spec.report import schema_validator

OFFICIAL = Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")
SCHEMAS = Path(__file__).parents[2] / "schemas"
EXAMPLE = json.loads((SCHEMAS / "examples" / "config.json").read_text(encoding="utf-8"))

JsonPath = tuple[str | int, ...]
Error = jsonschema.ValidationError

OTHER_PLATFORMS = {"windows", "solaris", "zos", "vm", "freebsd"}
# Members that came after the packaged schema.
NEWER = {
    "process.ioPriority",
    "process.scheduler",
    "process.execCPUAffinity",
    "linux.netDevices",
    "linux.timeOffsets",
    "linux.memoryPolicy",
    "linux.intelRdt.schemata",
    "linux.intelRdt.enableMonitoring",
    "freebsd",
}


@dataclass
class Difference:
    """What only one schema refuses, and why."""

    refuser: str
    reason: str
    applies: Callable[[str, Error], bool]
    seen: list[str] = field(default_factory=list)


def at(*paths: str, keyword: str = "") -> Callable[[str, Error], bool]:
    """An error at one of the paths (indices left out), by that keyword."""
    return lambda path, error: path in paths and keyword in {"", str(error.validator)}


def missing(path: str, *names: str) -> Callable[[str, Error], bool]:
    """An error that one of these members is not there."""
    return lambda at_path, error: (
        at_path == path
        and error.validator == "required"
        and any(name in error.message for name in names)
    )


def word(path: str, *words: str) -> Callable[[str, Error], bool]:
    """An error that one of these words is not among those of an enum."""
    return lambda at_path, error: (
        at_path == path and error.validator == "enum" and error.instance in words
    )


def newer(path: str, _: Error) -> bool:
    """An error in what the packaged schema does not know."""
    return any(path == member or path.startswith(f"{member}.") for member in NEWER)


DIFFERENCES = [
    Difference(
        "official",
        "null stands for an absent object, array or optional number in what Go programs write",
        lambda _, error: error.validator == "type" and error.instance is None,
    ),
    Difference(
        "official",
        "sections of other platforms are none of a Linux runtime's business",
        lambda path, _: path.partition(".")[0] in OTHER_PLATFORMS,
    ),
    Difference(
        "official",
        "time namespaces came with 1.1",
        word("linux.namespaces.type", "time"),
    ),
    Difference(
        "official",
        "architectures that came with libseccomp 2.6 and runtime-spec 1.3",
        word(
            "linux.seccomp.architectures",
            "SCMP_ARCH_LOONGARCH64",
            "SCMP_ARCH_M68K",
            "SCMP_ARCH_SH",
            "SCMP_ARCH_SHEB",
        ),
    ),
    Difference(
        "official",
        "containerd writes rslave and rshared, which runc and crun take",
        word("linux.rootfsPropagation", "rprivate", "rshared", "rslave", "runbindable"),
    ),
    Difference(
        "official",
        "pids.limit has been optional since 1.3",
        missing("linux.resources.pids", "limit"),
    ),
    Difference(
        "official",
        "fileMode is a uint32 in the text: engines write the type of the file into it",
        at("linux.devices.fileMode", keyword="maximum"),
    ),
    Difference(
        "official",
        "enableCMT and enableMBM were withdrawn in 1.3, so they are unknown properties",
        at("linux.intelRdt.enableCMT", "linux.intelRdt.enableMBM"),
    ),
    Difference("ours", "the packaged schema does not know these members yet", newer),
    Difference("ours", "root is required on Linux (config.md, Root)", missing("", "root")),
    Difference(
        "ours",
        "uid and gid are required (config.md, POSIX-platform User)",
        missing("process.user", "uid", "gid"),
    ),
    Difference(
        "ours",
        "rate is required (config-linux.md, Block IO)",
        lambda path, error: (
            path.startswith("linux.resources.blockIO.throttle")
            and missing(path, "rate")(path, error)
        ),
    ),
    Difference(
        "ours",
        "one of weight and leafWeight is needed (config-linux.md, Block IO)",
        at("linux.resources.blockIO.weightDevice", keyword="anyOf"),
    ),
    Difference(
        "ours",
        "one of hcaHandles and hcaObjects is needed (config-linux.md, RDMA)",
        at("linux.resources.rdma.mlx5_1", keyword="anyOf"),
    ),
    Difference(
        "ours",
        "major and minor are required but for a fifo (config-linux.md, Devices)",
        at("linux.devices", keyword="anyOf"),
    ),
    Difference(
        "ours",
        "personality.domain is required (config-linux.md, Personality)",
        missing("linux.personality", "domain"),
    ),
    Difference(
        "ours",
        "4294967295 is no id: it means no change to the kernel",
        lambda path, error: (
            error.instance == 4294967295
            and path.rpartition(".")[2] in {"uid", "gid", "additionalGids", "containerID", "hostID"}
        ),
    ),
    Difference(
        "ours",
        "ociVersion must be a semantic version (config.md, Specification version)",
        at("ociVersion", keyword="pattern"),
    ),
    Difference(
        "ours",
        "types of device rules are a, c and b (config-linux.md, Allowed Device list)",
        at("linux.resources.devices.type", keyword="enum"),
    ),
    Difference(
        "ours",
        "access is composed of r, w and m (config-linux.md, Allowed Device list)",
        at("linux.resources.devices.access", keyword="pattern"),
    ),
    Difference(
        "ours",
        "swappiness goes to 100 (config-linux.md, Memory)",
        at("linux.resources.memory.swappiness", keyword="maximum"),
    ),
    Difference(
        "ours",
        "integers without bounds in the packaged schema are of Go's type int",
        at("process.oomScoreAdj", "hooks.prestart.timeout"),
    ),
]

VALUES: list[Any] = [
    *(None, True, 0, 1, -1, 1.0, 101, 512, 2**31, 2**32 - 1, 2**32, 2**63, 2**64),
    *("", "x", "1.0.0", [], [None], ["x"], [1], {}, {"x": "y"}, {"x": 1}),
]
EXTRA = {"linux.intelRdt": ("enableCMT", "enableMBM"), "process": ("unknown",)}


@cache
def official() -> jsonschema.Draft4Validator:
    """A validator of the official schema in one piece: no library's way to resolve is shared."""
    files = {file.name: json.loads(file.read_text()) for file in OFFICIAL.glob("*.json")}

    def inlined(schema: object, name: str) -> object:
        if isinstance(schema, list):
            return [inlined(item, name) for item in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            file, _, pointer = schema["$ref"].partition("#")
            target: Any = files[file or name]
            for step in pointer.strip("/").split("/"):
                target = target[step]
            return inlined(target, file or name)
        return {key: inlined(item, name) for key, item in schema.items()}

    whole: Any = inlined(files["config-schema.json"], "config-schema.json")
    return jsonschema.Draft4Validator(whole)


def branches() -> Iterator[tuple[dict[str, Any], JsonPath]]:
    """Small configs that together hold the example, each with the path of its own part."""
    for name, value in EXAMPLE.items():
        if name not in {"linux", "process"}:
            yield {"ociVersion": "1.0.0", "root": {"path": "r"}, name: value}, (name,)
    base: dict[str, Any] = {"ociVersion": "1.0.0", "root": {"path": "r"}}
    for name, value in EXAMPLE["process"].items():
        yield {**base, "process": {"cwd": "/", name: value}}, ("process", name)
    for name, value in EXAMPLE["linux"].items():
        if name != "resources":
            yield {**base, "linux": {name: value}}, ("linux", name)
    for name, value in EXAMPLE["linux"]["resources"].items():
        yield {**base, "linux": {"resources": {name: value}}}, ("linux", "resources", name)


def paths(value: object, path: JsonPath) -> Iterator[JsonPath]:
    """The path of each value, of arrays only of the first two items."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from paths(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value[:2]):
            yield from paths(item, (*path, index))


@cache
def alternatives(word: str) -> tuple[str, ...]:
    """If the word is one of an enum of ours, all words of that enum."""
    for words in enums(schema_validator().schema):
        if word in words:
            return tuple(words)
    return ()


def enums(schema: object) -> Iterator[list[str]]:
    """Every list of words in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("enum"), list):
            yield schema["enum"]
        for item in schema.values():
            yield from enums(item)


def mutants() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every single change: a member deleted, added, or replaced by each value; with its name."""
    for config, start in branches():
        parts = {path for size in range(1, len(start)) for path in [start[:size]]}
        inside: Any = config
        for step in start:
            inside = inside[step]
        for path in [*sorted(parts), *paths(inside, start)]:
            yield from changes(config, path)


def changes(config: dict[str, Any], path: JsonPath) -> Iterator[tuple[str, dict[str, Any]]]:
    """The changes of one place."""
    *parents, key = path

    def changed() -> tuple[dict[str, Any], Any]:
        mutant: Any = copy.deepcopy(config)
        place = mutant
        for step in parents:
            place = place[step]
        return mutant, place

    name = dotted(path)
    mutant, place = changed()
    old = place[key]
    del place[key]
    yield f"{name} deleted", mutant
    for value in [*VALUES, *(alternatives(old) if isinstance(old, str) else ())]:
        mutant, place = changed()
        place[key] = copy.deepcopy(value)
        yield f"{name} = {value!r}", mutant
    for extra in EXTRA.get(name, ()):
        mutant, place = changed()
        place[key][extra] = "x"
        yield f"{name}.{extra} added", mutant


def dotted(path: JsonPath) -> str:
    """A path without its indices."""
    return ".".join(step for step in path if isinstance(step, str))


def leaves(error: Error) -> list[Error]:
    """The error, or if it wraps one single alternative, what that says."""
    ways: Any = error.validator_value
    return list(error.context) if len(ways) == 1 else [error]


def errors_of(validator: Any, config: object) -> Iterator[tuple[str, Error]]:  # noqa: ANN401
    """The errors of a refusal with their paths."""
    for error in validator.iter_errors(config):
        for leaf in leaves(error) if error.validator == "anyOf" else [error]:
            yield dotted(tuple(leaf.absolute_path)), leaf


def unexplained(name: str, config: dict[str, Any]) -> list[str]:
    """What one schema says against the config if the other takes it, less what is known."""
    ours, theirs = accept(config), official().is_valid(config)
    if ours == theirs:
        return []
    refuser = "official" if ours else "ours"
    strange = []
    for path, error in errors_of(official() if ours else schema_validator(), config):
        known = [d for d in DIFFERENCES if d.refuser == refuser and d.applies(path, error)]
        for difference in known:
            difference.seen.append(name)
        if not known:
            strange.append(f"{name}: refused by {refuser} only: {path}: {error.message}")
    return strange


@pytest.mark.skipif(
    not OFFICIAL.is_dir(), reason="golang-github-opencontainers-specs-dev is not installed"
)
def test_verdicts_differ_only_where_we_know_why() -> None:
    strange = []
    count = 0
    for name, config in mutants():
        count += 1
        strange += unexplained(name, config)
    assert count > 3000
    assert strange == []
    assert [d.reason for d in DIFFERENCES if not d.seen] == [], "no longer a difference"


@pytest.mark.parametrize("name", ["config", "state", "features"])
def test_our_schemas_are_schemas(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator.check_schema(schema)


STATE = {"ociVersion": "1.3.0", "id": "web", "status": "running", "pid": 7, "bundle": "/b"}
FEATURES = {
    "ociVersionMin": "1.0.0",
    "ociVersionMax": "1.3.0",
    "hooks": ["prestart"],
    "linux": {
        "namespaces": ["pid"],
        "capabilities": ["CAP_KILL"],
        "cgroup": {"v1": False, "v2": True},
        "seccomp": {"enabled": True, "actions": None},
        "mountExtensions": {"idmap": {"enabled": True}},
        "memoryPolicy": {"modes": ["MPOL_BIND"]},
    },
    "annotations": {},
}


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("state", STATE, True),
        ("state", {**STATE, "annotations": {"a": "b"}, "owner": ""}, True),
        ("state", {**STATE, "status": "paused"}, True),
        ("state", {**STATE, "status": "gone"}, False),
        ("state", {**STATE, "pid": "7"}, False),
        ("state", {**STATE, "bundle": "b"}, False),
        ("state", {key: STATE[key] for key in STATE if key != "pid"}, False),
        ("state", {key: STATE[key] for key in STATE if key != "pid"} | {"status": "stopped"}, True),
        ("features", FEATURES, True),
        ("features", {"ociVersionMin": "1.0.0"}, False),
        ("features", {**FEATURES, "linux": {"namespaces": ["net"]}}, False),
        ("features", {**FEATURES, "linux": {"capabilities": ["kill"]}}, False),
        ("features", {**FEATURES, "linux": {"apparmor": {"enabled": "yes"}}}, False),
    ],
)
def test_state_and_features(name: str, value: dict[str, Any], valid: bool) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert jsonschema.Draft4Validator(schema).is_valid(value) == valid
