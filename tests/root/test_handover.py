"""What changes hands between the caller and the container: a pidfd, and sockets from a manager."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer, Result, wait_until
from tests.support.terminals import ConsoleSocket

SLEEP = ("sleep", "1000")
TELL = 'echo "$LISTEN_FDS $LISTEN_PID $$"; readlink /proc/self/fd/3; readlink /proc/self/fd/4'


def pid_of(pidfd: int) -> int:
    lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
    (pid,) = [int(line.split()[1]) for line in lines if line.startswith("Pid:")]
    return pid


@pytest.mark.parametrize("command", ["create", "run"])
def test_a_pidfd_of_init_is_sent(pyoci: Path, container: MakeContainer, command: str) -> None:
    """Framed as a terminal is; the path may be long; it is there before the command comes back."""
    c = container(*SLEEP)
    with ConsoleSocket(c.directory / ("d" * 60) / ("e" * 60) / "pidfd.sock") as receiver:
        option = ("--pidfd-socket", str(receiver.path))
        (c.create(*option) if command == "create" else c.run_detached(*option)).ok()
        name, pidfd = receiver.receive()
    try:
        assert name == "standard"
        assert pid_of(pidfd) == c.pid
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)
    c.wait_status("stopped")


def test_nobody_takes_the_pidfd(pyoci: Path, container: MakeContainer) -> None:
    c = container(*SLEEP)
    c.create("--pidfd-socket", "/no/socket").failed("/no/socket", "no such file or directory")
    c.assert_gone()


def call_with_sockets(c: Container, environment: str, *words: str) -> Result:
    """A call with two descriptors from 3 on, and variables that the shell sets for itself."""
    script = f'{environment} exec "$@" 3</dev/zero 4</dev/null'
    # The container keeps both streams.
    with c.stdout_path.open("wb") as stdout, c.stderr_path.open("wb") as stderr:
        command = ["sh", "-c", script, "sh", *c.program, *words]
        done = c.run_command(command, stdout=stdout, stderr=stderr)
    done.stderr = c.read_stderr()
    return done


def create_words(c: Container, *options: str) -> tuple[str, ...]:
    return ("create", *options, "--bundle", str(c.bundle.path), c.id)


def test_sockets_are_kept_from_create_to_start(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", TELL)
    environment = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web"
    words = create_words(c, "--preserve-fds", "1")
    call_with_sockets(c, environment, *words).ok()
    c.start().ok()
    # First those of the manager, then those that are preserved.
    c.wait_stdout("1 1 1\n/dev/zero\n/dev/null\n")


@pytest.mark.parametrize("variables", ["LISTEN_PID=1 LISTEN_FDS=2", "LISTEN_FDS=2", ""])
def test_sockets_for_somebody_else(pyoci: Path, container: MakeContainer, variables: str) -> None:
    c = container("sh", "-c", f"{TELL}; echo end")
    call_with_sockets(c, variables, *create_words(c)).ok()
    c.start().ok()
    wait_until(lambda: "end\n" in c.read_stdout())
    first, *rest = c.read_stdout().splitlines()
    assert first == "  1"
    assert "/dev/zero" not in rest


def test_a_socket_that_is_not_there(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    done = call_with_sockets(c, "LISTEN_PID=$$ LISTEN_FDS=3", *create_words(c))
    done.failed("unable to stat preserved-fd 5")
    c.assert_gone()
