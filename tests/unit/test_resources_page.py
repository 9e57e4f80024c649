"""docs/resources.md says of every key what is so: the schema, the plan and the tests agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pyoci.plan.cgroup.resources import plan_resources

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "resources.md"
SCHEMA = json.loads((TESTS.parent / "schemas" / "config.schema.json").read_text())

AT = {"major": 8, "minor": 0}

# What is planned for the first key of each row.
SAMPLES: dict[str, dict[str, Any]] = {
    "memory.limit": {"memory": {"limit": 8192}},
    "memory.reservation": {"memory": {"reservation": 8192}},
    "memory.swap": {"memory": {"limit": 8192, "swap": 16384}},
    "memory.checkBeforeUpdate": {"memory": {"checkBeforeUpdate": True}},
    "memory.kernel": {
        "memory": {
            "kernel": 1,
            "kernelTCP": 1,
            "swappiness": 1,
            "disableOOMKiller": True,
            "useHierarchy": False,
        }
    },
    "cpu.shares": {"cpu": {"shares": 2}},
    "cpu.quota": {"cpu": {"quota": 1000}},
    "cpu.period": {"cpu": {"period": 1000}},
    "cpu.burst": {"cpu": {"burst": 1}},
    "cpu.idle": {"cpu": {"idle": 1}},
    "cpu.cpus": {"cpu": {"cpus": "0"}},
    "cpu.mems": {"cpu": {"mems": "0"}},
    "cpu.realtimeRuntime": {"cpu": {"realtimeRuntime": 1, "realtimePeriod": 1}},
    "pids.limit": {"pids": {"limit": 1}},
    "blockIO.weight": {"blockIO": {"weight": 10}},
    "blockIO.weightDevice[].weight": {"blockIO": {"weightDevice": [AT | {"weight": 10}]}},
    **{
        f"blockIO.{name}[].rate": {"blockIO": {name: [AT | {"rate": 1}]}}
        for name in (
            *("throttleReadBpsDevice", "throttleWriteBpsDevice"),
            *("throttleReadIOPSDevice", "throttleWriteIOPSDevice"),
        )
    },
    "blockIO.leafWeight": {
        "blockIO": {"leafWeight": 10, "weightDevice": [AT | {"leafWeight": 10}]}
    },
    "hugepageLimits[].limit": {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]},
    "rdma.*.hcaHandles": {"rdma": {"a": {"hcaHandles": 1, "hcaObjects": 1}}},
    "network.classID": {"network": {"classID": 1, "priorities": [{"name": "a", "priority": 1}]}},
}
# The two whose files are not names.
OTHERS = {"unified.*": "the key", "devices[].allow": "an eBPF program"}


def read_rows() -> dict[str, tuple[list[str], str, list[str]]]:
    """Of each row, by its first key: all keys, the cell of files, the tests."""
    rows = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            keys, tests = (re.findall(r"`([^`]+)`", cells[place]) for place in (0, 3))
            rows[keys[0]] = (keys, cells[1], tests)
    return rows


ROWS = read_rows()


def schema_keys(node: dict[str, Any], path: str = "") -> list[str]:
    """The path of each value that the schema lets linux.resources have."""
    if "$ref" in node:
        node = SCHEMA["definitions"][node["$ref"].removeprefix("#/definitions/")]
    dot = f"{path}." if path else ""
    found = [
        key
        for name, child in node.get("properties", {}).items()
        for key in schema_keys(child, dot + name)
    ]
    if "items" in node:
        found += schema_keys(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        found += schema_keys(node["additionalProperties"], f"{dot}*")
    return found or [path]


def test_every_key_of_the_schema_is_in_the_table_once() -> None:
    keys = [key for row in ROWS.values() for key in row[0]]
    assert sorted(keys) == sorted(schema_keys(SCHEMA["definitions"]["resources"]))


def key_of(config_path: str) -> str:
    """The key of a sample's path: of a list's entry, or of the device a."""
    return config_path.removeprefix("linux.resources.").replace("[0]", "[]").replace(".a", ".*")


@pytest.mark.parametrize("key", ROWS)
def test_every_test_exists(key: str) -> None:
    tests = ROWS[key][2]
    assert tests
    for test in tests:
        file, _, name = test.partition("::")
        assert f"\ndef {name}(" in (TESTS / file).read_text(), test


@pytest.mark.parametrize("key", [key for key in ROWS if key not in OTHERS])
def test_the_files_are_those_that_are_written(key: str) -> None:
    plan = plan_resources(SAMPLES[key])
    keys, files, _ = ROWS[key]
    own = {write.file for write in plan.writes if key.startswith(key_of(write.config_path))}
    assert own == set(re.findall(r"`([^`]+)`", files))
    if not plan.writes and key != "memory.checkBeforeUpdate":
        assert files == "none"
        sections = {re.sub(r"\[\]\.\w+$", "", name) for name in keys}
        noted = {re.sub(r"\[\d+\].*", "", note.split(": ")[0]) for note in plan.notes}
        assert noted == {f"linux.resources.{section}" for section in sections}


@pytest.mark.parametrize("key", OTHERS)
def test_the_rows_without_a_file_of_a_fixed_name(key: str) -> None:
    assert ROWS[key][1] == OTHERS[key]


def test_other_files_that_the_page_names_exist() -> None:
    named = re.findall(r"`((?:tests/)?(?:root|vm|unit)/\w+\.py)`", PAGE.read_text())
    assert len(named) >= 4
    for name in named:
        assert (TESTS / name.removeprefix("tests/")).is_file(), name
