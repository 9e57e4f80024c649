"""Inputs for the targets: good ones, and what becomes of them when they are changed at random.

JSON is changed as a tree, so that what comes out gets past the scanner; then sometimes as bytes.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyoci.cli import options
from pyoci.plan.seccomp.compile import KNOWN_FLAGS
from pyoci.plan.seccomp.profile import ACTIONS, OPERATORS
from pyoci.spec.defaults import default_config
from tests.fuzz.targets import SEPARATOR
from tests.support.seccomp_profiles import ALL_NAMES, ARCHES_OF_SPEC

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Make = Callable[[Random], bytes]

ROOT = Path(__file__).parents[2]
MAX_BYTES = 1 << 16

INTEGERS = (
    *(-1, 0, 1, 2, 255, 4095, 4096, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 2**32),
    *(2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**70, -(2**31), -(2**63), -(2**63) - 1, 10**4400),
)
TEXTS = (
    *(
        "",
        "/",
        "..",
        ".",
        "a/../..",
        "/proc",
        "/dev/./pts/",
        "\0",
        "\ud800",
        "\udc80",
        "é",
        "\u202e",
    ),
    *(
        "a=b",
        "=",
        "=x",
        "a" * 300,
        "a" * 5000,
        "/" * 300,
        "0",
        "-1",
        "4294967295",
        "1e5",
        "ro",
        "bind",
    ),
    *(
        "user",
        "mount",
        "SCMP_ACT_NOTIFY",
        "CAP_SYS_ADMIN",
        "RLIMIT_CORE",
        "0-3",
        "0-",
        "1,,2",
        "\n",
    ),
    *("unconfined", "x:y:z:s0:c1,c2", "%s", "{}", "tmpfs", "proc", "rshared", "idmap", "MPOL_BIND"),
)
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    1.5,
    1e300,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    *INTEGERS,
    *TEXTS,
)


# --- trees


def mutate_tree(random: Random, value: Any, words: list[str]) -> Any:  # noqa: ANN401  (JSON)
    """The value with one change somewhere in it; it may be changed itself."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        return mutate_object(random, value, words)
    if isinstance(value, list) and value and random.random() < 0.9:
        return mutate_array(random, value, words)
    if isinstance(value, str) and random.random() < 0.5:
        return mutate_text(random, value)
    if isinstance(value, int) and random.random() < 0.5:
        return value + random.choice((-1, 1, 2**32, -(2**32), 1 << random.randrange(64)))
    if random.random() < 0.02:
        return nest(random.choice((40, 250, 260, 3000)))
    return random.choice(ODD)


def mutate_object(random: Random, value: dict[str, Any], words: list[str]) -> dict[str, Any]:
    name = random.choice(sorted(value))
    chance = random.random()
    if chance < 0.1:
        del value[name]
    elif chance < 0.2:
        value[random.choice(words)] = random.choice((*ODD, value[name]))
    elif chance < 0.25:
        value[mutate_text(random, name)] = value.pop(name)
    else:
        value[name] = mutate_tree(random, value[name], words)
    return value


def mutate_array(random: Random, value: list[Any], words: list[str]) -> list[Any]:
    at = random.randrange(len(value))
    chance = random.random()
    if chance < 0.1:
        del value[at]
    elif chance < 0.25:
        value.insert(random.randrange(len(value) + 1), value[at])
    elif chance < 0.3:
        value += value[: random.randrange(40)] * random.randrange(1, 8)
        del value[4000:]
    else:
        made = mutate_tree(random, value[at], words)
        value[at : at + 1] = [made]  # it may have become shorter: a part of it can be itself
    return value


def mutate_text(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    end = at + random.randrange(3)
    return (
        text[:at]
        + random.choice(("", "/", "\0", "é", "\ud800", " ", "9", "=", ",", "A"))
        + text[end:]
    )


def nest(depth: int) -> Any:  # noqa: ANN401  (JSON)
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def mutate_bytes(random: Random, data: bytes) -> bytes:
    """A few changes of bytes, wherever they fall."""
    made = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(made) + 1)
        chance = random.random()
        if chance < 0.3:
            made[at : at + random.randrange(1, 20)] = b""
        elif chance < 0.6:
            made[at:at] = random.randbytes(random.randrange(1, 4))
        elif chance < 0.8:
            made[at : at + 1] = random.choice((b"[", b"{", b'"', b"\\u", b"\0", b"\xff", b"9" * 20))
        else:
            made[at:at] = made[random.randrange(len(made) + 1) :][: random.randrange(200)]
    return bytes(made[:MAX_BYTES])


def collect_words(value: object) -> set[str]:
    """The names of all members: the vocabulary for new ones."""
    if isinstance(value, dict):
        return set(value).union(*[collect_words(item) for item in value.values()])
    return (
        set().union(*[collect_words(item) for item in value]) if isinstance(value, list) else set()
    )


def make_json(random: Random, seeds: list[Any]) -> bytes:
    value = copy.deepcopy(random.choice(seeds))
    words = sorted(set().union(*[collect_words(seed) for seed in seeds]) | {""})
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 5, 9))):
        value = mutate_tree(random, value, words)
    # Lone surrogates only get in as escapes.
    text = dump(value, ascii_only=random.random() < 0.8).encode("utf-8", "surrogatepass")
    return mutate_bytes(random, text) if random.random() < 0.15 else text[:MAX_BYTES]


def dump(value: object, *, ascii_only: bool) -> str:
    try:
        return json.dumps(value, ensure_ascii=ascii_only)
    except (ValueError, RecursionError):  # more digits than Python writes, or deep nesting
        return '{"a": 1' + "0" * 4400 + "}" if isinstance(value, dict) else "[" * 3000 + "]" * 3000


# --- what each target takes


def read_configs() -> list[Any]:
    files = [ROOT / "schemas/examples/config.json", *ROOT.glob("tests/golden/plans/*.json")]
    made = [json.loads(path.read_text()) for path in sorted(files)]
    return [*made, default_config(rootless=False, uid=0, gid=0), default_config(True, 1000, 1000)]


CONFIGS = read_configs()
PROCESSES = [config["process"] for config in CONFIGS if "process" in config]
RESOURCES = [r for config in CONFIGS if (r := (config.get("linux") or {}).get("resources"))]
STATE = {
    "id": "fuzzed", "ociVersion": "1.2.0", "init_process_pid": 1, "init_process_start": 3,
    "created": "2026-01-01T00:00:00Z", "cgroup_paths": {"": "/sys/fs/cgroup/x"}, "bundle": "/b",
    "rootfs": "/b/rootfs", "annotations": {"a": "b"},
    "pyoci": {
        "being_created": False, "cgroups_made": ["/sys/fs/cgroup/x"], "creator_pid": 4,
        "creator_start": 5, "own_pid_namespace": True,
    },
}  # fmt: skip


def make_config(random: Random) -> bytes:
    return make_json(random, CONFIGS)


def make_process(random: Random) -> bytes:
    return make_json(random, PROCESSES)


def make_resources(random: Random) -> bytes:
    had = make_json(random, RESOURCES) + SEPARATOR if random.random() < 0.5 else b""
    return had + make_json(random, RESOURCES)


def make_state(random: Random) -> bytes:
    """Most of the time one of the two files is as it should be."""
    state = copy.deepcopy(STATE)
    if random.random() < 0.5:  # a process that is there, so that more is looked at
        pid = random.choice((1, 2))
        state |= {"init_process_pid": pid, "init_process_start": read_start_time(pid)}
    config = random.choice(CONFIGS)
    changed = random.random()
    first = make_json(random, [state]) if changed < 0.7 else json.dumps(state).encode()
    second = make_json(random, [config]) if changed > 0.5 else json.dumps(config).encode()
    return first + SEPARATOR + second


def read_start_time(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def make_seccomp(random: Random) -> bytes:
    """A profile of random rules, or one of Docker's shape with a change."""
    profile: dict[str, Any] = {
        "defaultAction": random.choice(sorted(ACTIONS)),
        "architectures": random.sample(ARCHES_OF_SPEC, random.randrange(5)),
        "flags": random.sample(KNOWN_FLAGS, random.randrange(3)),
        "syscalls": [make_rule(random) for _ in range(random.choice((0, 1, 3, 8, 60)))],
    }
    if random.random() < 0.2:
        profile["listenerPath"] = "/run/s"
    if random.random() < 0.2:
        profile["defaultErrnoRet"] = random.choice((1, 38, 4095, 4096, 65536))
    return make_json(random, [profile]) if random.random() < 0.5 else json.dumps(profile).encode()


def make_rule(random: Random) -> dict[str, Any]:
    names = random.sample(ALL_NAMES, random.choice((1, 1, 2, 5, 80, 400)))
    rule: dict[str, Any] = {"names": names, "action": random.choice(sorted(ACTIONS))}
    if random.random() < 0.4:
        rule["args"] = [make_condition(random) for _ in range(random.choice((1, 1, 2, 3, 6, 40)))]
    if random.random() < 0.2:
        rule["errnoRet"] = random.choice((0, 1, 38, 4095, 4096))
    return rule


def make_condition(random: Random) -> dict[str, Any]:
    value = random.choice((random.randrange(10), random.getrandbits(32), random.getrandbits(64)))
    return {
        "index": random.randrange(6),
        "value": value,
        "valueTwo": random.choice((0, value, random.getrandbits(64))),
        "op": random.choice(sorted(OPERATORS)),
    }


def make_argv(random: Random) -> bytes:
    """A command line of the table's words, some of them changed."""
    words: list[str] = []
    if random.random() < 0.3:
        words += make_use(random, options.GLOBAL_OPTIONS)
    command = random.choice(sorted(options.COMMANDS))
    words.append(command)
    rows = options.COMMANDS[command][4]
    for _ in range(random.randrange(5) if rows else 0):
        words += make_use(random, rows)
    words += [random.choice((*TEXTS, "id", "9", "KILL")) for _ in range(random.randrange(4))]
    if random.random() < 0.3:
        at = random.randrange(len(words))
        words[at] = mutate_text(random, words[at])
    data = "\0".join(words).encode("utf-8", "surrogatepass")
    return mutate_bytes(random, data) if random.random() < 0.3 else data


def make_use(random: Random, rows: tuple[options.OptionRow, ...]) -> list[str]:
    name, short, kind, *_, metavar, _ = random.choice(rows)
    spelled = random.choice(("-", "--")) + random.choice((name, short or name))
    value = random.choice(
        (*TEXTS, "1", "true", "5s", "64M", "99999999999999999999", *metavar.split("|"))
    )
    if kind == options.FLAG and random.random() < 0.7:
        return [spelled]
    return [f"{spelled}={value}"] if random.random() < 0.5 else [spelled, value]


def make_accounts(random: Random) -> bytes:
    words = (
        "root",
        "0",
        "1000",
        "user:root",
        "user",
        "4294967295",
        "1:2",
        ":",
        "é",
        "a:b:c",
        "\uff11",
    )
    word = random.choice(words)
    passwd = b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"
    group = b"root:x:0:\nuser:x:1000:root,user\nboth:x:5:root,user\n"
    texts = [
        part if random.random() < 0.3 else mutate_bytes(random, part) for part in (passwd, group)
    ]
    name = word if random.random() < 0.7 else mutate_text(random, word)
    return SEPARATOR.join([name.encode("utf-8", "surrogatepass"), *texts])


MAKERS: dict[str, Make] = {
    "config": make_config,
    "argv": make_argv,
    "seccomp": make_seccomp,
    "state": make_state,
    "process": make_process,
    "resources": make_resources,
    "accounts": make_accounts,
}
