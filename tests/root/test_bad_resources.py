"""linux.resources that cannot be: create and update name the key at fault, and change nothing.

A few of each kind; tests/unit/plan/cgroup has all that can be known before anything is done.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.bad_resources import BY_KERNEL, DEVICES, OTHERS, REFUSED, Bad
from tests.support.containers import MakeContainer

SOME = [*REFUSED[:3], OTHERS[0], *BY_KERNEL]
DEPTH = "cgroup.max.depth"


def test_create(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    for key, resources in [*SOME, *DEVICES[-2:]]:
        c.bundle.config["linux"]["resources"] = {"unified": {DEPTH: "5"}} | resources
        c.bundle.write()
        done = c.create().failed()
        path = f"linux.resources.{key}"
        assert f" {path}: " in done.stderr or f" ({path})\n" in done.stderr, (resources, done)
        c.assert_gone()


def test_a_nul_character(pyoci: Path, container: MakeContainer) -> None:
    """It is found where JSON is read, before anybody knows what the key means."""
    c = container("true", linux={"resources": {"unified": {"x.max": "a\0b"}}})
    c.create().failed('linux.resources.unified["x.max"]: a NUL character')
    c.assert_gone()


def test_create_in_a_cgroup_that_was_there(pyoci: Path, container: MakeContainer) -> None:
    """What was written before the refusal is no longer there, either."""
    c = container("true")
    c.cgroup.mkdir(parents=True)
    limits = {DEPTH: "5", "cgroup.max.descendants": "many"}
    c.bundle.config["linux"]["resources"] = {"unified": limits}
    c.bundle.write()
    c.create().failed("linux.resources.unified['cgroup.max.descendants']", "is rolled back")
    assert (c.cgroup / DEPTH).read_text() == "max\n"
    # Nor where it is something else that fails later.
    c.bundle.config["linux"]["resources"] = {"unified": {DEPTH: "5"}}
    c.bundle.config["process"]["args"] = ["nosuch"]
    c.bundle.write()
    c.create().failed("executable file not found in $PATH")
    assert (c.cgroup / DEPTH).read_text() == "max\n"
    c.cgroup.rmdir()


def test_update(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    stored = (c.state_directory / "config.json").read_text()
    path = c.directory / "resources.json"
    for key, resources in SOME:
        path.write_text(json.dumps({"unified": {DEPTH: "5"}} | resources))
        done = c.call("update", "--resources", str(path), c.id).failed()
        assert f" linux.resources.{key}: " in done.stderr, (resources, done)
        assert (c.cgroup / DEPTH).read_text() == "max\n", (key, resources)
    assert (c.state_directory / "config.json").read_text() == stored
    assert c.status == "running"


@pytest.mark.parametrize("bad", [REFUSED[0], BY_KERNEL[0]])
def test_update_of_a_stopped_container(pyoci: Path, container: MakeContainer, bad: Bad) -> None:
    """The status comes first: nothing is said of values that nobody can set."""
    c = container("true")
    c.run_detached().ok()
    c.wait_status("stopped")
    path = c.directory / "resources.json"
    path.write_text(json.dumps(bad[1]))
    c.call("update", "--resources", str(path), c.id).failed("container not running")
