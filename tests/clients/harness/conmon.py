"""conmon as CRI-O calls it: the container's monitor, which calls the runtime's create and exec.

It is told the runtime's root by --runtime-arg, answers on a pipe (_OCI_SYNCPIPE) with the pid or
the runtime's words, writes the log, and the exit code to a file. The rest CRI-O calls itself.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.harness.machine import cgroup_driver
from tests.clients.harness.process import PATIENCE, Done, call
from tests.support.containers import Bundle, wait_until


@dataclass(frozen=True)
class Handler:
    """A table of crio.runtime.runtimes."""

    path: Path
    root: Path
    monitor: str


class Conmon:
    """One container of one runtime under conmon."""

    def __init__(self, handler: Handler, directory: Path, bundle: Bundle, name: str) -> None:
        """Take the runtime, a directory for what conmon writes, the bundle and the id."""
        self.handler = handler
        self.directory = directory
        self.bundle = bundle
        self.id = name
        self.log = directory / f"{name}.log"
        self.pid_file = directory / f"{name}.pid"
        (directory / "exits").mkdir(exist_ok=True)
        (directory / "sockets").mkdir(exist_ok=True)

    @property
    def systemd(self) -> list[str]:
        """The option that asks for systemd's driver."""
        return ["--systemd-cgroup"] if cgroup_driver() == "systemd" else []

    def words(self, pid_file: Path, log: Path) -> list[str]:
        """What create and exec have in common."""
        return [
            *(self.handler.monitor, *self.systemd, "-b", str(self.bundle.path)),
            *("-c", self.id, "-n", f"k8s_{self.id}", "-r", str(self.handler.path), "-u", self.id),
            *("-p", str(pid_file), "-l", str(log), "--exit-dir", str(self.directory / "exits")),
            *("-P", str(pid_file.with_suffix(".conmon")), "--log-level", "info"),
            *("--socket-dir-path", str(self.directory / "sockets")),
            *("--runtime-arg", f"--root={self.handler.root}"),
        ]

    def answer(self, command: Sequence[str]) -> dict[str, Any]:
        """Run conmon, let it begin, and take its answer: {"pid": N, "message": ...}."""
        start_read, start_write = os.pipe()
        sync_read, sync_write = os.pipe()
        process = subprocess.Popen(
            command,
            pass_fds=(start_read, sync_write),
            env={**os.environ, "_OCI_STARTPIPE": str(start_read), "_OCI_SYNCPIPE": str(sync_write)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (start_read, sync_write):
            os.close(fd)
        os.write(start_write, b"x")
        os.close(start_write)
        with open(sync_read) as pipe:
            line = pipe.readline()
        process.wait(PATIENCE)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def create(self, *options: str) -> dict[str, Any]:
        """Create the container; conmon's answer."""
        return self.answer([*self.words(self.pid_file, self.log), *options])

    def exec(self, *args: str, timeout: int = 0) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """ExecSync of older CRI-O: through conmon; its answers and the log."""
        spec = self.write_process(args)
        log = self.directory / "exec.log"
        log.unlink(missing_ok=True)
        words = self.words(self.directory / "exec.pid", log)
        command = [*words, "-e", "--exec-process-spec", str(spec), "--sync"]
        if timeout:
            command += ["-T", str(timeout)]
        answer = self.answer(command)
        wait_until(log.exists)
        return answer, read_log(log)

    def exec_directly(self, *args: str) -> Done:
        """ExecSync of newer CRI-O: the runtime's exec in the foreground."""
        return self.runtime("exec", "--process", str(self.write_process(args)), self.id)

    def write_process(self, args: Sequence[str]) -> Path:
        """A file with the process of the config, to run these arguments."""
        path = self.directory / "process.json"
        process = self.bundle.config["process"] | {"args": list(args), "terminal": False}
        path.write_text(json.dumps(process))
        return path

    def runtime(self, *words: str) -> Done:
        """Call the runtime as CRI-O does."""
        root = f"--root={self.handler.root}"
        return call([self.handler.path, root, *self.systemd, *words])

    def start(self) -> None:
        """Start the container."""
        self.runtime("start", self.id).ok()

    def state(self) -> dict[str, Any]:
        """The runtime's state of it."""
        state: dict[str, Any] = json.loads(self.runtime("state", self.id).ok().stdout)
        return state

    def wait(self) -> int:
        """The exit code that conmon wrote, once it has."""
        path = self.directory / "exits" / self.id
        wait_until(lambda: path.exists() and bool(path.read_text()))
        return int(path.read_text())

    def read_log(self) -> list[tuple[str, str]]:
        """The stream and the text of each line of the log."""
        return read_log(self.log)

    def clean_up(self) -> None:
        """Remove it by force; conmon ends with it."""
        self.runtime("delete", "--force", self.id).ok()
        conmon = self.pid_file.with_suffix(".conmon")
        if conmon.exists():
            pid = conmon.read_text().strip()
            wait_until(lambda: not Path(f"/proc/{pid}/exe").exists())


def read_log(path: Path) -> list[tuple[str, str]]:
    """The stream and the text of each line of a log in the kubelet's format."""
    lines = [line.split(" ", 3) for line in path.read_text().splitlines()]
    return [(line[1], line[3]) for line in lines]
