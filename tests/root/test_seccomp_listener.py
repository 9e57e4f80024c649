"""SCMP_ACT_NOTIFY: the agent gets the listener and answers (config-linux.md, "Seccomp")."""

from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.support.containers import (
    PATIENCE,
    Config,
    MakeContainer,
    read_children,
    reap_children,
    wait_exit,
    wait_until,
)

# linux/seccomp.h
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
NOTIF_BYTES = 80
FLAG_CONTINUE = 1

Answer = tuple[int, int]  # error, flags
GO_ON: Answer = (0, FLAG_CONTINUE)


class Agent:
    """Listens at a path, takes one container process state, answers until the container ends."""

    def __init__(self, path: str, answer: Answer) -> None:
        """Listen."""
        self.path = path
        self.answer = answer
        self.state: Config = {}
        self.fds: list[int] = []
        self.answered = 0
        self.socket = socket.socket(socket.AF_UNIX)
        # The name may be longer than an address can be; any other name will do to make it.
        with tempfile.TemporaryDirectory() as directory:
            self.socket.bind(f"{directory}/s")
            os.rename(f"{directory}/s", path)
        self.socket.listen()
        self.socket.settimeout(PATIENCE)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Agent:
        """Serve in the background."""
        self.others = set(read_children())
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the end, which is that of the last process under the filter."""

        # Until Linux 6.11 a process keeps its filter until it has been reaped.
        def has_ended() -> bool:
            reap_children(self.others)
            return not self.thread.is_alive()

        wait_until(has_ended)
        self.socket.close()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        text = b""
        with connection:
            while data := self._receive(connection):
                text += data
        self.state = json.loads(text)
        (fd,) = self.fds
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        while poller.poll() == [(fd, select.POLLIN)]:
            self._answer(fd)
        os.close(fd)

    def _receive(self, connection: socket.socket) -> bytes:
        data, messages, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        for _, _, rights in messages:
            found = array.array("i")
            found.frombytes(rights)
            self.fds += found
        return data

    def _answer(self, fd: int) -> None:
        notification = bytearray(NOTIF_BYTES)
        fcntl.ioctl(fd, NOTIF_RECV, notification)
        (number,) = struct.unpack_from("=Q", notification)
        error, flags = self.answer
        fcntl.ioctl(fd, NOTIF_SEND, struct.pack("=QqiI", number, 0, -error, flags))
        self.answered += 1


@pytest.fixture
def agent(tmp_path: Path) -> Callable[..., Agent]:
    """Makes agents."""
    return lambda answer=GO_ON, name="agent": Agent(str(tmp_path / name), answer)


def notify(agent: Agent | str, *names: str, **profile: Any) -> Config:  # noqa: ANN401
    """Members of linux: a profile by which the agent is asked about these calls."""
    path = agent if isinstance(agent, str) else agent.path
    rule = {"names": list(names), "action": "SCMP_ACT_NOTIFY"}
    base = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "syscalls": [rule]}
    return {"seccomp": {**base, **profile}}


MKDIR = ("mkdir", "mkdirat")


def test_the_agents_answer_is_the_calls_result(
    container: MakeContainer, agent: Callable[..., Agent]
) -> None:
    with agent((errno.ENOTTY, 0)) as asked:
        c = container("mkdir", "/x", linux=notify(asked, *MKDIR, listenerMetadata="data"))
        done = c.run()
    assert done.rc == 1
    assert os.strerror(errno.ENOTTY) in done.stderr
    assert asked.answered == 1
    assert asked.state["metadata"] == "data"


def test_the_state(container: MakeContainer, agent: Callable[..., Agent]) -> None:
    with agent() as asked:
        c = container("true", linux=notify(asked, *MKDIR), annotations={"a": "b"})
        c.create().ok()
        pid = c.pid
        c.start().ok()
        wait_exit(pid)
        c.delete("--force").ok()
    state = asked.state
    assert (state["fds"], state["pid"]) == (["seccompFd"], pid)
    assert "metadata" not in state
    assert state["state"] == {
        "ociVersion": state["ociVersion"],
        "id": c.id,
        "status": "creating",
        "pid": pid,
        "bundle": str(c.bundle.path),
        "annotations": {"a": "b"},
    }


# What init or any program may call between the filter and its first lines, but write.
BUSY = """
arch_prctl brk close close_range dup dup2 dup3 execve exit_group fcntl fstat futex getcwd getdents64
getpid getrandom getuid ioctl lseek mmap mprotect munmap newfstatat open openat openat2 pipe2 poll
ppoll prctl pread64 prlimit64 read readlink readv recvmsg rseq rt_sigaction rt_sigprocmask sendmsg
sendto set_robust_list set_tid_address setsockopt stat wait4 waitid
"""


@pytest.mark.parametrize(
    "hooks", [{}, {"startContainer": [{"path": "/bin/true"}]}], ids=["", "hook"]
)
@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_nothing_but_write_is_called_before_the_agent_can_answer(
    pyoci: Path,
    container: MakeContainer,
    agent: Callable[..., Agent],
    hooks: Config,
    no_new_privileges: bool,
) -> None:
    calls = [*BUSY.split(), "vfork", "clone", "clone3"]
    with agent() as asked:
        process = {"noNewPrivileges": no_new_privileges}
        c = container("echo", "done", linux=notify(asked, *calls), process=process, hooks=hooks)
        c.create().ok()
        pid = c.pid
        c.start().ok()
        wait_exit(pid)
        assert c.read_stdout() == "done\n"
        c.delete("--force").ok()
    assert asked.answered > 10


def test_run_and_a_path_that_no_socket_address_can_hold(
    container: MakeContainer, agent: Callable[..., Agent]
) -> None:
    with agent(name="a" * 200) as asked:
        c = container("mkdir", "/x", linux=notify(asked, *MKDIR), root={"readonly": False})
        c.run().ok()
    assert asked.answered == 1


def test_nobody_listens(pyoci: Path, container: MakeContainer, tmp_path: Path) -> None:
    path = str(tmp_path / "nobody")
    c = container("true", linux=notify(path, *MKDIR))
    words = f"main: send the seccomp listener to {path}: {path}: ENOENT (no such file or directory)"
    c.create().failed(words, "(linux.seccomp.listenerPath)")
    c.assert_gone()


def test_metadata_longer_than_a_sockets_buffer(
    container: MakeContainer, agent: Callable[..., Agent]
) -> None:
    metadata = "x" * (1 << 20)
    with agent() as asked:
        c = container("true", linux=notify(asked, *MKDIR, listenerMetadata=metadata))
        c.run().ok()
    assert asked.state["metadata"] == metadata


# --- exec


def test_an_execd_process_has_a_listener_of_its_own(
    pyoci: Path, container: MakeContainer, agent: Callable[..., Agent]
) -> None:
    with agent() as first:
        linux = notify(first, *MKDIR, listenerMetadata="data")
        c = container("sleep", "1000", linux=linux, annotations={"a": "b"})
        c.run_detached().ok()
        with agent((errno.ENOTTY, 0)) as second:  # now it is who listens at the path
            done = c.exec("sh", "-c", "echo $$; mkdir /x")
        c.delete("--force").ok()
    assert os.strerror(errno.ENOTTY) in done.stderr
    assert (first.answered, second.answered) == (0, 1)
    state = second.state
    assert (state["fds"], state["metadata"]) == (["seccompFd"], "data")
    assert state["pid"] not in (0, state["state"]["pid"])
    assert state["state"] == {
        **first.state["state"],
        "status": "running",
        "pid": first.state["pid"],
    }


@pytest.mark.parametrize("no_new_privileges", [False, True])
@pytest.mark.parametrize("options", [(), ("--tty",)])
def test_exec_calls_nothing_but_write_before_the_agent_can_answer(
    pyoci: Path,
    container: MakeContainer,
    agent: Callable[..., Agent],
    options: tuple[str, ...],
    no_new_privileges: bool,
) -> None:
    calls = [*BUSY.split(), "vfork", "clone", "clone3"]
    with agent() as first:
        process = {"noNewPrivileges": no_new_privileges}
        c = container("sleep", "1000", linux=notify(first, *calls), process=process)
        c.run_detached().ok()
        with agent() as second:
            done = c.exec("sh", "-c", "echo done", options=options)
        assert (done.rc, done.stdout.rstrip()) == (0, "done")
        c.delete("--force").ok()
    assert second.answered > 10


def test_exec_when_nobody_listens_any_more(
    pyoci: Path, container: MakeContainer, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    with agent() as asked:
        c = container("sleep", "1000", linux=notify(asked, *MKDIR))
        c.run_detached().ok()
        (tmp_path / "agent").unlink()
        c.exec("true").failed("main: send the seccomp listener to ", "ENOENT", rc=255)
        assert c.status == "running"
        c.delete("--force").ok()
