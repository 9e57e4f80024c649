"""SIGKILL of the runtime at any moment: `delete --force` then finds everything and removes it.

Engines have their runtimes killed with themselves, so that this happens.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit, wait_until

# An interpreter starts in the first part of it, and a container is there at its end.
DELAYS_MS = range(0, 61, 6)

LONG = ("sleep", "1000")


def kill_after(process: subprocess.Popen[bytes], milliseconds: int, number: int = 9) -> int:
    """Send the signal if it does not end earlier by itself; its status."""
    try:
        return process.wait(milliseconds / 1000)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        return process.wait(60)


def prepare(container: MakeContainer, command: str) -> Container:
    """A container in the status that this command is for."""
    c = container(*LONG)
    # The cgroup's parent is made, and has to go, too.
    c.bundle.config["linux"]["cgroupsPath"] += "/below"
    c.bundle.write()
    if command in ("start", "delete"):
        c.create().ok()
    if command == "delete":
        c.start().ok()
    return c


def words_of(c: Container, command: str) -> list[str]:
    return {
        "create": ["create", "--bundle", str(c.bundle.path), c.id],
        "run": ["run", "--bundle", str(c.bundle.path), c.id],
        "start": ["start", c.id],
        "delete": ["delete", "--force", c.id],
    }[command]


def assert_can_be_deleted(c: Container) -> None:
    """Whatever there is of it; the fixture `no_leaks` looks for processes."""
    status = c.state()
    assert status.rc in (0, 1), status
    assert "Traceback" not in status.stderr
    c.delete("--force").ok()
    c.assert_gone()
    assert not c.cgroup.parent.exists()


@pytest.mark.parametrize("command", ["create", "run", "start", "delete"])
def test_killed_at_any_time(pyoci: Path, container: MakeContainer, command: str) -> None:
    for delay in DELAYS_MS:
        c = prepare(container, command)
        process = c.spawn(
            *words_of(c, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        kill_after(process, delay)
        assert_can_be_deleted(c)


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
        process = c.spawn(
            *words_of(c, "create"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        status = kill_after(process, delay, signal.SIGINT)
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
