"""kill and delete: which process gets which signal, and that nothing of a container stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit, wait_until

# Says which signals it got, one a line, once it can.
TRAPS = 'for s in HUP INT USR1 TERM WINCH; do trap "echo got $s" $s; done; echo ready; '
LISTEN = f"{TRAPS} while :; do sleep 1000 & wait $!; done"

# Two processes that share the machine's pids.
NO_PID_NAMESPACE = [{"type": kind} for kind in ("network", "ipc", "uts", "mount")]
PAIR = "sleep 1000 & echo ready; sleep 1000"


def start_ready(c: Container) -> Container:
    """Create and start it, and wait until it says that it is ready."""
    c.create().ok()
    c.start().ok()
    c.wait_stdout("ready\n")
    return c


def read_cgroup_pids(c: Container) -> list[int]:
    return [int(pid) for pid in (c.cgroup / "cgroup.procs").read_text().split()]


def pair(container: MakeContainer) -> Container:
    """A container of two processes without a pid namespace of its own."""
    c = start_ready(container("sh", "-c", PAIR, linux={"namespaces": NO_PID_NAMESPACE}))
    wait_until(lambda: len(read_cgroup_pids(c)) >= 2)
    return c


# --- kill


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("1", "HUP"),
        ("SIGUSR1", "USR1"),
        ("usr1", "USR1"),
        ("sigterm", "TERM"),
        ("28", "WINCH"),
    ],
)
def test_a_signal_has_many_names(container: MakeContainer, word: str, name: str) -> None:
    c = start_ready(container("sh", "-c", LISTEN))
    c.kill(word).ok()
    c.wait_stdout(f"got {name}\n")


def test_the_signal_is_term_by_default(container: MakeContainer) -> None:
    c = start_ready(container("sh", "-c", LISTEN))
    c.kill().ok()
    c.wait_stdout("got TERM\n")


@pytest.mark.parametrize("word", ["RTMIN+3", "37", "SIGRTMAX-2"])
def test_real_time_signals_can_be_sent(pyoci: Path, container: MakeContainer, word: str) -> None:
    c = start_ready(container("sh", "-c", "trap 'exit 7' 37 62; echo ready; sleep 1000 & wait $!"))
    pid = c.pid
    c.kill(word).ok()
    wait_exit(pid)


def test_signal_0_only_asks(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    c.kill("0").ok()
    assert c.status == "created"


@pytest.mark.parametrize("word", ["NOSUCH", "0x9", "-1", "65", "9 ", "٩"])
def test_an_unknown_signal_is_refused(container: MakeContainer, word: str) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    c.call("kill", "--", c.id, word).failed(f'unknown signal "{word}"')
    assert c.status == "created"


def test_the_container_is_looked_for_before_the_signal(container: MakeContainer) -> None:
    container("true").kill("NOSUCH").failed("does not exist")


def test_a_signal_reaches_a_created_container(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    pid = c.pid
    c.kill("TERM").ok()
    # Process 1 of a pid namespace that handles no signal is not ended by one: the program, which
    # may, gets none of it. Only KILL is sure to end it.
    c.kill("KILL").ok()
    wait_exit(pid)


@pytest.mark.parametrize("option", ["--all", "-a"])
def test_all_signals_every_process(container: MakeContainer, option: str) -> None:
    c = pair(container)
    pids = read_cgroup_pids(c)
    c.kill(option, "TERM").ok()
    for pid in pids:
        wait_exit(pid)


def test_sigkill_ends_all_where_init_would_end_nobody_else(container: MakeContainer) -> None:
    c = pair(container)
    c.kill("KILL").ok()
    wait_until(lambda: "populated 0" in (c.cgroup / "cgroup.events").read_text())
    c.delete().ok()
    c.assert_gone()


def test_another_signal_is_for_init_alone(container: MakeContainer) -> None:
    c = pair(container)
    pids = read_cgroup_pids(c)
    init = c.pid
    c.kill("TERM").ok()
    wait_exit(init)
    others = set(read_cgroup_pids(c))
    assert others
    assert others < set(pids)


def test_kill_all_ends_the_rest_of_a_stopped_container(container: MakeContainer) -> None:
    c = pair(container)
    init = c.pid
    c.kill("TERM").ok()
    wait_exit(init)
    assert c.status == "stopped"
    assert len(read_cgroup_pids(c)) == 1
    c.kill("--all", "9").ok()
    wait_until(lambda: not read_cgroup_pids(c))


def test_a_process_that_is_no_container_any_more_gets_no_signal(
    pyoci: Path, container: MakeContainer
) -> None:
    # As if init had ended and the kernel had given its pid to somebody else.
    c = start_ready(container("sh", "-c", "echo ready; sleep 1000"))
    init = c.pid
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        path = c.state_directory / "state.json"
        state = json.loads(path.read_text())
        state["init_process_pid"] = stranger.pid
        path.write_text(json.dumps(state))
        assert c.status == "stopped"
        c.kill("KILL").failed("container not running")
        c.delete().ok()
        assert stranger.poll() is None
        c.assert_gone()
        wait_exit(init)
    finally:
        stranger.kill()
        stranger.wait()


# --- frozen containers


def test_sigkill_ends_a_frozen_container(container: MakeContainer) -> None:
    c = start_ready(container("sh", "-c", "echo ready; sleep 1000"))
    c.freeze()
    pid = c.pid
    assert c.status == "paused"
    c.kill("KILL").ok()
    wait_exit(pid)
    wait_until(lambda: c.status == "stopped")
    c.delete().ok()
    c.assert_gone()


def test_another_signal_waits_for_the_thaw(container: MakeContainer) -> None:
    c = start_ready(container("sh", "-c", LISTEN))
    c.freeze()
    c.kill("USR1").ok()
    assert c.status == "paused"
    (c.cgroup / "cgroup.freeze").write_text("0")
    c.wait_stdout("got USR1\n")


def test_delete_ends_the_frozen_rest_of_a_stopped_container(container: MakeContainer) -> None:
    c = pair(container)
    init = c.pid
    c.kill("TERM").ok()
    wait_exit(init)
    c.freeze()
    c.delete().ok()
    c.assert_gone()


# --- delete


def test_delete_ends_what_is_left_of_a_stopped_container(container: MakeContainer) -> None:
    c = pair(container)
    pids = read_cgroup_pids(c)
    init = c.pid
    os.kill(init, signal.SIGKILL)
    wait_exit(init)
    c.delete().ok()
    c.assert_gone()
    for pid in pids:
        wait_exit(pid)


def test_delete_removes_cgroups_that_the_container_made(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    (c.cgroup / "a" / "b").mkdir(parents=True)
    (c.cgroup / "c").mkdir()
    c.delete("--force").ok()
    c.assert_gone()


def test_parents_of_the_cgroup_go_with_it_but_not_what_was_there(
    pyoci: Path, container: MakeContainer
) -> None:
    c = container("sleep", "1000")
    top = c.cgroup.parent
    c.bundle.config["linux"]["cgroupsPath"] += "/deep/deeper"
    c.bundle.write()
    c.create().ok()
    assert c.cgroup.exists()
    c.delete().ok()
    assert list(top.glob("*/")) == []
    assert top.exists()


def test_a_parent_cgroup_that_others_use_stays(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    parent = c.cgroup
    c.bundle.config["linux"]["cgroupsPath"] += "/below"
    c.bundle.write()
    c.create().ok()
    (parent / "of-another").mkdir()
    c.delete().ok()
    assert [path.name for path in parent.glob("*/")] == ["of-another"]
    (parent / "of-another").rmdir()
    parent.rmdir()


def test_delete_does_without_what_is_gone_already(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    pid = c.pid
    os.kill(pid, signal.SIGKILL)
    wait_exit(pid)
    c.cgroup.rmdir()
    for name in ("exec.fifo", "config.json", "exec.result"):
        (c.state_directory / name).unlink()
    c.delete().ok()
    c.assert_gone()


def test_delete_finishes_what_a_killed_delete_began(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    c.state_directory.mkdir(parents=True)
    c.delete().failed("does not exist")
    assert not c.state_directory.exists()


def test_delete_force_runs_no_timer(pyoci: Path, container: MakeContainer) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    c = start_ready(container("sh", "-c", "trap '' TERM; echo ready; sleep 1000"))
    trace = c.directory / "trace"
    waits = "trace=poll,ppoll,select,pselect6,nanosleep,clock_nanosleep,epoll_wait,pause"
    command = ["strace", "-f", "-e", waits, "-o", str(trace), *c.program, "delete", "--force", c.id]
    c.run_command(command).ok()
    calls = [line for line in trace.read_text().splitlines() if "(" in line]
    # The one wait is for the pidfd, and it ends because the process does.
    polls = [line for line in calls if "poll([{fd=" in line and line.endswith("revents=POLLIN}])")]
    assert len(calls) == len(polls) == 1, calls
    c.assert_gone()
