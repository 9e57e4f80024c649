"""The `features` command (features.md), as engines call it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema

from tests.support.containers import MakeContainer

SCHEMA = Path(__file__).parents[2] / "schemas" / "features.schema.json"


def test_features_are_valid_and_indented_as_runcs(pyoci: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    done = subprocess.run(
        [pyoci, "--root", root, "features"], capture_output=True, text=True, check=True, env={}
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert done.stdout == json.dumps(found, indent=4) + "\n"
    jsonschema.Draft4Validator(json.loads(SCHEMA.read_text())).validate(found)
    # It is no business of the machine's: nothing is made.
    assert not root.exists()


def test_what_callers_look_at(pyoci: Path) -> None:
    found = json.loads(subprocess.check_output([pyoci, "features"], stderr=subprocess.STDOUT))
    # CRI-O: both versions; read-only mounts that are recursive. containerd: id-mapped mounts.
    assert (found["ociVersionMin"], found["ociVersionMax"]) == ("1.0.0", "1.3.0")
    assert "rro" in found["mountOptions"]
    assert found["linux"]["mountExtensions"]["idmap"]["enabled"] is True
    # Docker: annotations of a config that it must not let a user set.
    assert found["potentiallyUnsafeConfigAnnotations"] == ["org.systemd.property."]
    # CRI-O, kubelet: whether the cgroup driver can be systemd.
    assert found["linux"]["cgroup"]["systemd"] is True
    assert found["linux"]["cgroup"]["systemdUser"] is True


def test_every_mount_option_but_a_few_is_taken_by_tmpfs(
    pyoci: Path, container: MakeContainer
) -> None:
    found = json.loads(subprocess.check_output([pyoci, "features"]))
    # mand is gone since Linux 5.15.
    not_for_tmpfs = {"bind", "rbind", "idmap", "ridmap", "remount", "mand"}
    options = [word for word in found["mountOptions"] if word not in not_for_tmpfs]
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        *(
            {"destination": f"/m/{word}", "type": "tmpfs", "source": "tmpfs", "options": [word]}
            for word in options
        ),
    ]
    c = container("grep", "-c", " /m/", "/proc/self/mounts", mounts=mounts)
    assert int(c.run().ok().stdout) == len(options)
