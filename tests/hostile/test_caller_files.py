"""Files that the caller names and that are none: FIFOs, devices, sockets, directories, full disks.

R-IO-2, R-IO-4: nothing waits for them, nothing of the host is replaced by accident, and whatever
was made before the failure goes with it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer
from tests.support.hostile import is_pyoci, refused

LONG = ("sleep", "1000")


def make_special(path: Path, kind: str) -> None:
    """Something at the path that is no regular file."""
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "device":  # one that is not there
        os.mknod(path, 0o020666, os.makedev(509, 1))
    else:  # one that never ends
        os.mknod(path, 0o020666, os.makedev(1, 5))


SPECIAL = ("fifo", "directory", "socket", "device", "endless")


# --- what is read


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_config_that_is_no_file(pyoci: Path, container: MakeContainer, kind: str) -> None:
    c = container("true")
    make_special(c.bundle.path / "config.json", kind)
    refused(c.create(timeout=20), "config.json")
    c.assert_gone()


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_process_file_that_is_no_file(pyoci: Path, container: MakeContainer, kind: str) -> None:
    c = container(*LONG)
    c.run_detached().ok()
    path = c.directory / "process.json"
    make_special(path, kind)
    done = c.exec(options=("--process", str(path)), timeout=20)
    assert done.rc == 255
    assert "process.json" in done.stderr
    assert (c.cgroup / "cgroup.procs").read_text().split() == [str(c.pid)]


@pytest.mark.parametrize("kind", SPECIAL)
def test_resources_that_are_no_file(pyoci: Path, container: MakeContainer, kind: str) -> None:
    c = container(*LONG)
    c.run_detached().ok()
    path = c.directory / "resources.json"
    make_special(path, kind)
    refused(c.call("update", "--resources", str(path), c.id, timeout=20), "resources.json")


# --- what is written


@pytest.mark.parametrize("kind", [*SPECIAL, "missing directory", "null"])
@pytest.mark.parametrize("command", ["create", "run", "exec"])
def test_a_pid_file_that_is_no_file(container: MakeContainer, command: str, kind: str) -> None:
    c = container(*LONG)
    directory = c.directory / "pids"
    directory.mkdir()
    path = directory / "pid"
    if kind == "null":
        os.mknod(path, 0o020666, os.makedev(1, 3))
    elif kind != "missing directory":
        make_special(path, kind)
    before = list_modes(directory)
    option = ("--pid-file", str(path / "below" if kind == "missing directory" else path))
    if command == "exec":
        c.create().ok()
        done = c.call_detached("exec", "--detach", *option, c.id, *LONG, timeout=20)
    else:
        call = c.create if command == "create" else c.run_detached
        done = call(*option, timeout=20)
    # A FIFO or socket is replaced, as by runc, or refused; a device is written to.
    if is_pyoci(str(c.runtime)):
        assert (done.rc == 0) == (kind in ("fifo", "socket", "null", "endless")), done
    if kind not in ("fifo", "socket") or done.rc != 0:
        assert list_modes(directory) == before
    else:
        assert path.is_file()
        assert [entry.name for entry in directory.iterdir()] == ["pid"]
    if command == "exec":
        end_exec(c, 1 if done.rc == 0 else 0)
    elif done.rc != 0:
        c.assert_gone()


def list_modes(directory: Path) -> dict[str, int]:
    """What there is in a directory, and of which kind."""
    return {path.name: path.lstat().st_mode for path in directory.iterdir()}


def end_exec(c: Container, count: int) -> None:
    """AssertionError unless there are so many processes besides init; they end."""
    others = {int(pid) for pid in (c.cgroup / "cgroup.procs").read_text().split()} - {c.pid}
    assert len(others) == count
    for pid in others:  # orphans, and so ours to reap
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_pid_file_through_a_symlink(pyoci: Path, container: MakeContainer) -> None:
    c = container(*LONG)
    path, link = c.directory / "pid", c.directory / "link"
    path.write_text("12345678901234567890")
    link.symlink_to(path)
    c.create("--pid-file", str(link)).ok()
    assert path.read_text() == str(c.pid)
    assert link.is_symlink()


@pytest.mark.parametrize("command", ["create", "run"])
@pytest.mark.parametrize("kind", ["nobody", "fifo", "directory", "file", "missing"])
def test_a_console_socket_that_nobody_serves(
    container: MakeContainer, kind: str, command: str
) -> None:
    c = container(*LONG, process={"terminal": True})
    path = c.directory / "console"
    if kind == "file":
        path.touch()
    elif kind != "missing":
        make_special(path, "socket" if kind == "nobody" else kind)
    words = ("--detach",) if command == "run" else ()
    words = (command, *words, "--bundle", str(c.bundle.path), "--console-socket", str(path), c.id)
    refused(c.call_detached(*words, timeout=20), "console")
    c.assert_gone()


def test_a_console_socket_whose_server_sleeps(container: MakeContainer) -> None:
    """Its queue is full: to connect would wait for a server that never comes."""
    c = container(*LONG, process={"terminal": True})
    path = c.directory / "console"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(str(path))
            words = ("--bundle", str(c.bundle.path), "--console-socket", str(path), c.id)
            refused(c.call_detached("create", *words, timeout=30), "console")
    c.assert_gone()


# --- the log


def test_a_log_on_a_full_disk(container: MakeContainer) -> None:
    c = container("no-such-program")
    words = ("run", "--bundle", str(c.bundle.path), c.id)
    refused(c.call("--log", "/dev/full", *words), "executable file not found")
    c.assert_gone()


@pytest.mark.parametrize("kind", ["fifo", "directory", "socket", "device"])
def test_a_log_that_is_no_file(container: MakeContainer, kind: str) -> None:
    c = container("true")
    path = c.directory / "the-log"
    make_special(path, kind)
    words = ("run", "--bundle", str(c.bundle.path), c.id)
    refused(c.call("--log", str(path), *words, timeout=20), "the-log")
    c.assert_gone()


# --- standard streams


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
@pytest.mark.parametrize("command", ["run", "create"])
def test_closed_streams_are_no_way_to_the_runtimes_files(
    container: MakeContainer, command: str, closed: str
) -> None:
    """What it opens itself must not become the program's standard streams."""
    script = "for fd in 0 1 2; do readlink /proc/self/fd/$fd; done >/list"
    c = container("sh", "-c", script, root={"readonly": False})
    redirections = " ".join(f"{fd}<&-" for fd in closed)
    words = [*c.program, command, "--bundle", str(c.bundle.path), c.id]
    with (c.directory / "output").open("wb") as output:
        subprocess.run(
            ["sh", "-c", f'exec "$@" {redirections}', "sh", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=c.environment,
            check=False,
            timeout=20,
        )
    if command == "create" and c.state_directory.exists():
        c.start()
        c.wait_status("stopped")
        c.delete("--force")
    listed = c.bundle.rootfs / "list"
    found = set(listed.read_text().split()) if listed.exists() else set()
    if not is_pyoci(str(c.runtime)):  # what it carries over itself
        found = {name for name in found if not name.startswith("pipe:")}
    assert found <= {"/list", "/dev/null", str(c.directory / "output")}, found
    c.assert_gone()


@pytest.mark.parametrize("stream", [1, 2])
def test_full_streams_do_not_end_the_runtime(container: MakeContainer, stream: int) -> None:
    c: Container = container("sh", "-c", "echo x; echo y >&2; exit 3")
    name = {1: "stdout", 2: "stderr"}[stream]
    with Path("/dev/full").open("wb") as full:
        done = c.run(**{name: full})
    assert done.rc == 3, done
    c.assert_gone()
