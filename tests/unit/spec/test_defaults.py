"""The configuration of `spec` against runc's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pyoci.spec.defaults import default_config

if TYPE_CHECKING:
    from pathlib import Path


def as_json(rootless: bool, uid: int = 0, gid: int = 0) -> Any:  # noqa: ANN401
    return json.loads(json.dumps(default_config(rootless, uid, gid)))


def test_what_it_grants() -> None:
    config = as_json(rootless=False)
    assert config["ociVersion"] == "1.3.0"
    assert config["process"]["terminal"] is True
    assert config["process"]["noNewPrivileges"] is True
    assert set(config["process"]["capabilities"]) == {"bounding", "effective", "permitted"}
    assert config["root"] == {"path": "rootfs", "readonly": True}


def test_rootless_maps_the_user_to_root() -> None:
    linux = as_json(rootless=True, uid=1000, gid=100)["linux"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert linux["gidMappings"] == [{"containerID": 0, "hostID": 100, "size": 1}]
    assert {"type": "user"} in linux["namespaces"]
    assert {"type": "network"} not in linux["namespaces"]
    assert "resources" not in linux


@pytest.mark.skipif(shutil.which("runc") is None, reason="runc is not installed")
@pytest.mark.parametrize("rootless", [False, True])
def test_it_is_runcs_but_for_names_and_ambient_capabilities(
    tmp_path: Path, *, rootless: bool
) -> None:
    options = ["--rootless"] if rootless else []
    subprocess.run(["runc", "spec", *options], cwd=tmp_path, check=True)
    theirs = json.loads((tmp_path / "config.json").read_text())
    theirs["process"]["capabilities"].pop("ambient", None)
    theirs |= {"ociVersion": "1.3.0", "hostname": "pyoci"}
    assert as_json(rootless, os.geteuid(), os.getegid()) == theirs
