"""The runtime under test: its commands, each with a time limit, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from conformance.spec import toolchain
from conformance.spec.host import CAP_SYS_RESOURCE, has_capability
from conformance.spec.verdicts import FailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 20.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended: exit status, standard output (if that was ours) and error."""

    status: int
    output: str
    error: str

    @property
    def ok(self) -> bool:
        """True for exit status 0."""
        return self.status == 0

    @property
    def brief(self) -> str:
        """The first line of the error that is no warning, for reasons."""
        lines = [line for line in self.error.splitlines() if line and "level=warning" not in line]
        return lines[0][-200:] if lines else f"exit status {self.status}"


@dataclass(frozen=True)
class Runtime:
    """A runtime by path, with a state directory that is the suite's own."""

    path: Path
    name: str
    root: Path
    environment: dict[str, str]
    note: str = ""

    @property
    def oci_version(self) -> str:
        """The version that configs declare: crun 1.8 refuses what came after 1.0."""
        return "1.0.2" if self.name == "crun" else "1.3.0"

    def call(
        self,
        *words: str,
        options: tuple[str, ...] = (),
        stdout: int | None = None,
        cwd: Path | None = None,
        pass_fds: tuple[int, ...] = (),
        before: Callable[[], None] | None = None,
    ) -> Outcome:
        """Runs one command to its end; fails the statement if that takes longer than SECONDS.

        Output goes to files: a container process inherits them and would keep a pipe open.
        """
        command = [str(self.path), "--root", str(self.root), *options, *words]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output if stdout is None else stdout,
                    stderr=error,
                    env=self.environment,
                    cwd=cwd,
                    pass_fds=pass_fds,
                    preexec_fn=before,
                    timeout=SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise FailedError(f"{words[0]} did not end within {SECONDS:.0f} s") from None
            return Outcome(done.returncode, text_of(output), text_of(error))

    def state(self, container_id: str) -> dict[str, Any] | None:
        """The parsed answer of `state`, or None where that is an error."""
        done = self.call("state", container_id)
        if not done.ok:
            return None
        try:
            state: dict[str, Any] = json.loads(done.output)
        except ValueError:
            raise FailedError(f"state is not JSON: {done.output[:80]!r}") from None
        return state

    def features(self) -> dict[str, Any]:
        """The answer of `features`; empty where the runtime has no such command."""
        done = self.call("features")
        try:
            features: dict[str, Any] = json.loads(done.output) if done.ok else {}
        except ValueError:
            return {}
        return features


def text_of(stream: IO[bytes]) -> str:
    """All that was written to a temporary file."""
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def make_runtime(path: Path, name: str | None, root: Path) -> Runtime:
    """The runtime at `path`; crun 1.8 gets the shim it needs without CAP_SYS_RESOURCE."""
    name = name or path.name
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    if name != "crun" or has_capability(CAP_SYS_RESOURCE):
        return Runtime(path, name, root, environment)
    environment["LD_PRELOAD"] = os.fspath(toolchain.build_memlock_shim())
    note = "crun: without CAP_SYS_RESOURCE raising RLIMIT_MEMLOCK is faked by a preloaded library"
    return Runtime(path, name, root, environment, note)
