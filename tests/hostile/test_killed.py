"""SIGKILL of the runtime at any moment: `delete --force` then finds everything and removes it.

Engines have their runtimes killed with themselves, so that this happens.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.containers import (
    Container,
    MakeContainer,
    read_children,
    reap_children,
    wait_exit,
    wait_until,
)
from tests.support.hostile import is_pyoci

# An interpreter starts in the first part of it, and a container is there at its end.
DELAYS_MS = (0, 4, 8, 14, 22, 32, 45, 60)

NULL = subprocess.DEVNULL
LONG = ("sleep", "1000")
COMMANDS = ("create", "run", "start", "exec", "update", "kill", "pause", "resume", "delete")
LONGEST = ("create", "run", "exec", "delete")
OF_RUNNING = ("exec", "update", "kill", "pause", "resume", "delete")


def kill_after(
    process: subprocess.Popen[bytes],
    milliseconds: int,
    send: Callable[[subprocess.Popen[bytes]], object],
) -> int:
    """Have it killed if it does not end earlier by itself; its status."""
    try:
        return process.wait(milliseconds / 1000)
    except subprocess.TimeoutExpired:
        send(process)
        return process.wait(60)


def prepare(container: MakeContainer, command: str) -> Container:
    """A container in the status that this command is for."""
    c = container(*LONG)
    # The cgroup's parent is made, and has to go, too.
    c.bundle.config["linux"]["cgroupsPath"] += "/below"
    c.bundle.write()
    (c.directory / "resources.json").write_text('{"unified": {"cgroup.max.depth": "7"}}')
    if command in ("start", *OF_RUNNING):
        c.create().ok()
    if command in OF_RUNNING:
        c.start().ok()
    if command == "resume":
        c.call("pause", c.id).ok()
    return c


def words_of(c: Container, command: str) -> list[str]:
    """The command line; whatever has a pid file writes one."""
    pid_file = str(c.directory / "pids" / "pid")
    Path(pid_file).parent.mkdir(exist_ok=True)
    return {
        "create": ["create", "--bundle", str(c.bundle.path), "--pid-file", pid_file, c.id],
        "run": ["run", "--bundle", str(c.bundle.path), "--pid-file", pid_file, c.id],
        "start": ["start", c.id],
        "exec": ["exec", "--pid-file", pid_file, c.id, *LONG],
        "update": ["update", "--resources", str(c.directory / "resources.json"), c.id],
        "kill": ["kill", c.id, "KILL"],
        "pause": ["pause", c.id],
        "resume": ["resume", c.id],
        "delete": ["delete", "--force", c.id],
    }[command]


def assert_can_be_deleted(c: Container) -> None:
    """Whatever there is of it; the fixture `no_leaks` looks for processes."""
    status = c.state()
    assert status.rc in (0, 1), status
    assert "Traceback" not in status.stderr
    delete_and_reap(c)
    c.assert_gone()
    if not is_pyoci(str(c.runtime)) and c.cgroup.parent.exists():
        c.cgroup.parent.rmdir()  # others leave the parents that they have made
    assert not c.cgroup.parent.exists()


def delete_and_reap(c: Container) -> None:
    """Delete it by force; meanwhile do what an engine does, and reap the orphans.

    A process that joined the container keeps init from ending until it is reaped (an exec, whose
    parent has become us; pid_namespaces(7)).
    """
    process = c.spawn("delete", "--force", c.id)

    def ended() -> bool:
        reap_children({process.pid})
        return process.poll() is not None

    wait_until(ended)
    assert process.returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_any_time(container: MakeContainer, command: str) -> None:
    for delay in DELAYS_MS:
        kill_at(container, command, delay)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_each_millisecond(container: MakeContainer, command: str) -> None:
    for delay in range(61):
        kill_at(container, command, delay)


def kill_at(container: MakeContainer, command: str, milliseconds: int) -> None:
    """A container whose runtime is killed so long after its start, and then deleted by force."""
    c = prepare(container, command)
    process = c.spawn(*words_of(c, command), stdout=NULL, stderr=NULL)
    kill_after(process, milliseconds, subprocess.Popen.kill)
    assert_can_be_deleted(c)


@pytest.mark.parametrize("command", LONGEST)
def test_its_process_group_is_killed(container: MakeContainer, command: str) -> None:
    """As by a terminal that hangs up, or an engine that cleans up after itself."""
    for delay in DELAYS_MS[2:]:
        c = prepare(container, command)
        words = words_of(c, command)
        process = c.spawn(*words, stdout=NULL, stderr=NULL, start_new_session=True)
        kill_after(process, delay, lambda process: os.killpg(process.pid, signal.SIGKILL))
        assert_can_be_deleted(c)


@pytest.mark.parametrize("command", LONGEST)
def test_its_parent_is_killed_and_then_itself(container: MakeContainer, command: str) -> None:
    """An engine is killed, and a supervisor kills what it has left behind."""
    for delay in DELAYS_MS[2:]:
        c = prepare(container, command)
        script = f'"$@" & echo $! >{c.directory}/orphan; wait'
        words = words_of(c, command)
        engine = c.spawn_by(["sh", "-c", script, "sh"], *words, stdout=NULL, stderr=NULL)
        pid = take_number(c.directory / "orphan")
        kill_after(engine, delay, subprocess.Popen.kill)
        if pid in read_children():  # it has become ours
            os.kill(pid, signal.SIGKILL)
        assert_can_be_deleted(c)


def take_number(path: Path) -> int:
    """The number in the file, once it is there; the file goes."""
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    number = int(path.read_text())
    path.unlink()
    return number


# A system call before which the main process is killed, and which one of that name.
MOMENTS = {
    "create": [
        "mkdir:1", "mkdirat:1", "fchmod:1", "renameat:1", "fchmod:2", "mknodat:1", "mkdir:2",
        "mkdir:3", "bpf:1", "bpf:2", "socketpair:1", "clone3:1", "fchmod:3", "renameat:2",
        "renameat:3", "exit_group:1",
    ],
    "start": ["flock:1", "pidfd_open:1", "write:1", "unlinkat:1", "poll:1", "exit_group:1"],
    "delete": [
        "flock:1", "pidfd_send_signal:1", "poll:1", "rmdir:1", "rmdir:2", "unlinkat:1",
        "unlinkat:2", "unlinkat:3", "unlinkat:4", "unlinkat:5", "unlinkat:6", "exit_group:1",
    ],
}  # fmt: skip


def inject(
    c: Container, moment: str, what: str, command: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command; its main process meets this at that system call (strace(1), inject)."""
    call, when = moment.split(":")
    words = ["-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}"]
    with c.stdout_path.open("wb") as output:
        return subprocess.run(
            ["strace", "-o", "/dev/null", *words, *c.program, *words_of(c, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=c.environment,
            check=False,
            timeout=60,
        )


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize(
    ("command", "moment"), [(command, moment) for command in MOMENTS for moment in MOMENTS[command]]
)
def test_killed_at_this_moment(
    pyoci: Path, container: MakeContainer, command: str, moment: str
) -> None:
    c = prepare(container, command)
    done = inject(c, moment, "signal=SIGKILL", command)
    assert done.returncode == -signal.SIGKILL, c.read_stdout()
    assert_can_be_deleted(c)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_init_ends_by_itself_where_nobody_knows_of_it(
    pyoci: Path, container: MakeContainer
) -> None:
    c = prepare(container, "create")
    inject(c, "renameat:2", "signal=SIGKILL", "create")
    wait_until(lambda: "populated 0" in (c.cgroup / "cgroup.events").read_text())
    assert_can_be_deleted(c)


def test_start_of_an_init_that_ends_at_this_moment(pyoci: Path, container: MakeContainer) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    c = prepare(container, "start")
    done = inject(c, "write:1", "error=EPIPE", "start")
    assert done.returncode == 1
    assert "cannot start a container that has stopped" in c.read_stdout()


def test_a_stranger_in_the_cgroup_survives_it_all(pyoci: Path, container: MakeContainer) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    c = container(*LONG)
    child = c.cgroup / "child"
    child.mkdir(parents=True)
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        (c.cgroup / "cgroup.procs").write_text(str(stranger.pid))
        c.create().failed("container's cgroup is not empty: 1 process(es) found")
        assert not c.state_directory.exists()
        for moment in ("renameat:1", "mknodat:1"):
            inject(c, moment, "signal=SIGKILL", "create")
            assert c.state_directory.exists()
            c.delete("--force").ok()
            assert not c.state_directory.exists()
        assert stranger.poll() is None
        assert child.exists()
    finally:
        stranger.kill()
        stranger.wait()
        child.rmdir()
        c.cgroup.rmdir()


def test_an_interrupt_undoes_what_was_done(pyoci: Path, container: MakeContainer) -> None:
    for delay in DELAYS_MS:
        c = prepare(container, "create")
        process = c.spawn(*words_of(c, "create"), stdout=NULL, stderr=NULL)
        status = kill_after(process, delay, lambda process: process.send_signal(signal.SIGINT))
        if status == 0:
            c.delete().ok()
        c.assert_gone()
        assert not c.cgroup.parent.exists()


def test_a_container_survives_the_parent_of_its_runtime(container: MakeContainer) -> None:
    c = container(*LONG)
    script = '"$@" & wait $!; kill -9 $$'
    with c.stdout_path.open("wb") as output:
        subprocess.run(
            ["sh", "-c", script, "sh", *c.program, *words_of(c, "create")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    assert c.status == "created"
    pid = c.pid
    c.start().ok()
    assert c.status == "running"
    os.kill(pid, signal.SIGKILL)
    wait_exit(pid)
