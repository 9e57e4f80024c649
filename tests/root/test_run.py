"""run: exit status, signals and orphans of a container in the foreground; --detach and --keep."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit, wait_until

LISTEN = """
for s in HUP INT QUIT USR1 USR2 TERM; do trap "echo got $s" $s; done
trap 'exit 5' CONT
echo ready
while :; do sleep 1000 & wait $!; done
"""
NO_PID_NAMESPACE = [{"type": kind} for kind in ("network", "ipc", "uts", "mount")]


def read_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode()


def read_children_of(pid: int) -> set[int]:
    return {int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


# --- the exit status


@pytest.mark.smoke
@pytest.mark.parametrize("status", [0, 1, 42, 127, 255])
def test_the_exit_status_is_the_programs(container: MakeContainer, status: int) -> None:
    c = container("sh", "-c", f"exit {status}")
    done = c.run()
    assert (done.rc, done.stdout, done.stderr) == (status, "", "")
    c.assert_gone()


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_program_that_a_signal_ended_gives_128_and_the_signal(
    container: MakeContainer, name: str
) -> None:
    c = container("sh", "-c", f"kill -{name} $$; exit 3", linux={"namespaces": NO_PID_NAMESPACE})
    done = c.run()
    assert (done.rc, done.stderr) == (128 + getattr(signal, f"SIG{name}"), "")
    c.assert_gone()


def test_a_container_that_is_killed_from_outside(container: MakeContainer) -> None:
    c = container("sh", "-c", "echo ready; sleep 1000")
    process = c.spawn_run(stdout=subprocess.PIPE)
    assert read_line(process) == "ready\n"
    c.kill("KILL").ok()
    assert process.wait() == 128 + signal.SIGKILL
    c.assert_gone()


# --- signals


def test_signals_are_forwarded(container: MakeContainer) -> None:
    c = container("sh", "-c", LISTEN)
    process = c.spawn_run(stdout=subprocess.PIPE)
    assert read_line(process) == "ready\n"
    for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM"):
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert read_line(process) == f"got {name}\n"
    process.send_signal(signal.SIGCONT)
    assert process.wait() == 5
    c.assert_gone()


def test_signals_that_are_about_us_are_not_forwarded(container: MakeContainer) -> None:
    traps = "; ".join(f"trap 'echo got {name}' {name}" for name in ("CHLD", "URG", "WINCH"))
    script = f"{traps}; trap 'exit 5' USR1; echo ready;"
    c = container("sh", "-c", f"{script} while :; do read line; done")
    process = c.spawn_run(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert read_line(process) == "ready\n"
    for number in (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGUSR1):
        process.send_signal(number)
    assert process.communicate()[0] == b""
    assert process.returncode == 5


def test_a_signal_that_our_caller_ignored_or_blocked_is_not_lost(container: MakeContainer) -> None:
    c = container("sh", "-c", LISTEN)

    def block() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    process = c.spawn_run(stdout=subprocess.PIPE, preexec_fn=block)
    assert read_line(process) == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert read_line(process) == "got TERM\n"
    process.send_signal(signal.SIGCONT)
    assert process.wait() == 5


# --- what run leaves, and what not


def test_run_leaves_nothing(container: MakeContainer) -> None:
    c = container("sh", "-c", "echo out; echo err >&2; exit 4")
    done = c.run()
    assert (done.rc, done.stdout, done.stderr) == (4, "out\n", "err\n")
    c.assert_gone()


def test_keep_leaves_a_stopped_container(container: MakeContainer) -> None:
    c = container("sh", "-c", "exit 4")
    assert c.run("--keep").rc == 4
    assert c.status == "stopped"
    c.run().failed("container with given ID already exists")
    c.delete().ok()
    c.assert_gone()


@pytest.mark.parametrize("option", ["--detach", "-d"])
def test_detach_comes_back_while_the_container_runs(container: MakeContainer, option: str) -> None:
    c = container("sh", "-c", "echo hello; sleep 1000")
    words = (
        "run",
        option,
        "--bundle",
        str(c.bundle.path),
        "--pid-file",
        f"{c.directory}/pid",
        c.id,
    )
    c.call_detached(*words).ok()
    assert c.status == "running"
    assert (c.directory / "pid").read_text() == str(c.pid)
    c.wait_stdout("hello\n")


def test_a_program_that_is_not_there_is_an_error_of_run(container: MakeContainer) -> None:
    c = container("no-such-program")
    c.run().failed('exec: "no-such-program": executable file not found in $PATH')
    c.assert_gone()
    c.run_detached().failed('exec: "no-such-program": executable file not found in $PATH')
    c.assert_gone()


def test_what_outlives_init_is_killed(container: MakeContainer) -> None:
    script = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; exit 3"
    c = container("sh", "-c", script, linux={"namespaces": NO_PID_NAMESPACE})
    done = c.run()
    assert done.rc == 3
    wait_exit(int(done.stdout))
    c.assert_gone()


# --- orphans


def orphaner(container: MakeContainer) -> Container:
    """A container without a pid namespace; it makes an orphan that ends for each line it gets."""
    script = "echo ready; while read line; do (sh -c 'echo $$' &); done; exit 6"
    return container("sh", "-c", script, linux={"namespaces": NO_PID_NAMESPACE})


def test_orphans_are_reaped_while_the_container_runs(container: MakeContainer) -> None:
    c = orphaner(container)
    process = c.spawn_run(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert read_line(process) == "ready\n"
    init = read_children_of(process.pid)
    assert init == {c.pid}
    for _ in range(3):
        process.stdin.write(b"\n")
        process.stdin.flush()
        orphan = int(read_line(process))
        wait_until(lambda pid=orphan: not Path(f"/proc/{pid}").exists())  # type: ignore[misc]
    assert read_children_of(process.pid) == init
    process.communicate()
    assert process.returncode == 6


def test_without_subreaper_orphans_go_to_somebody_else(container: MakeContainer) -> None:
    c = orphaner(container)
    process = c.spawn_run("--no-subreaper", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert read_line(process) == "ready\n"
    process.stdin.write(b"\n")
    process.stdin.flush()
    orphan = int(read_line(process))
    wait_exit(orphan)
    assert os.waitpid(orphan, 0) == (orphan, 0)  # ours: this process is the next subreaper
    process.communicate()
    assert process.returncode == 6


def test_the_container_survives_the_death_of_run(container: MakeContainer) -> None:
    c = container("sh", "-c", "echo ready; read line; echo $line; sleep 1000")
    process = c.spawn_run(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert read_line(process) == "ready\n"
    process.kill()
    process.wait()
    assert c.status == "running"
    process.stdin.write(b"still here\n")
    process.stdin.flush()
    assert read_line(process) == "still here\n"
    c.delete("--force").ok()
    c.assert_gone()
