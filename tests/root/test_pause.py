"""pause and resume: all processes stand still, and what may be done with a container that does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer, wait_until

# Two processes that never rest.
SPIN = "while :; do :; done & echo ready; while :; do :; done"
LISTEN = 'trap "echo got TERM; exit" TERM; echo ready; while :; do sleep 1000 & wait $!; done'


@pytest.fixture
def spinning(pyoci: Path, container: MakeContainer) -> Container:
    """A container whose processes use all the CPU time they get."""
    c = container("sh", "-c", SPIN)
    c.create().ok()
    c.start().ok()
    c.wait_stdout("ready\n")
    return c


def read_cpu_time(c: Container) -> int:
    """Microseconds, of all processes of the cgroup (cgroups(7), cpu.stat)."""
    return int((c.cgroup / "cpu.stat").read_text().split()[1])


def read_events(c: Container) -> list[str]:
    return (c.cgroup / "cgroup.events").read_text().split("\n")


def test_a_paused_container_makes_no_progress(spinning: Container) -> None:
    c = spinning
    c.call("pause", c.id).ok()
    assert "frozen 1" in read_events(c)
    assert c.status == "paused"
    before = read_cpu_time(c)
    assert c.status == "paused"  # meanwhile it would have used some
    assert read_cpu_time(c) == before
    c.call("resume", c.id).ok()
    assert "frozen 0" in read_events(c)
    assert c.status == "running"
    wait_until(lambda: read_cpu_time(c) > before)


def test_signals_wait_for_resume(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", LISTEN)
    c.create().ok()
    c.start().ok()
    c.wait_stdout("ready\n")
    c.call("pause", c.id).ok()
    c.kill("TERM").ok()
    assert c.status == "paused"
    assert "got" not in c.read_stdout()
    c.call("resume", c.id).ok()
    c.wait_stdout("got TERM\n")
    c.wait_status("stopped")


def test_a_created_container_can_be_paused(pyoci: Path, container: MakeContainer) -> None:
    c = container("echo", "hello")
    c.create().ok()
    c.call("pause", c.id).ok()
    assert c.status == "paused"
    c.start().failed("cannot start a container in the paused state")
    c.call("resume", c.id).ok()
    assert c.status == "created"
    c.start().ok()
    c.wait_stdout("hello\n")


def test_what_is_refused(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    for command in ("pause", "resume"):
        c.call(command, c.id).failed("does not exist")
    c.create().ok()
    c.call("resume", c.id).failed("container not paused")
    c.call("pause", c.id).ok()
    c.call("pause", c.id).failed("cannot pause a container in the paused state")
    c.call("resume", c.id).ok()
    os.kill(c.pid, signal.SIGKILL)
    c.wait_status("stopped")
    c.call("pause", c.id).failed("container not running")
    c.call("resume", c.id).failed("container not paused")


def test_a_paused_container_is_killed(spinning: Container) -> None:
    c = spinning
    c.call("pause", c.id).ok()
    c.kill("KILL").ok()
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


def test_a_paused_container_is_deleted_by_force_only(spinning: Container) -> None:
    c = spinning
    c.call("pause", c.id).ok()
    c.delete().failed("that is not stopped: paused")
    assert c.status == "paused"
    c.delete("--force").ok()
    c.assert_gone()


def test_ps_shows_the_processes_of_a_paused_container(spinning: Container) -> None:
    c = spinning
    c.call("pause", c.id).ok()
    header, *rows = c.call("ps", c.id, "-o", "pid,stat,args").ok().stdout.splitlines()
    assert header.split() == ["PID", "STAT", "COMMAND"]
    assert len(rows) == 2
    assert str(c.pid) in [row.split()[0] for row in rows]


def test_the_environment_can_be_empty(spinning: Container) -> None:
    """Podman calls both with hardly a variable."""
    c = spinning
    c.call("pause", c.id, env={}).ok()
    c.call("resume", c.id, env={}).ok()
    assert c.status == "running"
