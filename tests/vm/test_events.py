"""events where the controllers are: numbers of all of them, and kills for want of memory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import PATIENCE, Container, MakeContainer, wait_until
from tests.support.processes import waits_with_open

MIB = 1 << 20
HOG = f"dd if=/dev/zero of=/dev/null count=1 bs={96 * MIB}"
LIMITS = {"memory": {"limit": 48 * MIB, "swap": 48 * MIB}}


def read_data(c: Container) -> dict[str, Any]:
    """The statistics of now."""
    event: dict[str, Any] = json.loads(c.call("events", "--stats", c.id).ok().stdout)
    data: dict[str, Any] = event["data"]
    return data


def follow(c: Container) -> subprocess.Popen[bytes]:
    """`events` without statistics for a long time, once it watches."""
    process = c.spawn("events", "--interval", "1h", c.id, stdout=subprocess.PIPE)
    wait_until(lambda: waits_with_open(process.pid, "memory.events"))
    return process


def test_numbers(pyoci: Path, container: MakeContainer) -> None:
    resources = LIMITS | {"cpu": {"quota": 10000}, "pids": {"limit": 20}}
    c = container("sh", "-c", "while :; do :; done", linux={"resources": resources})
    c.run_detached().ok()
    wait_until(lambda: read_data(c)["cpu"]["throttling"]["throttledPeriods"] >= 2)
    data = read_data(c)
    assert data["pids"] == {"current": 1, "limit": 20}
    usage, swap = data["memory"]["usage"], data["memory"]["swap"]
    assert (usage["limit"], swap["limit"]) == (48 * MIB, 48 * MIB)
    assert usage["limit"] > usage["usage"] > 0
    assert data["memory"]["raw"]["anon"] > 0
    throttling = data["cpu"]["throttling"]
    assert throttling["periods"] >= throttling["throttledPeriods"]
    assert throttling["throttledTime"] > 0


def test_a_kill_is_told_while_the_container_goes_on(pyoci: Path, container: MakeContainer) -> None:
    script = f"trap '{HOG}; echo hog $?' USR1; echo ready; while :; do sleep 1000 & wait $!; done"
    c = container("sh", "-c", script, linux={"resources": LIMITS})
    c.run_detached().ok()
    c.wait_stdout("ready\n")
    process = follow(c)
    assert process.stdout is not None
    c.kill("USR1").ok()
    assert json.loads(process.stdout.readline()) == {"type": "oom", "id": c.id}
    c.wait_stdout("hog 137\n")
    assert c.status == "running"
    c.kill("USR1").ok()
    assert json.loads(process.stdout.readline()) == {"type": "oom", "id": c.id}
    c.kill("KILL").ok()
    assert process.communicate(timeout=PATIENCE)[0] == b""
    assert process.returncode == 0


def test_the_kill_of_init_is_told_before_the_end(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", f"exec {HOG}", linux={"resources": LIMITS})
    c.create().ok()
    process = follow(c)
    c.start().ok()
    output, _ = process.communicate(timeout=PATIENCE)
    assert [json.loads(line) for line in output.splitlines()] == [{"type": "oom", "id": c.id}]
    assert process.returncode == 0


def test_kills_of_before_are_not_told(pyoci: Path, container: MakeContainer) -> None:
    script = f"{HOG}; echo hog $?; exec sleep 1000"
    c = container("sh", "-c", script, linux={"resources": LIMITS})
    c.run_detached().ok()
    c.wait_stdout("hog 137\n")
    process = follow(c)
    c.kill("KILL").ok()
    assert process.communicate(timeout=PATIENCE)[0] == b""


@pytest.mark.qemu
def test_pressure(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000", linux={"resources": LIMITS})
    c.run_detached().ok()
    data = read_data(c)
    for name in ("cpu", "memory", "blkio"):
        assert set(data[name]["psi"]) == {"some", "full"}
        assert set(data[name]["psi"]["some"]) == {"avg10", "avg60", "avg300", "total"}


@pytest.mark.qemu
def test_cpus(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000", linux={"resources": {"cpu": {"cpus": "1"}}})
    c.run_detached().ok()
    assert read_data(c)["cpuset"]["cpus"] == [1]
