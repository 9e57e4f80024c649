"""What people read about a config.json that the schema refuses."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pyoci.spec.accept import accept
from pyoci.spec.report import SHOWN_CHARACTERS, explain, json_path, shorten

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
EXAMPLE = json.loads((EXAMPLES / "config.json").read_text(encoding="utf-8"))
ABSENT = object()


def changed(path: str, value: object) -> dict[str, Any]:
    """The example with one value replaced; path as in messages, `value` ABSENT to delete."""
    config: dict[str, Any] = copy.deepcopy(EXAMPLE)
    *parents, last = path.replace("[", ".[").split(".")
    place: Any = config
    for step in parents:
        place = place[int(step[1:-1])] if step.startswith("[") else place[step]
    key: Any = int(last[1:-1]) if last.startswith("[") else last
    if value is ABSENT:
        del place[key]
    else:
        place[key] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("process.args[0]", 7, "process.args[0]: expected a string, got 7"),
        ("process.cwd", ABSENT, "process.cwd: required, but missing"),
        ("root", ABSENT, "root: required, but missing"),
        ("root.path", None, "root.path: expected a string, got null"),
        ("mounts", {}, "mounts: expected an array, got an object"),
        ("mounts[0]", [], "mounts[0]: expected an object, got an empty array"),
        ("process.terminal", "yes", 'process.terminal: expected true or false, got "yes"'),
        (
            "process.rlimits[0].soft",
            1.0,
            "process.rlimits[0].soft: expected an integer from 0 to 18446744073709551615, got 1.0",
        ),
        (
            "process.user.uid",
            4294967295,
            "process.user.uid: expected a user or group id from 0 to 4294967294, got 4294967295",
        ),
        (
            "process.rlimits[1].type",
            "NOFILE",
            'process.rlimits[1].type: expected a resource such as RLIMIT_NOFILE, got "NOFILE"',
        ),
        (
            "ociVersion",
            "1.0.0\n",
            r'ociVersion: expected a semantic version such as 1.3.0, got "1.0.0\n"',
        ),
        (
            "linux.devices[0].type",
            {},
            "linux.devices[0].type: expected a device type (c, b, u, p), got an object",
        ),
        (
            "linux.devices[0].major",
            ABSENT,
            "linux.devices[0]: expected major and minor, which every device but a fifo (type p)"
            " needs",
        ),
        (
            "linux.resources.rdma.mlx5_1",
            {},
            "linux.resources.rdma.mlx5_1: expected hcaHandles or hcaObjects",
        ),
        (
            "linux.seccomp.syscalls[0].names",
            [],
            "linux.seccomp.syscalls[0].names: expected at least 1 item, got an empty array",
        ),
        (
            "hooks.poststop[0].timeout",
            0,
            "hooks.poststop[0].timeout: expected a number of seconds, at least 1, got 0",
        ),
    ],
)
def test_message(path: str, value: object, said: str) -> None:
    config = changed(path, value)
    assert not accept(config)
    assert str(explain(config)) == said


def test_long_lists_of_words_are_cut_and_a_near_miss_is_named() -> None:
    path = "linux.seccomp.architectures[0]"
    error = explain(changed(path, "SCMP_ARCH_X86_65"))
    assert error.path == path
    assert error.reason.endswith('SCMP_ARCH_MIPS64N32, ...), got "SCMP_ARCH_X86_65"')
    assert error.hint == "did you mean SCMP_ARCH_X86_64?"


def test_the_document_itself() -> None:
    assert explain([]).message == "expected an object in config.json, got an empty array"


def test_message_is_one_printable_line() -> None:
    error = explain(changed("hostname", ["\x1b[31m\n"]))
    assert error.message == "hostname: expected a string, got an array"
    error = explain(changed("linux.mountLabel", 10**200))
    assert error.message.isprintable()
    assert error.message.endswith("...")


def test_without_jsonschema_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    error = explain({})
    assert error.message == "config.json does not match its schema"
    assert "python3-jsonschema" in error.hint


def test_deep_nesting_gives_no_traceback() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    error = explain(changed("process.args", deep))
    assert error.message == "config.json does not match its schema"
    assert "nested too deeply" in error.hint
    while deep:  # the interpreter's own way of freeing it would be recursive on some versions
        deep = deep.pop()


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        (("process", "args", 0), "process.args[0]"),
        (("annotations", "a.b"), 'annotations["a.b"]'),
        (("é", "x"), '["\\u00e9"].x'),
        ((), ""),
    ],
)
def test_json_path(steps: tuple[str | int, ...], path: str) -> None:
    assert json_path(steps) == path


def test_shorten_escapes_and_cuts() -> None:
    assert shorten("\x1b[31m\n") == r'"\u001b[31m\n"'
    assert len(shorten("x" * 1000)) == SHOWN_CHARACTERS
    assert shorten(None) == "null"
