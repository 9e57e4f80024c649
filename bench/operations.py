"""What is timed: the operations as data, and one round of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.process import Commands
    from bench.runtimes import Runtime
    from bench.stats import Sample

RUN = ("run", "--bundle", "{bundle}", "{id}")
CREATE = ("create", "--bundle", "{bundle}", "{id}")
START = ("start", "{id}")
EXEC = ("exec", "{id}", "/bin/true")
STATE = ("state", "{id}")
KILL = ("kill", "{id}", "KILL")
DELETE = ("delete", "{id}")
REMOVE = ("delete", "--force", "{id}")


@dataclass(frozen=True)
class Operation:
    """One timed command, those that come before it off the clock, and what is left afterwards.

    `program` is the container's, of bundles.PROGRAMS; `ends` says that no process of it is left,
    `removes` that nothing is.
    """

    name: str
    program: str
    set_up: tuple[tuple[str, ...], ...]
    timed: tuple[str, ...]
    ends: bool
    removes: bool


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("run", "true", (), RUN, ends=True, removes=True),
        Operation("create", "true", (), CREATE, ends=False, removes=False),
        Operation("start", "true", (CREATE,), START, ends=True, removes=False),
        Operation("state", "wait", (CREATE, START), STATE, ends=False, removes=False),
        Operation("exec", "wait", (CREATE, START), EXEC, ends=False, removes=False),
        Operation("kill", "wait", (CREATE, START), KILL, ends=True, removes=False),
        Operation("delete", "true", (CREATE, START), DELETE, ends=True, removes=True),
        Operation("delete-force", "wait", (CREATE, START), REMOVE, ends=True, removes=True),
    )
}


@dataclass(frozen=True)
class Stage:
    """Where one runtime performs: its bundles by program, its state, its container's name."""

    runtime: Runtime
    bundles: dict[str, Path]
    state_root: Path
    container_id: str

    def make_command(self, words: tuple[str, ...], program: str) -> list[str]:
        """The argument vector."""
        filled = [word.format(bundle=self.bundles[program], id=self.container_id) for word in words]
        return [self.runtime.path, "--root", str(self.state_root), *filled]


def take_sample(commands: Commands, stage: Stage, operation: Operation) -> Sample:
    """One round of one runtime; the container is gone afterwards. Raises CommandFailedError."""
    command = prepare(commands, stage, operation)
    sample = commands.time(command, stage.runtime.environment, ends=operation.ends)
    remove(commands, stage, operation)
    return sample


def take_peak_rss_kib(commands: Commands, stage: Stage, operation: Operation) -> int:
    """The same off the clock, for the memory only."""
    command = prepare(commands, stage, operation)
    peak_kib = commands.read_peak_rss_kib(command, stage.runtime.environment)
    remove(commands, stage, operation)
    return peak_kib


def prepare(commands: Commands, stage: Stage, operation: Operation) -> list[str]:
    """Brings the container to where the operation begins; the command to time."""
    for words in operation.set_up:
        # A program that ends by itself has ended before the clock starts.
        ends = words == START and operation.program == "true"
        command = stage.make_command(words, operation.program)
        commands.time(command, stage.runtime.environment, ends=ends)
    return stage.make_command(operation.timed, operation.program)


def remove(commands: Commands, stage: Stage, operation: Operation) -> None:
    """Takes away what the operation left; waits for the last process."""
    if not operation.removes:
        command = stage.make_command(REMOVE, operation.program)
        commands.time(command, stage.runtime.environment, ends=True)
