"""NOTIFY_SOCKET: the container has a socket of its own, and what it says there is passed on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import PATIENCE, Container, MakeContainer, wait_until
from tests.support.service_manager import ServiceManager
from tests.support.terminals import on_terminal

INSIDE = "run/notify/notify.sock"
SLEEP = ("sleep", "1000")


@pytest.fixture
def manager(pyoci: Path, tmp_path: Path) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path / "manager.sock") as made:
        yield made


def for_service(c: Container, manager: ServiceManager) -> Container:
    c.environment["NOTIFY_SOCKET"] = manager.address
    return c


@contextlib.contextmanager
def inside(c: Container) -> Iterator[socket.socket]:
    """A socket connected to the container's, by the path that it has in the container."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"/proc/{read_pid(c)}/root/{INSIDE}")
        yield sender


def read_pid(c: Container) -> int:
    pid = int((c.directory / "pid").read_text())
    wait_until(lambda: Path(f"/proc/{pid}/root/{INSIDE}").exists())
    return pid


def end(process: subprocess.Popen[bytes], c: Container) -> None:
    """Kill the container that a run in the foreground waits for."""
    c.kill("KILL").ok()
    assert process.wait(PATIENCE) == 128 + signal.SIGKILL


def spawn_detached(c: Container, *words: str) -> subprocess.Popen[bytes]:
    """A `run --detach` or `start`, while the test goes on."""
    with c.stdout_path.open("ab") as stdout:
        return c.spawn(*words, stdout=stdout, stderr=stdout)


def run_words(c: Container, *options: str) -> tuple[str, ...]:
    files = ("--bundle", str(c.bundle.path), "--pid-file", str(c.directory / "pid"))
    return ("run", *options, *files, c.id)


def test_what_the_container_sees(container: MakeContainer, manager: ServiceManager) -> None:
    script = (
        "echo $NOTIFY_SOCKET; stat -c '%a %F' /run/notify /run/notify/notify.sock"
        "; grep ' /run/notify ' /proc/self/mounts; touch /run/notify/x"
    )
    c = for_service(container("sh", "-c", script), manager)
    done = c.run()
    variable, directory, sock, mount = done.stdout.splitlines()
    assert variable == "/run/notify/notify.sock"
    assert (directory, sock) == ("755 directory", "777 socket")
    assert set(mount.split()[3].split(",")) >= {"ro", "nosuid", "nodev", "noexec"}
    assert "Read-only file system" in done.stderr
    c.assert_gone()


def test_without_the_variable_there_is_none(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "echo -$NOTIFY_SOCKET-; ls -d /run/notify")
    done = c.run()
    assert done.stdout == "--\n"
    assert not (c.bundle.rootfs / "run").exists()


def test_in_the_foreground_all_is_passed_on(
    container: MakeContainer, manager: ServiceManager
) -> None:
    c = for_service(container(*SLEEP), manager)
    process = c.spawn(*run_words(c))
    wait_until((c.directory / "pid").exists)
    with inside(c) as sender:
        for message in ("STATUS=half way", "READY=1\nSTATUS=there", "WATCHDOG=1", "STOPPING=1"):
            sender.send(message.encode())
            # We are the main process, and stay it.
            assert manager.receive() == message
    end(process, c)
    c.assert_gone()


def test_what_is_not_the_containers_to_say(
    container: MakeContainer, manager: ServiceManager
) -> None:
    c = for_service(container(*SLEEP), manager)
    process = c.spawn(*run_words(c))
    wait_until((c.directory / "pid").exists)
    with inside(c) as sender, open(os.devnull) as null:
        sender.send(b"MAINPID=1\nSTATUS=one\nNOTIFYACCESS=all")
        assert manager.receive() == "STATUS=one"
        socket.send_fds(sender, [b"FDSTORE=1\nFDNAME=x"], [null.fileno()])
        sender.send(b"MAINPID=1")
        sender.send(b"x" * 5000)
        sender.send(b"")
        sender.send(b"STATUS=two")
        assert manager.receive() == "STATUS=two"
        assert manager.barriers == []
    end(process, c)


def test_a_barrier_of_the_container(container: MakeContainer, manager: ServiceManager) -> None:
    """sd_notify_barrier(3): the descriptor is closed once what came before has been passed on."""
    c = for_service(container(*SLEEP), manager)
    process = c.spawn(*run_words(c))
    wait_until((c.directory / "pid").exists)
    read_fd, write_fd = os.pipe()
    with inside(c) as sender:
        sender.send(b"STATUS=before")
        socket.send_fds(sender, [b"BARRIER=1"], [write_fd])
    os.close(write_fd)
    assert os.read(read_fd, 1) == b""
    os.close(read_fd)
    assert manager.has_more()
    assert manager.receive() == "STATUS=before"
    assert not manager.has_more()
    end(process, c)


def test_what_is_said_last_is_passed_on(container: MakeContainer, manager: ServiceManager) -> None:
    c = for_service(container("sh", "-c", "read line; exit 3"), manager)
    process = c.spawn(*run_words(c), stdin=subprocess.PIPE)
    assert process.stdin is not None
    wait_until((c.directory / "pid").exists)
    # The pid is known before the program runs, and pyoci has to start that.
    comm = Path(f"/proc/{read_pid_file(c)}/comm")
    wait_until(lambda: comm.read_text() == "sh\n")
    with inside(c) as sender:
        process.send_signal(signal.SIGSTOP)
        sender.send(b"STOPPING=1")
        process.stdin.write(b"\n")
        process.stdin.flush()
        wait_until(lambda: "Z" in Path(f"/proc/{read_pid_file(c)}/stat").read_text().split()[2])
        process.send_signal(signal.SIGCONT)
    assert process.wait(PATIENCE) == 3
    process.stdin.close()
    assert manager.receive() == "STOPPING=1"


def read_pid_file(c: Container) -> int:
    return int((c.directory / "pid").read_text())


@pytest.mark.parametrize("command", ["run", "start"])
def test_detached_it_waits_until_the_container_is_ready(
    container: MakeContainer, manager: ServiceManager, command: str
) -> None:
    c = for_service(container(*SLEEP), manager)
    if command == "start":
        c.create("--pid-file", str(c.directory / "pid")).ok()
        process = spawn_detached(c, "start", c.id)
    else:
        process = spawn_detached(c, *run_words(c, "--detach"))
    wait_until((c.directory / "pid").exists)
    with inside(c) as sender:
        sender.send(b"STATUS=half way")
        assert manager.receive() == "STATUS=half way"
        assert process.poll() is None
        sender.send(b"READY=1\nMAINPID=1")
        # With the host's pid, in one: who looks after it must not look for another one first.
        assert manager.receive() == f"READY=1\nMAINPID={c.pid}"
    assert manager.receive() == "BARRIER=1"
    assert process.poll() is None
    manager.release()
    assert process.wait(PATIENCE) == 0
    assert c.status == "running"
    assert c.read_stdout() == ""


@pytest.mark.parametrize("command", ["run", "start"])
def test_detached_it_does_not_wait_for_the_dead(
    container: MakeContainer, manager: ServiceManager, command: str
) -> None:
    c = for_service(container("true"), manager)
    if command == "start":
        c.create().ok()
        c.start().ok()
    else:
        c.run_detached().ok()
    assert c.status == "stopped"
    assert not manager.has_more()
    c.delete().ok()
    c.assert_gone()


def test_who_starts_it_has_the_service_manager(
    container: MakeContainer, manager: ServiceManager
) -> None:
    """The environment of `start` counts: engines call it from elsewhere than `create`."""
    c = for_service(container(*SLEEP), manager)
    c.create().ok()
    del c.environment["NOTIFY_SOCKET"]
    c.start().ok()
    assert c.status == "running"
    assert not list((c.state_directory / "notify").iterdir())


def test_a_container_that_was_made_without(
    container: MakeContainer, manager: ServiceManager
) -> None:
    c = container(*SLEEP)
    c.create().ok()
    for_service(c, manager).start().ok()
    assert not manager.has_more()


def test_a_service_manager_that_is_not_there(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "exit 3")
    c.environment["NOTIFY_SOCKET"] = str(c.directory / "nobody")
    done = c.call("--log", str(c.log_path), *run_words(c))
    assert (done.rc, done.stderr) == (3, "")
    assert "NOTIFY_SOCKET" in c.log_path.read_text()
    assert "no such file or directory" in c.log_path.read_text()


def test_an_abstract_socket_and_a_long_path(
    pyoci: Path, container: MakeContainer, test_name: str
) -> None:
    c = container(*SLEEP, name="b" * 100)
    c.root = c.directory / ("r" * 100)
    with ServiceManager(f"@{test_name}") as manager:
        for_service(c, manager)
        process = c.spawn(*run_words(c))
        wait_until((c.directory / "pid").exists)
        with inside(c) as sender:
            sender.send(b"READY=1")
            assert manager.receive() == "READY=1"
    end(process, c)


def test_on_a_terminal(container: MakeContainer, manager: ServiceManager) -> None:
    c = for_service(container("sh", "-c", "read line", process={"terminal": True}), manager)
    with on_terminal([*c.program, *run_words(c)], c.environment) as t:
        wait_until((c.directory / "pid").exists)
        with inside(c) as sender:
            sender.send(b"READY=1")
            assert manager.receive() == "READY=1"
        t.type("\n")
        assert t.wait() == 0
    c.assert_gone()


def test_a_container_without_mounts_of_its_own(
    container: MakeContainer, manager: ServiceManager
) -> None:
    kinds = [{"type": kind} for kind in ("pid", "ipc", "uts")]
    c = container(
        *("sh", "-c", "echo -$NOTIFY_SOCKET-"),
        linux={"namespaces": kinds, "maskedPaths": [], "readonlyPaths": []},
        root={"readonly": False},
    )
    assert for_service(c, manager).run().ok().stdout == "--\n"
    assert not manager.has_more()


def test_a_rootfs_that_has_no_place_for_it(
    container: MakeContainer, manager: ServiceManager
) -> None:
    c = for_service(container("true"), manager)
    (c.bundle.rootfs / "run").write_text("a file")
    c.run().failed("/run/notify", "(NOTIFY_SOCKET)")
    c.assert_gone()
