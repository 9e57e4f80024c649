"""Runs one command and says what it cost, orphans included.

The benchmark is the child subreaper of everything it starts, as containerd's shim is: what a
runtime leaves behind becomes its child, is reaped at once, and is charged to the command.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.stats import Sample, parse_cpu_ms
from conformance.spec import host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIMIT_SECONDS = 30.0

# Python ignores these two, which an engine does not: its commands must not inherit that.
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class CommandFailedError(Exception):
    """A command did not do what was to be measured; the text has its words."""


class Commands:
    """Runs commands with one environment, their standard error kept in one file."""

    def __init__(self, errors: Path) -> None:
        """`errors` is truncated for each command; a container would keep a pipe open."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._errors_fd = os.open(errors, flags, 0o600)
        self._null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        """Gives the two descriptors back."""
        os.close(self._errors_fd)
        os.close(self._null_fd)

    def time(self, command: list[str], environment: Mapping[str, str], *, ends: bool) -> Sample:
        """The wall time of the command and the CPU time of all it caused.

        The clock runs from just before posix_spawn(3) to the return of wait4(2) for the command.
        With `ends` the command is to leave no process: the last is waited for, off the clock.
        Otherwise what lives on is charged with what it has used by then.
        """
        os.ftruncate(self._errors_fd, 0)
        already_spent_ms = {pid: read_cpu_ms(pid) for pid in host.children()}
        with limited(command), quiet():
            begun = time.perf_counter_ns()
            pid = self._spawn(command, environment, self._null_fd)
            cpu_ms, reaped, status, ended = 0.0, 0, 0, begun
            while reaped != pid:
                reaped, status, usage = os.wait4(-1, 0)
                ended = time.perf_counter_ns()
                cpu_ms += parse_cpu_ms(usage) - already_spent_ms.pop(reaped, 0.0)
            self._check(command, status)
            cpu_ms += reap_rest(already_spent_ms) if ends else 0.0
        cpu_ms += sum(read_cpu_ms(pid) - already_spent_ms.get(pid, 0.0) for pid in host.children())
        return Sample((ended - begun) / 1e6, cpu_ms)

    def read_peak_rss_kib(self, command: list[str], environment: Mapping[str, str]) -> int:
        """The peak resident set of the largest process that the command was or started.

        A process that Python starts by vfork counts Python's own peak as its own, for execve keeps
        the maximum. So it is started by a shell, which ends and leaves it to us.
        """
        os.ftruncate(self._errors_fd, 0)
        known = set(host.children())
        with limited(command):
            wanted = self._start_orphan(command, environment)
            reaped, peaks_kib = 0, [0]
            while reaped != wanted:
                reaped, status, usage = os.wait4(-1, 0)
                if reaped not in known:
                    peaks_kib.append(usage.ru_maxrss)
                if reaped == wanted:
                    self._check(command, status)
        peaks_kib += [read_peak_rss_kib(pid) for pid in host.children() if pid not in known]
        return max(peaks_kib)

    def _start_orphan(self, command: list[str], environment: Mapping[str, str]) -> int:
        """The process of a command that starts once its parent, a shell, is gone and reaped."""
        wait = 'exec 3<&0; { read -r _ <&3; exec "$@" 3<&- >/dev/null; } & echo $!'
        go_read_fd, go_write_fd = os.pipe2(os.O_CLOEXEC)
        number_read_fd, number_write_fd = os.pipe2(os.O_CLOEXEC)
        script = ["/bin/sh", "-c", wait, "sh", *command]
        shell = self._spawn(script, environment, number_write_fd, go_read_fd)
        os.close(go_read_fd)
        os.close(number_write_fd)
        number = int(os.read(number_read_fd, 20))
        os.close(number_read_fd)
        os.waitpid(shell, 0)
        os.close(go_write_fd)
        return number

    def _spawn(
        self,
        command: list[str],
        environment: Mapping[str, str],
        output_fd: int,
        input_fd: int | None = None,
    ) -> int:
        return os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, self._null_fd if input_fd is None else input_fd, 0),
                (os.POSIX_SPAWN_DUP2, output_fd, 1),
                (os.POSIX_SPAWN_DUP2, self._errors_fd, 2),
            ],
            setsigdef=IGNORED_BY_PYTHON,
        )

    def _check(self, command: Sequence[str], status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code:
            words = os.pread(self._errors_fd, 4000, 0).decode("utf-8", "replace").strip()
            raise CommandFailedError(f"{' '.join(command)}: status {code}: {words or 'no message'}")


@contextmanager
def limited(command: Sequence[str]) -> Iterator[None]:
    """CommandFailedError if the body takes longer than LIMIT_SECONDS."""

    def refuse(_number: int, _frame: object) -> None:
        raise CommandFailedError(f"{' '.join(command)}: not done after {LIMIT_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, refuse)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection of the benchmark's own in the body."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def reap_rest(already_spent_ms: dict[int, float]) -> float:
    """Waits for every child; the milliseconds they spent beyond those in the table."""
    cpu_ms = 0.0
    while True:
        try:
            reaped, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return cpu_ms
        cpu_ms += parse_cpu_ms(usage) - already_spent_ms.pop(reaped, 0.0)


def read_cpu_ms(pid: int) -> float:
    """CPU time that a living child has used, all threads, in milliseconds.

    Not that of children which it waited for: the kernel gives it in ticks of 10 ms only.
    """
    # What clock_getcpuclockid(3) returns, which Python has not: the kernel's CPUCLOCK_SCHED.
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e6


def read_peak_rss_kib(pid: int) -> int:
    """VmHWM of a living child; 0 if it is dead, or holds no memory map of its own."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
