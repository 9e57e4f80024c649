"""exec --tty: a pty of the container's own devpts, relayed in the foreground or sent away."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.root.test_exec import FAILED, SLEEP, end, processes
from tests.support.containers import (
    Container,
    MakeContainer,
    read_children,
    reap_children,
    wait_until,
)
from tests.support.terminals import (
    ConsoleSocket,
    on_terminal,
    read_size,
    read_until_hangup,
)

MakeRunning = Callable[..., Container]
NO_SOCKET = "cannot allocate tty if pyoci will detach without setting console socket"
NO_TERMINAL = "cannot use console socket if pyoci will not detach or allocate tty"
# Device and owner of standard input, whether it is our controlling terminal, its size.
DESCRIBE = 'tty; stat -c "dev=%d owner=%u" $(tty); echo hello >/dev/tty; stty size'
# Of the same ids, so that the bundle needs no other owner.
MAPS = [{"containerID": 0, "hostID": 0, "size": 65536}]


@pytest.fixture
def running(pyoci: Path, container: MakeContainer) -> Iterator[MakeRunning]:
    """Makes a running container that only waits."""
    made: list[Container] = []

    def make(**options: Any) -> Container:  # noqa: ANN401
        c = container(*SLEEP, **options)
        c.run_detached().ok()
        made.append(c)
        return c

    yield make
    for c in made:
        if c.state_directory.exists():
            for pid in processes(c).intersection(read_children()) - {c.pid}:
                end(pid)


def words(c: Container, *args: str) -> list[str]:
    return [*c.program, "exec", *args]


def shell_on_terminal(c: Container, script: str, *options: str) -> str:
    """What a script says on a terminal that pyoci is on."""
    with on_terminal(words(c, "--tty", *options, c.id, "sh", "-c", script), c.environment) as t:
        assert t.wait() == 0
        return t.said.decode()


# --- in the foreground


def test_the_terminal_is_the_containers(running: MakeRunning) -> None:
    c = running()
    with on_terminal(words(c, "-t", c.id, "sh"), c.environment, 33, 111) as t:
        t.expect("#")
        assert t.is_raw()
        t.type(f"{DESCRIBE}; exit 7\n")
        t.expect("/dev/pts/0\r\n")
        devpts = os.stat(f"/proc/{c.pid}/root/dev/pts").st_dev
        t.expect(f"dev={devpts} owner=0\r\n")
        t.expect("hello\r\n")
        t.expect("33 111\r\n")
        assert t.wait() == 7
    assert processes(c) == {c.pid}


def test_it_belongs_to_the_user(running: MakeRunning) -> None:
    c = running()
    said = shell_on_terminal(c, f"{DESCRIBE}; echo more >$(tty)", "--user", "1000")
    assert "owner=1000\r\n" in said
    assert "hello\r\n" in said
    assert "more\r\n" in said


def test_in_a_user_namespace(running: MakeRunning) -> None:
    c = running(
        linux={
            "namespaces": [
                {"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "user")
            ],
            "uidMappings": MAPS,
            "gidMappings": MAPS,
        },
    )
    said = shell_on_terminal(c, DESCRIBE)
    assert "owner=0\r\n" in said
    assert "hello\r\n" in said


def test_options_of_the_process_hold(running: MakeRunning) -> None:
    c = running(process={"env": ["PATH=/bin", "TERM=vt100"]})
    said = shell_on_terminal(c, "echo $TERM; pwd; umask; ls /proc/self/fd", "--cwd", "/tmp")  # noqa: S108
    assert said.split() == ["vt100", "/tmp", "0022", "0", "1", "2", "3"]  # noqa: S108


def test_the_window_is_resized(running: MakeRunning) -> None:
    c = running()
    script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.01; done"
    with on_terminal(words(c, "-t", c.id, "sh", "-c", script), c.environment, 10, 20) as t:
        t.expect("10 20\r\n")
        t.resize(30, 40)
        t.expect("30 40\r\n")
        os.kill(t.pid, signal.SIGTERM)
        assert t.wait() == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_it_and_gives_the_terminal_back(
    running: MakeRunning, number: signal.Signals
) -> None:
    c = running()
    with on_terminal(words(c, "-t", c.id, "cat"), c.environment) as t:
        t.type("ready\n")
        t.expect("ready\r\nready\r\n")  # by the terminal, and by cat
        assert t.is_raw()
        os.kill(t.pid, number)
        assert t.wait() == 128 + number


def test_the_end_of_the_container_gives_the_terminal_back(running: MakeRunning) -> None:
    c = running()
    with on_terminal(words(c, "-t", c.id, "cat"), c.environment) as t:
        t.type("ready\n")
        t.expect("ready\r\nready\r\n")  # by the terminal, and by cat
        c.delete("--force").ok()
        assert t.wait() == 128 + signal.SIGKILL
    c.assert_gone()


def test_a_program_that_is_not_there_gives_the_terminal_back(running: MakeRunning) -> None:
    c = running()
    with on_terminal(words(c, "-t", c.id, "nosuch"), c.environment) as t:
        assert t.wait() == FAILED
        t.expect('exec: "nosuch": executable file not found in $PATH\r\n')
    assert processes(c) == {c.pid}


def test_control_characters_are_the_containers(running: MakeRunning) -> None:
    c = running()
    script = "trap 'echo interrupted; exit 4' INT; echo ready; while :; do sleep 0.01; done"
    with on_terminal(words(c, "-t", c.id, "sh", "-c", script), c.environment) as t:
        t.expect("ready\r\n")
        t.type("\x03")
        t.expect("interrupted\r\n")
        assert t.wait() == 4


def test_pipes_on_our_side(running: MakeRunning) -> None:
    """Input ends with the pipe, also in the middle of a line; output is without carriage returns.

    stty has it echo nothing before that is given something to echo.
    """
    c = running()
    script = "stty -echo; echo ready; cat; echo end"
    process = c.spawn("exec", "-t", c.id, "sh", "-c", script, stdin=-1, stdout=-1)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    out, _ = process.communicate(b"one\ntwo")
    assert (process.returncode, out) == (0, b"one\ntwoend\n")


def test_a_pid_file_names_it(running: MakeRunning) -> None:
    c = running()
    pid_file = c.directory / "pid"
    given = ("--tty", "--pid-file", str(pid_file), c.id, *SLEEP)
    with on_terminal(words(c, *given), c.environment) as t:
        wait_until(pid_file.exists)
        assert processes(c) == {c.pid, int(pid_file.read_text())}
        os.kill(t.pid, signal.SIGTERM)
        assert t.wait() == 128 + signal.SIGTERM


def test_without_main_it_does_not_start(running: MakeRunning) -> None:
    """Stopped before the terminal is in hand, then killed: nobody would ever read from it."""
    c = running()
    c.freeze()
    given = ("--tty", "--ignore-paused", c.id, "touch", "/dev/shm/ran")  # noqa: S108
    with on_terminal(words(c, *given), c.environment) as t:
        wait_until(lambda: len(processes(c)) == 2)
        os.kill(t.pid, signal.SIGKILL)
        os.waitpid(t.pid, 0)
        t.pid = 0
    (c.cgroup / "cgroup.freeze").write_text("0")
    wait_until(lambda: processes(c) == {c.pid})
    reap_children({c.pid})
    assert c.exec("stat", "/dev/shm/ran").rc == 1  # noqa: S108


# --- detached


def write_process(c: Container, *args: str, **members: Any) -> str:  # noqa: ANN401
    path = c.directory / "process.json"
    process = {"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "terminal": True, **members}
    path.write_text(json.dumps(process))
    return str(path)


@pytest.mark.parametrize("by", ["option", "file"])
def test_a_console_socket(running: MakeRunning, by: str) -> None:
    """As conmon does it (a file), and as a person would (--tty)."""
    c = running()
    script = 'read line; stty size; echo "got $line"; sleep 1000'
    size = {"consoleSize": {"height": 44, "width": 55}}
    given: tuple[str, ...] = ("--tty", c.id, "sh", "-c", script)
    if by == "file":
        given = ("--process", write_process(c, "sh", "-c", script, **size), c.id)
    # Too long for a socket's address.
    with ConsoleSocket(c.directory / ("d" * 60) / ("e" * 60) / "console.sock") as console:
        pid_file = c.directory / "pid"
        files = ("--pid-file", str(pid_file), "--console-socket", str(console.path))
        c.call_detached("exec", "--detach", *files, *given).ok()
        name, master = console.receive()
    assert name == "/dev/pts/0"
    os.write(master, b"there\n")
    said = b""
    while b"got there" not in said:
        assert select.select([master], [], [], 30)[0]
        said += os.read(master, 4096)
    if by == "file":
        assert read_size(master) == (44, 55)
        assert b"44 55" in said
    pid = int(pid_file.read_text())
    assert os.stat(f"/proc/{pid}/fd/0").st_dev == os.stat(f"/proc/{c.pid}/root/dev/pts").st_dev
    assert processes(c) == {c.pid, pid}
    end(pid)
    read_until_hangup(master)
    os.close(master)


def test_rules_of_the_options(running: MakeRunning) -> None:
    c = running()
    file = write_process(c, "true")
    refused: list[tuple[tuple[str, ...], str]] = [
        (("--detach", "--tty", c.id, "true"), NO_SOCKET),
        (("--detach", "--process", file, c.id), NO_SOCKET),
        (("--console-socket", "/s", c.id, "true"), NO_TERMINAL),
        (("--tty", "--console-socket", "/s", c.id, "true"), NO_TERMINAL),
        (("--detach", "--console-socket", "/s", c.id, "true"), NO_TERMINAL),
        (
            ("--detach", "--tty", "--console-socket", "/no/socket", c.id, "true"),
            "connect to the console socket: /no/socket: ENOENT",
        ),
    ]
    for given, text in refused:
        # What no command line may ask for is a usage error.
        c.call("exec", *given).failed(text, rc=1 if text == NO_TERMINAL else FAILED)
        assert processes(c) == {c.pid}


def test_tty_can_be_false(running: MakeRunning) -> None:
    c = running()
    assert c.exec("tty", options=("--tty=false",)).rc == 1


# --- a container that has none, or lies


def test_a_container_without_devpts(running: MakeRunning) -> None:
    c = running(mounts=[{"destination": "/proc", "type": "proc", "source": "proc"}])
    done = c.exec("true", options=("-t",))
    done.failed("set up a terminal", "no devpts on /dev/pts in the container", rc=FAILED)
    assert processes(c) == {c.pid}


SETS = ("bounding", "effective", "permitted")
LIES = {
    "link": "ln -s /hidden /dev/pts",
    "fifo": "mkdir /dev/pts; mkfifo /dev/pts/ptmx",
    "device": "mkdir /dev/pts; mknod /dev/pts/ptmx c 5 2",
    "file": "mkdir /dev/pts; touch /dev/pts/ptmx",
}


@pytest.mark.parametrize("script", LIES.values(), ids=LIES)
def test_what_looks_like_devpts(running: MakeRunning, script: str) -> None:
    """A device outside of a devpts would be one of the host's, with the host's terminals."""
    capabilities = ["CAP_MKNOD", "CAP_DAC_OVERRIDE"]
    c = running(
        mounts=[
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        ],
        process={
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities)
        },
    )
    c.exec("sh", "-c", script).ok()
    c.exec("true", options=("-t",)).failed("no devpts on /dev/pts", rc=FAILED)
    assert processes(c) == {c.pid}
