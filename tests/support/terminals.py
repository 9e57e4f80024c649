"""A person at a terminal, for tests: a program on a pty of its own, typed to and read from."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.containers import PATIENCE

SCM_SPACE = socket.CMSG_SPACE(64)


def set_size(fd: int, rows: int, columns: int) -> None:
    """Give a terminal a size, as a window does that somebody drags."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read_size(fd: int) -> tuple[int, int]:
    """Rows and columns of a terminal."""
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns


def read_until_hangup(fd: int) -> bytes:
    """What comes until the other side hangs up, which a pty tells with EIO."""
    said = b""
    with contextlib.suppress(OSError):
        while part := os.read(fd, 65536):
            said += part
    return said


class OnTerminal:
    """A program that was started on a pty, in a session of its own."""

    def __init__(self, words: list[str], env: dict[str, str], rows: int, columns: int) -> None:
        """Start it."""
        self.said = b""
        self.master_fd, slave_fd = pty.openpty()
        set_size(slave_fd, rows, columns)
        self.before = termios.tcgetattr(slave_fd)
        self.pid = os.fork()
        if self.pid == 0:
            os.login_tty(slave_fd)
            os.execve(words[0], words, env)  # noqa: S606
        # Held open: else the pty would forget its settings when the program ends.
        self.slave_fd = slave_fd

    def type(self, text: str) -> None:
        """Type."""
        os.write(self.master_fd, text.encode())

    def expect(self, text: str, seconds: float = PATIENCE) -> None:
        """Come back once the program has written this, anywhere behind what was expected before."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.said:
            self._read(deadline, f"{text!r} does not come, but {self.said!r}")
        self.said = self.said.partition(text.encode())[2]

    def _read(self, deadline: float, complaint: str) -> None:
        ready, _, _ = select.select([self.master_fd], [], [], max(0, deadline - time.monotonic()))
        assert ready, complaint
        self.said += os.read(self.master_fd, 65536)

    def is_raw(self) -> bool:
        """Whether what is typed is passed on at once and as it is."""
        return not termios.tcgetattr(self.slave_fd)[3] & termios.ICANON

    def resize(self, rows: int, columns: int) -> None:
        """Drag the window: the kernel tells the program by SIGWINCH."""
        set_size(self.master_fd, rows, columns)

    def wait(self) -> int:
        """The exit status, negative for a signal; AssertionError unless the terminal is as before.

        What was written meanwhile is in `said`.
        """
        pidfd = os.pidfd_open(self.pid)
        deadline = time.monotonic() + PATIENCE
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        poller.register(self.master_fd, select.POLLIN)
        while pidfd not in (events := dict(poller.poll(1000))):
            assert time.monotonic() < deadline, f"it does not end; it said {self.said!r}"
            if self.master_fd in events:
                self.said += os.read(self.master_fd, 65536)
        os.close(pidfd)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        while select.select([self.master_fd], [], [], 0)[0]:
            self.said += os.read(self.master_fd, 65536)
        assert termios.tcgetattr(self.slave_fd) == self.before, "the terminal is not restored"
        return status

    def hang_up(self) -> None:
        """Close the terminal's window while the program runs."""
        os.close(self.slave_fd)
        os.close(self.master_fd)
        self.slave_fd = self.master_fd = -1

    def close(self) -> None:
        """End it if it has not ended, and close the terminal."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.master_fd >= 0:
            self.hang_up()


@contextlib.contextmanager
def on_terminal(
    words: list[str], env: dict[str, str], rows: int = 24, columns: int = 80
) -> Iterator[OnTerminal]:
    """A program on a terminal of this size, ended at the end."""
    program = OnTerminal(words, env, rows, columns)
    try:
        yield program
    finally:
        program.close()


class ConsoleSocket:
    """What an engine does to get a container's terminal: listen, accept once, receive once."""

    def __init__(self, path: Path) -> None:
        """Listen; a path may be longer than the 107 bytes of an address."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        directory_fd = os.open(path.parent, os.O_PATH)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.settimeout(PATIENCE)
        self.server.bind(f"/proc/self/fd/{directory_fd}/{path.name}")
        self.server.listen(1)
        os.close(directory_fd)

    def receive(self) -> tuple[str, int]:
        """The name that comes with the one descriptor, and that; AssertionError if it is not so.

        As go-runc and conmon do it: one message of at most 4096 bytes, then the end of the stream.
        """
        connection, _ = self.server.accept()
        connection.settimeout(PATIENCE)
        with connection:
            data, messages, _, _ = connection.recvmsg(4096, SCM_SPACE)
            ((level, kind, raw),) = messages
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            fds = array.array("i", raw)
            assert len(fds) == 1
            assert data
            assert connection.recvmsg(4096, SCM_SPACE)[:2] == (b"", [])
        return data.decode(), fds[0]

    def close(self) -> None:
        """Stop listening."""
        self.server.close()

    def __enter__(self) -> ConsoleSocket:
        """Itself."""
        return self

    def __exit__(self, *_: Any) -> None:  # noqa: ANN401
        """Stop listening."""
        self.close()
