"""Commands in guests of their own, several at a time: started, printed and counted."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from conformance.guest.results import Part, count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Guest:
    """Options of `python3 -m conformance.guest`, the time limit in seconds, directories to see."""

    options: tuple[str, ...]
    timeout: int
    shares: tuple[Path, ...] = ()


class Runner:
    """Runs commands; any number of threads may call `run`."""

    def __init__(
        self, results: Path, environment: Mapping[str, str], libraries: Sequence[Path]
    ) -> None:
        """Take the directory that guests may write to, their variables, and what they may read."""
        self.results = results
        self.environment = environment
        self.libraries = libraries
        self._running: set[subprocess.Popen[str]] = set()
        self._printing = threading.Lock()

    def run(self, name: str, guest: Guest, command: Sequence[str]) -> Part:
        """Run a command in a guest, print what it said, and count."""
        self._print(f"--- {name}: started")
        started = time.monotonic()
        status, output = self._capture([*self.guest_command(guest), "--", *command])
        part = count(name, output, status, time.monotonic() - started)
        self._print(f"\n--- {name} (status {status}, {part.seconds:.0f} s) ---\n{output}")
        return part

    def guest_command(self, guest: Guest) -> list[str]:
        """How a guest is started."""
        words = [sys.executable, "-B", "-m", "conformance.guest", *guest.options]
        words += ["--timeout", str(guest.timeout), "--write", str(self.results)]
        for directory in (*self.libraries, *guest.shares):
            # Our own is shared anyway, and with it what is below.
            if not directory.is_relative_to(Path.cwd()):
                words += ["--share", str(directory)]
        for variable, value in self.environment.items():
            words += ["--env", f"{variable}={value}"]
        return words

    def terminate(self) -> None:
        """End all guests."""
        for process in list(self._running):
            process.terminate()

    def _print(self, text: str) -> None:
        with self._printing:
            print(text, flush=True)

    def _capture(self, command: list[str]) -> tuple[int, str]:
        """Exit status and output of a command."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        self._running.add(process)
        try:
            output, _ = process.communicate()
        finally:
            self._running.discard(process)
        return process.returncode, output
