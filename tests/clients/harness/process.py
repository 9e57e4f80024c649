"""Programs as the tests run them: to the end, as a daemon, or on a terminal."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.containers import wait_until
from tests.support.guest import is_guest

# For one operation of a client; a guest's emulated CPU takes many times as long.
PATIENCE = 300.0 if is_guest() else 60.0


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it wrote."""

    command: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        """All of it, for the message of a failed assertion."""
        words = " ".join(self.command)
        return f"{words}: status {self.status}\nstdout: {self.stdout}\nstderr: {self.stderr}"

    def ok(self) -> Done:
        """Itself; AssertionError unless the status is 0."""
        assert self.status == 0, str(self)
        return self

    def exited(self, status: int) -> Done:
        """Itself; AssertionError unless the status is this."""
        assert self.status == status, str(self)
        return self

    def said(self, *texts: str) -> Done:
        """Itself; AssertionError unless all the texts are in what it wrote."""
        for text in texts:
            assert text in self.stdout + self.stderr, f"no {text!r}: {self}"
        return self

    @property
    def words(self) -> list[str]:
        """The words of its output."""
        return self.stdout.split()

    @property
    def text(self) -> str:
        """Its output without the last line's end."""
        return self.stdout.rstrip("\n")


def call(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None, given: str = ""
) -> Done:
    """Run a program to its end; it reads what is given."""
    words = tuple(str(word) for word in command)
    done = subprocess.run(
        words,
        env={**os.environ, **(env or {})},
        input=given,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )
    return Done(words, done.returncode, done.stdout, done.stderr)


class Daemon:
    """A server in the background, its output in a file, until `stop`."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it."""
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, ready: Callable[[], bool]) -> None:
        """Come back once it answers; AssertionError with its log if it does not."""

        def answers() -> bool:
            assert self.process.poll() is None, f"it has ended:\n{self.read_log()}"
            return ready()

        try:
            wait_until(answers, PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.read_log()}") from None

    def read_log(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """SIGTERM, then wait; SIGKILL if that does not end it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Terminal:
    """A program on a terminal of its own, as a person has it; it ends with the `with` block.

    What comes is kept without carriage returns: a client may or may not have the terminal raw.
    """

    def __init__(
        self, command: Sequence[str | Path], env: Mapping[str, str] | None = None, size: str = ""
    ) -> None:
        """Start it as the leader of a session on a new terminal of ROWSxCOLUMNS."""
        self.master, peer = os.openpty()
        self.output = ""
        self.resize(size or "24x80")
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *(str(word) for word in command)],
            env={**os.environ, **(env or {})},
            stdin=peer,
            stdout=peer,
            stderr=peer,
        )
        os.close(peer)

    def __enter__(self) -> Terminal:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Hang up."""
        self.close()

    def resize(self, size: str) -> None:
        """Give the terminal another size: ROWSxCOLUMNS; the kernel tells its foreground."""
        rows, columns = (int(number) for number in size.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect_size(self, rows: int, columns: int) -> None:
        """Resize until the container has printed the size.

        A client passes on only what happens once it listens, and nothing says when it does.
        """
        turns = 0
        deadline = time.monotonic() + PATIENCE
        while f"{rows} {columns}\n" not in self.output:
            turns += 1
            self.resize(f"{rows}x{columns + turns % 2}")
            self.resize(f"{rows}x{columns}")
            self.output += self.read(time.monotonic() + 0.5).replace("\r", "")
            assert time.monotonic() < deadline, f"no {rows} {columns} in {self.output!r}"
        self.expect(f"{rows} {columns}\n")

    def send(self, text: str) -> None:
        """Type this."""
        os.write(self.master, text.encode())

    def expect(self, text: str) -> str:
        """What came until this, with it; AssertionError if it does not come."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.output:
            more = self.read(deadline)
            assert more, f"no {text!r} in {self.output!r}"
            self.output += more.replace("\r", "")
        before, _, self.output = self.output.partition(text)
        return before + text

    def read(self, deadline: float) -> str:
        """What comes next; empty when nothing more will, or the time is over."""
        readable, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
        if not readable:
            return ""
        try:
            return os.read(self.master, 4096).decode(errors="replace")
        except OSError:  # EIO: nobody has the other end any more
            return ""

    def finish(self) -> Done:
        """Read to the end; how it ended, and what came since the last `expect`."""
        deadline = time.monotonic() + PATIENCE
        while more := self.read(deadline):
            self.output += more.replace("\r", "")
        try:
            status = self.process.wait(max(1, deadline - time.monotonic()))
        finally:
            self.close()
        args = self.process.args
        assert isinstance(args, list)
        return Done(tuple(args), status, self.output, "")

    def close(self) -> None:
        """Hang up; whatever is left of the program ends."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
