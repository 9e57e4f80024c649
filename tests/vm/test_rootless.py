"""Limits of an ordinary user's container, in a cgroup that is delegated to him."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.rootless import Make, Rootless, await_stop

MIB = 1 << 20
EAT = "x=a; while true; do x=$x$x; done"


@pytest.fixture
def limited(delegated: Path, rootless: Make) -> Make:
    """Makes containers with these resources, called for from the delegated cgroup."""

    def make(*args: str, **resources: Any) -> Rootless:  # noqa: ANN401
        c = rootless(*args, linux={"resources": resources})
        c.cgroup_path = delegated
        return c

    return make


def read(c: Rootless, file: str) -> str:
    assert c.cgroup_path is not None
    return (c.cgroup_path.parent / c.id / file).read_text().strip()


def test_limits_are_set(limited: Make) -> None:
    c = limited(
        "sleep", "1000", pids={"limit": 20}, memory={"limit": 64 * MIB}, cpu={"shares": 512}
    )
    c.run_detached().ok()
    assert read(c, "pids.max") == "20"
    assert read(c, "memory.max") == str(64 * MIB)
    assert read(c, "cpu.weight") == "59"


def test_limits_hold(limited: Make) -> None:
    c = limited("sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & echo all", pids={"limit": 3})
    done = c.run()
    assert "all" not in done.stdout
    assert "fork" in done.stderr


def test_too_much_memory(limited: Make) -> None:
    c = limited("sh", "-c", EAT, memory={"limit": 32 * MIB, "swap": 32 * MIB})
    c.run_detached().ok()
    await_stop(c)
    assert "oom_kill 0" not in read(c, "memory.events")


def test_update_and_events(limited: Make) -> None:
    c = limited("sleep", "1000", pids={"limit": 20})
    c.run_detached().ok()
    c.call("update", "--pids-limit", "9", "--memory", "64M", c.id).ok()
    assert (read(c, "pids.max"), read(c, "memory.max")) == ("9", str(64 * MIB))
    event = json.loads(c.call("events", "--stats", c.id).ok().stdout)
    assert event["data"]["pids"]["limit"] == 9


def test_a_controller_that_is_not_delegated(limited: Make, delegated: Path) -> None:
    (delegated.parent.parent / "cgroup.subtree_control").write_text("-pids")
    c = limited("true", pids={"limit": 20})
    c.run().failed("linux.resources.pids.limit: pids.max: controller pids is not available")
    # What asks for none is not concerned.
    limited("true").run().ok()


def test_exec_with_limits_from_outside_is_refused(limited: Make) -> None:
    c = limited("sleep", "1000", pids={"limit": 20})
    c.run_detached().ok()
    assert c.exec("id", "-u").ok().stdout == "0\n"
    inside, c.cgroup_path = c.cgroup_path, None
    c.exec("id").failed("has limits", "call pyoci from a cgroup below", rc=255)
    c.cgroup_path = inside


def test_a_cgroup_with_processes_gives_no_controllers(limited: Make, delegated: Path) -> None:
    """Called from the delegated cgroup itself there is only its own for the container."""
    c = limited("true", pids={"limit": 20})
    c.cgroup_path = delegated.parent
    (delegated.parent.parent / "cgroup.procs").chmod(0o644)
    c.run().failed("linux.resources.pids.limit", "EBUSY", "has processes of its own")
