"""Resources that cannot be are refused by their key before anything is done, by both commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyoci.errors import ConfigError
from pyoci.host.resources import read_resources
from pyoci.plan.cgroup.merge import merge_resources, parse_given, select_changes
from pyoci.plan.cgroup.resources import plan_resources
from tests.support.bad_resources import DEVICES, NUMBERS, REFUSED, Bad
from tests.support.planning import make_config, plan_config
from tests.unit.test_resources_page import SCHEMA, schema_keys


@pytest.mark.parametrize("bad", REFUSED + DEVICES)
def test_create(bad: Bad) -> None:
    key, resources = bad
    linux = {"namespaces": [{"type": "mount"}], "resources": resources}
    with pytest.raises(ConfigError) as caught:
        plan_config(make_config(linux=linux))
    assert caught.value.path == f"linux.resources.{key}"


@pytest.mark.parametrize("bad", REFUSED)
def test_update(bad: Bad, tmp_path: Path) -> None:
    key, resources = bad
    file = tmp_path / "resources.json"
    file.write_text(json.dumps(resources))
    with pytest.raises(ConfigError) as caught:
        plan_update(file)
    assert caught.value.path == f"linux.resources.{key}"


def plan_update(file: Path) -> None:
    """Plan as `update --resources FILE` does."""
    given = parse_given(read_resources(str(file)))
    plan_resources(select_changes(merge_resources({}, given), given))


def test_every_number_has_its_bad_values() -> None:
    tried = {key for key, _ in REFUSED + DEVICES}
    assert set(NUMBERS) < tried
    keys = schema_keys(SCHEMA["definitions"]["resources"])
    plain = {key for key in keys if not set("[*") & set(key)}
    assert plain <= tried
