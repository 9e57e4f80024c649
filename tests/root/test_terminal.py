"""Terminals: the container's own pty, sent to the engine or relayed in the foreground."""

from __future__ import annotations

import array
import contextlib
import os
import pty
import socket
import termios
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer

SCRIPT = 'tty; test -c /dev/console && echo console; read line; echo "got $line"; exit 5'


def read_all(fd: int) -> str:
    """What comes until the other side hangs up, which a pty tells with EIO."""
    said = b""
    with contextlib.suppress(OSError):
        while part := os.read(fd, 4096):
            said += part
    return said.decode()


@pytest.fixture
def terminal(container: MakeContainer) -> Container:
    return container("sh", "-c", SCRIPT, process={"terminal": True})


def test_a_terminal_in_the_foreground(pyoci: Path, terminal: Container) -> None:
    c = terminal
    pid, master = pty.fork()
    if pid == 0:
        words = ["run", "--bundle", str(c.bundle.path), c.id]
        os.execv(c.program[0], [*c.program, *words])  # noqa: S606
    before = termios.tcgetattr(master)
    os.write(master, b"hello\n")
    said = read_all(master)
    after = termios.tcgetattr(master)
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    assert "/dev/pts/0" in said
    assert "console" in said
    assert "got hello" in said
    assert after == before  # raw mode is taken back
    c.assert_gone()


def test_a_console_socket(pyoci: Path, terminal: Container, tmp_path: Path) -> None:
    """One message: the terminal's name, and its master end as the only descriptor."""
    c = terminal
    path = tmp_path / ("d" * 60) / ("e" * 60) / "console.sock"  # too long for sun_path
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)
        server.bind(path.name)
        os.chdir("/")
        server.listen(1)
        c.create("--console-socket", str(path)).ok()
        connection, _ = server.accept()
        with connection:
            name, messages, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(8))
    ((level, kind, raw),) = messages
    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    (master,) = array.array("i", raw)
    assert name.decode() == "/dev/pts/0"
    c.start().ok()
    os.write(master, b"there\n")
    assert "got there" in read_all(master)
    os.close(master)


def test_a_detached_terminal_needs_a_socket(pyoci: Path, terminal: Container) -> None:
    terminal.create().failed("cannot allocate tty if", "without setting console socket")
    terminal.assert_gone()


def test_a_socket_without_a_terminal_is_refused(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    c.create("--console-socket", "/nowhere").failed("cannot use console socket if")
    c.assert_gone()


def read_cpu_seconds(pid: int) -> float:
    """What a process has used (proc(5): utime and stime)."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_nobody_listening_costs_nothing(pyoci: Path, container: MakeContainer) -> None:
    """The reader of our stdout goes away, and the container does not mind: we must not spin."""
    c = container("sh", "-c", "trap '' HUP; echo ready; sleep 2", process={"terminal": True})
    reader, writer = os.pipe()
    words = [*c.program, "run", "--bundle", str(c.bundle.path), c.id]
    actions = [(os.POSIX_SPAWN_DUP2, writer, 1)]
    pid = os.posix_spawn(words[0], words, c.environment, file_actions=actions)
    os.close(writer)
    assert os.read(reader, 5) == b"ready"
    before = read_cpu_seconds(pid)  # in User Mode Linux it takes a second to get here
    os.close(reader)
    _, status, used = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert used.ru_utime + used.ru_stime - before < 1.0  # of two seconds
    c.assert_gone()
