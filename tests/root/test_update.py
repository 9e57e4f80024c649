"""update: merged with what was set, all or nothing, refused in words that name the key.

The limits here are of cgroup's core, which every kernel has; tests/vm has those of controllers.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, Result

DEPTH, COUNT = "cgroup.max.depth", "cgroup.max.descendants"


@pytest.fixture
def running(pyoci: Path, container: MakeContainer) -> Container:
    """A container that waits, without limits."""
    c = container("sleep", "1000")
    c.create().ok()
    c.start().ok()
    return c


def update(c: Container, resources: object, *options: str) -> Result:
    """`update --resources=FILE` with this value in the file."""
    path = c.directory / "resources.json"
    path.write_text(json.dumps(resources))
    return c.call("update", f"--resources={path}", *options, c.id)


def read(c: Container, file: str) -> str:
    return (c.cgroup / file).read_text().strip()


def read_stored(c: Container) -> dict[str, Any]:
    """What a later update will build on."""
    config: dict[str, Any] = json.loads((c.state_directory / "config.json").read_text())
    resources: dict[str, Any] = config["linux"].get("resources", {})
    return resources


def test_limits_take_effect_and_are_merged(running: Container) -> None:
    c = running
    update(c, {"unified": {DEPTH: "3"}}).ok()
    update(c, {"unified": {COUNT: "5"}}).ok()
    assert (read(c, DEPTH), read(c, COUNT)) == ("3", "5")
    assert read_stored(c)["unified"] == {DEPTH: "3", COUNT: "5"}
    assert c.status == "running"


def test_resources_from_standard_input(running: Container) -> None:
    """As containerd (--resources=-) and CRI-O (--resources -) call it."""
    c = running
    for number, words in enumerate((("--resources=-",), ("--resources", "-"), ("-r", "-")), 4):
        path = c.directory / "stdin.json"
        path.write_text(json.dumps({"unified": {COUNT: str(number)}}))
        with path.open("rb") as stdin:
            c.call("update", *words, c.id, stdin=stdin.fileno()).ok()
        assert read(c, COUNT) == str(number)


def test_what_is_not_mentioned_is_left_alone(running: Container) -> None:
    c = running
    update(c, {"unified": {DEPTH: "3", COUNT: "5"}}).ok()
    (c.cgroup / DEPTH).write_text("9")
    update(c, {"unified": {COUNT: "6"}}).ok()
    assert (read(c, DEPTH), read(c, COUNT)) == ("9", "6")


@pytest.mark.parametrize("status", ["created", "paused"])
def test_a_container_that_does_not_run_now(
    pyoci: Path, container: MakeContainer, status: str
) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    if status == "paused":
        c.call("pause", c.id).ok()
    update(c, {"unified": {COUNT: "5"}}).ok()
    assert read(c, COUNT) == "5"
    assert c.status == status


def test_a_write_that_fails_half_way_leaves_nothing_changed(running: Container) -> None:
    c = running
    update(c, {"unified": {COUNT: "5"}}).ok()
    stored = read_stored(c)
    refused = update(c, {"unified": {COUNT: "6", DEPTH: "banana"}})
    refused.failed(f"linux.resources.unified['{DEPTH}']: write 'banana'", "EINVAL", "rolled back")
    assert (read(c, COUNT), read(c, DEPTH)) == ("5", "max")
    assert read_stored(c) == stored


def test_a_state_that_cannot_be_stored_leaves_nothing_changed(running: Container) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    c = running
    update(c, {"unified": {COUNT: "5"}}).ok()
    stored = read_stored(c)
    path = c.directory / "resources.json"
    path.write_text(json.dumps({"unified": {COUNT: "6"}}))
    inject = "inject=rename,renameat,renameat2:error=ENOSPC"
    trace = ["strace", "-o", "/dev/null", "-e", "trace=rename,renameat,renameat2", "-e", inject]
    refused = c.run_command([*trace, *c.program, "update", "-r", str(path), c.id])
    refused.failed("ENOSPC", "rolled back")
    assert read(c, COUNT) == "5"
    assert read_stored(c) == stored


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"unified": {"cgroup.nosuch": "1"}}, "linux.resources.unified['cgroup.nosuch']"),
        ({"unified": {"nosuch.max": "1"}}, "nosuch.max: controller nosuch is not available in"),
        ({"unified": {"cgroup.freeze": "1"}}, "'cgroup.freeze' is the runtime's to write"),
        ({"unified": {"../x.max": "1"}}, "must be a file name"),
        ({"unified": {COUNT: "-7"}}, f"linux.resources.unified['{COUNT}']: write '-7'"),
        ({"memory": {"limit": -7}}, "linux.resources.memory.limit: -7 is not between"),
        ({"memory": {"limit": 1}}, "linux.resources.memory.limit: 1 is less than one page"),
        ({"memory": {"limit": "1M"}}, "linux.resources.memory.limit: expected"),
        ({"memory": {"limit": 8192, "swap": 4096}}, "linux.resources.memory.swap: memory+swap"),
        ({"cpu": {"quota": 10}}, "linux.resources.cpu.quota: 10 is less than 1000"),
        ({"cpu": {"period": 10}}, "linux.resources.cpu.period: 10 is not between"),
        ({"cpu": {"cpus": "3-1"}}, "linux.resources.cpu.cpus: the range 3-1 runs backwards"),
        ({"cpu": {"idle": 2}}, "linux.resources.cpu.idle: 2 is not between 0 and 1"),
        ({"pids": {"limit": 2**40}}, "linux.resources.pids.limit: 1099511627776 is not between"),
        ({"pids": {"limit": 2**70}}, "linux.resources.pids.limit"),
        ([], "linux.resources: expected an object"),
        (None, "linux.resources"),
    ],
)
def test_what_cannot_be_names_its_key(running: Container, resources: object, words: str) -> None:
    c = running
    stored = read_stored(c)
    if isinstance(resources, dict):
        resources = {"unified": {COUNT: "6"}} | resources
    before = read(c, COUNT)
    update(c, resources).failed(words)
    assert read(c, COUNT) == before
    assert read_stored(c) == stored


@pytest.mark.parametrize("text", ["", "{", '{"pids": {"limit": 5}} x', "\x00", '{"a":1,"a":2}'])
def test_what_is_no_json(running: Container, text: str) -> None:
    c = running
    path = c.directory / "resources.json"
    path.write_text(text)
    c.call("update", "-r", str(path), c.id).failed("resources.json: ")
    with path.open("rb") as stdin:
        c.call("update", "-r", "-", c.id, stdin=stdin.fileno()).failed("standard input: ")


def test_a_file_that_is_not_there(running: Container) -> None:
    running.call("update", "-r", "/nosuch/r.json", running.id).failed("r.json not found in /nosuch")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--memory=-5", "--memory: '-5' is not a size"),
        ("--memory=lots", "--memory: 'lots' is not a size"),
        ("--pids-limit=x", "--pids-limit: 'x' is not a number"),
        ("--pids-limit=-5", "linux.resources.pids.limit: -5 is not between -1 and"),
        ("--blkio-weight=5", "linux.resources.blockIO.weight: 5 is not between 10 and 1000"),
        ("--cpuset-cpus=a", "linux.resources.cpu.cpus: 'a' is not a list"),
        ("--l3-cache-schema=L3:0=f", "--l3-cache-schema: not supported"),
    ],
)
def test_options_that_cannot_be(running: Container, option: str, words: str) -> None:
    stored = read_stored(running)
    running.call("update", option, running.id).failed(words)
    assert read_stored(running) == stored


def test_a_container_that_is_stopped_or_missing(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    # Standard input is not waited for: it is looked at only once there is something to update.
    c.call("update", "-r", "-", c.id).failed("does not exist")
    c.create().ok()
    c.start().ok()
    c.wait_status("stopped")
    stored = read_stored(c)
    update(c, {"unified": {COUNT: "5"}}).failed("container not running")
    assert read_stored(c) == stored


def test_what_has_no_meaning_on_v2_is_noted_in_the_log(running: Container) -> None:
    c = running
    command = [str(c.runtime), "--log", str(c.log_path), *c.program[1:]]
    c.run_command([*command, "update", "--kernel-memory", "64M", c.id]).ok()
    assert "linux.resources.memory.kernel: ignored" in c.log_path.read_text()


def test_devices_stay_as_they_are(running: Container) -> None:
    c = running
    devices = read_stored(c)["devices"]
    update(c, {"devices": [{"allow": True, "access": "rwm"}], "unified": {COUNT: "5"}}).ok()
    assert read_stored(c)["devices"] == devices


def test_nothing_to_do_is_no_error(running: Container) -> None:
    stored = read_stored(running)
    running.call("update", running.id).ok()
    update(running, {}).ok()
    update(running, {"memory": {"limit": 0}, "cpu": {"cpus": ""}, "pids": None}).ok()
    assert read_stored(running) == stored


def test_updates_at_once_lose_nothing(running: Container) -> None:
    c = running
    options = ("cpu-rt-period", "cpu-rt-runtime", "kernel-memory", "kernel-memory-tcp")
    processes = [c.spawn("update", f"--{name}=4096", c.id) for name in options]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    stored = read_stored(c)
    assert stored["cpu"] == {"realtimePeriod": 4096, "realtimeRuntime": 4096}
    assert stored["memory"] == {"kernel": 4096, "kernelTCP": 4096}
