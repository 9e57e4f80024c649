"""Many calls at once: one of them wins, the others say so, and what is left can be deleted."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit
from tests.support.hostile import is_pyoci

AT_ONCE = 20
LONG = ("sleep", "1000")
TURNS = itertools.count()


class Storm:
    """Calls of the runtime that run at the same time; what they say is kept."""

    def __init__(self, directory: Path) -> None:
        """Nothing runs yet; output goes below the directory."""
        self.directory = directory
        self.calls: list[tuple[tuple[str, ...], subprocess.Popen[bytes], Path]] = []
        self.strict = True

    def add(self, c: Container, *words: str) -> None:
        """Start a call."""
        self.strict = is_pyoci(str(c.runtime))
        path = self.directory / f"said-{next(TURNS)}"
        with path.open("wb") as file:
            process = c.spawn(*words, stdout=subprocess.DEVNULL, stderr=file)
        self.calls.append((words, process, path))

    def wait(self) -> list[tuple[tuple[str, ...], int, str]]:
        """Words, exit status and message of each call, all ended; each failure is one line."""
        results = []
        for words, process, path in self.calls:
            status = process.wait(60)
            said = path.read_text()
            assert status in (0, 1), (words, status, said)
            assert "panic:" not in said, (words, said)
            if self.strict:
                assert "Traceback" not in said, (words, said)
                assert "internal error" not in said, (words, said)
                assert (status == 0) == (said == ""), (words, status, said)
                assert len(said.splitlines()) <= 2, (words, said)
            results.append((words, status, said))
        return results


@pytest.fixture
def storm(tmp_path: Path) -> Storm:
    """A new storm."""
    return Storm(tmp_path)


def says(c: Container, said: str, text: str) -> bool:
    """Whether it says so, in pyoci's words; other runtimes have their own."""
    return text in said or not is_pyoci(str(c.runtime))


def create_words(c: Container) -> tuple[str, ...]:
    return ("create", "--bundle", str(c.bundle.path), c.id)


def test_one_of_many_creates_of_an_id_wins(container: MakeContainer, storm: Storm) -> None:
    c = container(*LONG)
    for _ in range(AT_ONCE):
        storm.add(c, *create_words(c))
    results = storm.wait()
    assert sorted(status for _, status, _ in results) == [0] + [1] * (AT_ONCE - 1)
    for _, status, said in results:
        assert status == 0 or says(c, said, "container with given ID already exists")
    assert c.status == "created"
    c.delete().ok()
    c.assert_gone()


def test_one_of_many_containers_gets_a_cgroup(container: MakeContainer, storm: Storm) -> None:
    first = container(*LONG)
    containers = [first] + [container(bundle=first.bundle) for _ in range(7)]
    for c in containers:
        storm.add(c, *create_words(c))
    results = storm.wait()
    winners = [c for c, (_, status, _) in zip(containers, results, strict=True) if status == 0]
    assert winners
    for _, status, said in results:
        assert status == 0 or says(c, said, "container's cgroup is not empty")
    alive = [c for c in winners if c.status == "created"]
    assert alive == winners
    for c in winners:
        c.delete().ok()
    first.assert_gone()


def test_different_containers_do_not_meet(container: MakeContainer, storm: Storm) -> None:
    containers = [container("true") for _ in range(8)]
    for c in containers:
        storm.add(c, "run", "--bundle", str(c.bundle.path), c.id)
    assert {status for _, status, _ in storm.wait()} == {0}
    for c in containers:
        c.assert_gone()


def test_one_of_many_starts_wins(container: MakeContainer, storm: Storm) -> None:
    c = container("sh", "-c", "echo started; sleep 1000")
    c.create().ok()
    for _ in range(8):
        storm.add(c, "start", c.id)
    results = storm.wait()
    assert sorted(status for _, status, _ in results) == [0] + [1] * 7
    for _, status, said in results:
        assert status == 0 or says(c, said, "cannot start")
    c.wait_stdout("started\n")
    assert c.read_stdout() == "started\n"
    assert c.status == "running"


def test_one_of_many_deletes_wins(container: MakeContainer, storm: Storm) -> None:
    c = container(*LONG)
    c.create().ok()
    for _ in range(8):
        storm.add(c, "delete", c.id)
    results = storm.wait()
    assert sorted(status for _, status, _ in results) == [0] + [1] * 7
    for _, status, said in results:
        assert status == 0 or says(c, said, "does not exist")
    c.assert_gone()


def test_many_deletes_by_force_all_succeed(container: MakeContainer, storm: Storm) -> None:
    c = container(*LONG)
    c.create().ok()
    c.start().ok()
    for _ in range(8):
        storm.add(c, "delete", "--force", c.id)
    assert {status for _, status, _ in storm.wait()} == {0}
    c.assert_gone()


@pytest.mark.parametrize("turn", range(3))
def test_a_storm_of_everything(container: MakeContainer, storm: Storm, turn: int) -> None:
    c = container("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 1000 & wait $!; done")
    c.create().ok()
    pid = c.pid
    commands = [
        ("start", c.id),
        ("kill", c.id, "TERM"),
        ("state", c.id),
        ("kill", c.id, "KILL"),
        ("delete", c.id),
        ("ps", "--format", "json", c.id),
        ("kill", "--all", c.id, "KILL"),
        ("list",),
        ("delete", "--force", c.id),
        ("state", c.id),
    ]
    for words in commands[turn * 3 :] + commands[: turn * 3]:
        storm.add(c, *words)
    storm.wait()
    c.delete("--force").ok()
    wait_exit(pid)
    c.assert_gone()


def test_creates_and_deletes_of_one_id(container: MakeContainer, storm: Storm) -> None:
    c = container(*LONG)
    for _ in range(6):
        storm.add(c, *create_words(c))
        storm.add(c, "delete", "--force", c.id)
        storm.add(c, "state", c.id)
    storm.wait()
    c.delete("--force").ok()
    c.assert_gone()


def test_list_while_containers_come_and_go(container: MakeContainer, storm: Storm) -> None:
    c = container("true")
    other = container(*LONG)
    other.create().ok()
    for _ in range(4):
        storm.add(c, "run", "--bundle", str(c.bundle.path), c.id)
        storm.add(c, "list")
        storm.add(c, "list", "--quiet")
    for words, status, said in storm.wait():
        assert status == 0 or words[0] == "run", (words, said)
    assert other.status == "created"
    os.kill(other.pid, 0)
