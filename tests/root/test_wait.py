"""wait: the exit status of a container, for those who are not its parent."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import PATIENCE, Container, MakeContainer, wait_until
from tests.support.processes import waits_with_open

RELEASE = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
keeps_status = pytest.mark.skipif(RELEASE < (6, 15), reason="needs Linux 6.15 (PIDFD_INFO_EXIT)")
UNKNOWN = "is not known: it had ended, and its parent has reaped it"
NO_PID_NAMESPACE = [{"type": kind} for kind in ("network", "ipc", "uts", "mount")]
READ = ("sh", "-c", "read line; exit 3")


def spawn_wait(c: Container) -> subprocess.Popen[bytes]:
    """A wait that has got to its waiting: it sleeps, and holds a pidfd of init."""
    process = c.spawn("wait", c.id, stdout=subprocess.PIPE)
    wait_until(lambda: waits_with_open(process.pid, "pidfd"))
    return process


def says(process: subprocess.Popen[bytes]) -> str:
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return out.decode()


def reap(pid: int) -> None:
    os.waitpid(pid, 0)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def start_reading(c: Container) -> int:
    """A detached container that ends when something is written to the descriptor."""
    read_fd, write_fd = os.pipe()
    c.run_detached(stdin=read_fd).ok()
    os.close(read_fd)
    return write_fd


@keeps_status
def test_the_status_of_one_that_somebody_else_reaps(pyoci: Path, container: MakeContainer) -> None:
    c = container(*READ)
    write_fd = start_reading(c)
    pid = c.pid
    waiters = [spawn_wait(c) for _ in range(3)]
    os.close(write_fd)
    reap(pid)
    assert [says(waiter) for waiter in waiters] == ["3\n"] * 3
    # It is kept: for the next one, and in the state.
    assert c.call("wait", c.id).ok().stdout == "3\n"
    assert c.read_state()["exitStatus"] == 3
    c.delete().ok()
    c.assert_gone()


@pytest.mark.parametrize(("name", "status"), [("KILL", 137), ("TERM", 143), ("SEGV", 139)])
def test_a_signal_is_128_and_its_number(
    pyoci: Path, container: MakeContainer, name: str, status: int
) -> None:
    c = container("sleep", "1000", linux={"namespaces": NO_PID_NAMESPACE})
    c.run_detached().ok()
    waiter = spawn_wait(c)
    c.kill(name).ok()
    assert says(waiter) == f"{status}\n"
    assert c.read_state()["exitStatus"] == status


def test_one_that_nobody_has_reaped_yet(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "exit 7")
    c.run_detached().ok()
    c.wait_status("stopped")
    assert "exitStatus" not in c.read_state()
    assert c.call("wait", c.id).ok().stdout == "7\n"
    assert c.call("wait", c.id).ok().stdout == "7\n"


def test_one_whose_end_nobody_saw(pyoci: Path, container: MakeContainer) -> None:
    c = container(*READ)
    write_fd = start_reading(c)
    pid = c.pid
    os.close(write_fd)
    reap(pid)
    c.call("wait", c.id).failed(UNKNOWN)
    assert "exitStatus" not in c.read_state()


def test_it_waits_for_a_created_one_too(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "exit 9")
    c.create().ok()
    waiter = spawn_wait(c)
    c.start().ok()
    assert says(waiter) == "9\n"


def test_run_keeps_it(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "exit 4")
    assert c.run("--keep").rc == 4
    assert c.call("wait", c.id).ok().stdout == "4\n"
    assert c.read_state()["exitStatus"] == 4


def test_while_run_waits_itself(pyoci: Path, container: MakeContainer) -> None:
    c = container(*READ)
    process = c.spawn_run("--keep", stdin=subprocess.PIPE)
    wait_until(lambda: c.state().rc == 0 and c.status == "running")
    waiter = spawn_wait(c)
    process.communicate(b"\n")
    assert process.returncode == 3
    assert says(waiter) == "3\n"


@keeps_status
def test_one_that_is_deleted_meanwhile(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    waiter = spawn_wait(c)
    c.delete("--force").ok()
    assert says(waiter) == f"{128 + signal.SIGKILL}\n"
    c.assert_gone()


def test_a_wait_can_be_interrupted(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    waiter = spawn_wait(c)
    waiter.send_signal(signal.SIGINT)
    assert waiter.communicate(timeout=PATIENCE)[0] == b""
    assert waiter.returncode in (130, -signal.SIGINT)
    assert c.status == "running"


def test_nobody_of_that_name(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    c.call("wait", c.id).failed("does not exist")
