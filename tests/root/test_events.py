"""events: statistics as JSON lines, at once or at an interval, until the container stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import PATIENCE, Container, MakeContainer, wait_until
from tests.support.processes import waits_with_open

MEMBERS = {
    *("cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"),
}


@pytest.fixture
def spinning(pyoci: Path, container: MakeContainer) -> Container:
    """A container that uses CPU time."""
    c = container("sh", "-c", "echo ready; while :; do :; done")
    c.create().ok()
    c.start().ok()
    c.wait_stdout("ready\n")
    return c


def read_sample(c: Container) -> dict[str, Any]:
    """What `events --stats` says, one line."""
    line, rest = c.call("events", "--stats", c.id).ok().stdout.split("\n")
    assert rest == ""
    event: dict[str, Any] = json.loads(line)
    assert (event["type"], event["id"]) == ("stats", c.id)
    data: dict[str, Any] = event["data"]
    return data


def follow(c: Container, interval: str) -> subprocess.Popen[bytes]:
    """`events` with this interval, its output a pipe."""
    return c.spawn("events", "--interval", interval, c.id, stdout=subprocess.PIPE)


def read_event(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    event: dict[str, Any] = json.loads(process.stdout.readline())
    return event


def test_one_sample(spinning: Container) -> None:
    first = read_sample(spinning)
    assert set(first) == MEMBERS
    assert first["network_interfaces"] is None
    usage = first["cpu"]["usage"]
    assert usage["total"] >= usage["user"] > 0
    # On a busy machine the container need not run between two samples.
    wait_until(lambda: read_sample(spinning)["cpu"]["usage"]["total"] > usage["total"])


def test_a_paused_and_a_created_container_have_statistics(
    pyoci: Path, container: MakeContainer
) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    assert set(read_sample(c)) == MEMBERS
    c.call("pause", c.id).ok()
    assert read_sample(c)["cpu"]["usage"]["total"] > 0


def test_samples_come_as_they_are_made_until_the_container_stops(spinning: Container) -> None:
    c = spinning
    process = follow(c, "20ms")
    totals: list[int] = []
    # Some kernels count the processor's time in ticks, and a late sample has the next at its heels.
    while len(set(totals)) < 3:
        event = read_event(process)
        assert event["type"] == "stats"
        totals.append(event["data"]["cpu"]["usage"]["total"])
    assert totals == sorted(totals)
    os.kill(c.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_the_first_sample_comes_after_one_interval(spinning: Container) -> None:
    c = spinning
    process = follow(c, "1h")
    wait_until(lambda: waits_with_open(process.pid, "pidfd"))
    os.kill(c.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (0, b"")


def test_a_reader_that_goes_away_ends_it(spinning: Container) -> None:
    c = spinning
    process = c.spawn(
        "events", "--interval", "10ms", c.id, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    read_event(process)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert b"cannot write to standard output: EPIPE" in said


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ("0", "duration interval must be greater than 0"),
        ("-5s", "duration interval must be greater than 0"),
        ("5", "--interval: '5' is not a duration"),
        ("", "--interval: '' is not a duration"),
    ],
)
def test_an_interval_that_cannot_be(spinning: Container, interval: str, words: str) -> None:
    spinning.call("events", f"--interval={interval}", spinning.id).failed(words)


@pytest.mark.parametrize("options", [(), ("--stats",)])
def test_a_container_that_is_stopped_or_missing(
    pyoci: Path, container: MakeContainer, options: tuple[str, ...]
) -> None:
    c = container("true")
    c.call("events", *options, c.id).failed("does not exist")
    c.create().ok()
    c.start().ok()
    c.wait_status("stopped")
    c.call("events", *options, c.id).failed(f"container with id {c.id} is not running")
