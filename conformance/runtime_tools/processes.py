"""Processes of a run: one program with a time limit, and orphans, which come to us."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

KILL_SECONDS = 10.0


def wake_up(_number: int, _frame: FrameType | None) -> None:
    """A handler must be there for the wake-up descriptor to be written to."""


class Reaper:
    """Waits for a child and meanwhile reaps every other that dies.

    As child subreaper we are what containers' processes come to when their runtime has ended.
    """

    def __enter__(self) -> Self:
        """Lets SIGCHLD end our waits from here on."""
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._handler = signal.signal(signal.SIGCHLD, wake_up)
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Puts the signal back as it was."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, self._handler)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def wait(self, pid: int, seconds: float) -> int | None:
        """The exit status of a child (negative: a signal), None if it lives on after that time."""
        deadline = time.monotonic() + seconds
        while True:
            reaped = reap()
            if pid in reaped:
                return reaped[pid]
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if select.select([self._read_fd], [], [], left)[0]:
                os.read(self._read_fd, 4096)


def reap() -> dict[int, int]:
    """Takes in all children that have died: their exit statuses by pid."""
    statuses: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return statuses
            statuses[pid] = os.waitstatus_to_exitcode(status)
    except ChildProcessError:
        return statuses


def spawn(program: Path, environment: dict[str, str], directory: Path) -> int:
    """Starts a program in a process group of its own, in our working directory; returns its pid.

    It writes to files in `directory`: containers inherit what it writes to, and would keep a pipe
    open. Python ignores two signals; a program, and the containers below, must not inherit that.
    """
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.fspath(directory / "stdout"), new, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, os.fspath(directory / "stderr"), new, 0o600),
    ]
    return os.posix_spawn(
        program,
        [program.name],
        environment,
        file_actions=actions,
        setpgroup=0,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )


def run_program(
    reaper: Reaper,
    program: Path,
    environment: dict[str, str],
    directory: Path,
    seconds: float,
) -> int | None:
    """Runs a program: its exit status, negative for a signal; None if it had to be ended."""
    pid = spawn(program, environment, directory)
    status = reaper.wait(pid, seconds)
    if status is None:
        os.killpg(pid, signal.SIGKILL)
        reaper.wait(pid, KILL_SECONDS)
    return status


def children() -> dict[int, str]:
    """Our living children, dead but unreaped ones left out: command names by pid."""
    me, found = os.getpid(), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, _, after = path.read_text(encoding="utf-8", errors="replace").rpartition(") ")
        except OSError:
            continue  # It ended while we were looking.
        state, parent = after.split()[:2]
        if int(parent) == me and state not in "ZX":
            pid, _, name = before.partition(" (")
            found[int(pid)] = name
    return found


def kill_children(reaper: Reaper) -> list[str]:
    """Ends what a program left running, and what comes to us by that; returns it in words."""
    killed: dict[int, str] = {}
    deadline = time.monotonic() + KILL_SECONDS
    reap()
    while (living := children()) and time.monotonic() < deadline:
        killed |= living
        for pid in living:
            os.kill(pid, signal.SIGKILL)
        for pid in living:
            reaper.wait(pid, deadline - time.monotonic())
    return [f"process {pid} ({name})" for pid, name in sorted(killed.items())]
