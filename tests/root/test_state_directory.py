"""The state directory: its modes, what it holds, and what is no container."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit

LONG = ("sleep", "1000")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def created(pyoci: Path, container: MakeContainer) -> Container:
    """A created container."""
    c = container(*LONG)
    c.create().ok()
    return c


@pytest.fixture
def stopped(created: Container) -> Container:
    """A container whose init has ended."""
    pid = created.pid
    os.kill(pid, 9)
    wait_exit(pid)
    return created


# --- modes


@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(pyoci: Path, container: MakeContainer, mask: int) -> None:
    c = container(*LONG)
    c.root = c.directory / "state-parent" / "below"
    c.create(umask=mask).ok()
    assert mode(c.root) == mode(c.root.parent) == 0o700
    assert mode(c.state_directory) == 0o711
    assert mode(c.state_directory / "state.json") == 0o600
    c.start(umask=mask).ok()
    c.delete("--force").ok()
    c.root.rmdir()


def test_the_state_of_a_container_is_made_of_these_files(created: Container) -> None:
    names = {path.name for path in created.state_directory.iterdir()}
    assert names == {"state.json", "config.json", "exec.fifo", "exec.result"}
    created.start().ok()
    names = {path.name for path in created.state_directory.iterdir()}
    assert names == {"state.json", "config.json", "exec.result"}


# --- a damaged state.json; more damage is in tests/hostile/test_state.py


def edit(**members: Any) -> Callable[[Path], object]:  # noqa: ANN401
    """Damage by other members."""
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | members))


def test_list_goes_on_after_a_damaged_container(
    created: Container, container: MakeContainer
) -> None:
    other = container(*LONG)
    other.create().ok()
    (created.state_directory / "state.json").write_text("{}")
    done = created.call("list", "--quiet")
    assert (done.rc, done.stdout) == (0, f"{other.id}\n")
    os.kill(other.pid, 0)
    pid = int((created.cgroup / "cgroup.procs").read_text())
    created.delete("--force").ok()
    wait_exit(pid)
    created.assert_gone()
    os.kill(other.pid, 0)


def test_a_damaged_copy_of_the_config_only_costs_the_hooks(created: Container) -> None:
    (created.state_directory / "config.json").write_text("{")
    assert created.status == "created"
    created.start().ok()
    created.delete("--force").ok()
    created.assert_gone()


@pytest.mark.parametrize("pid", [0, -1, 1, 2**22 + 1, 2**40])
def test_a_pid_that_is_no_container_is_left_alone(stopped: Container, pid: int) -> None:
    edit(init_process_pid=pid)(stopped.state_directory / "state.json")
    assert stopped.status == "stopped"
    stopped.kill("KILL").failed("container not running")
    stopped.start().failed("cannot start a container that has stopped")
    stopped.delete().ok()
    stopped.assert_gone()


def test_a_container_whose_init_is_not_made_yet_can_be_deleted(stopped: Container) -> None:
    # As if a create were under way: this process is the creator.
    path = stopped.state_directory / "state.json"
    state = json.loads(path.read_text())
    start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    state["pyoci"] |= {"being_created": True, "creator_pid": os.getpid(), "creator_start": start}
    state |= {"init_process_pid": 0, "init_process_start": 0}
    path.write_text(json.dumps(state))
    assert stopped.read_state()["status"] == "creating"
    stopped.delete().failed("that is not stopped: creating")
    stopped.delete("--force").ok()
    stopped.assert_gone()


def test_files_of_somebody_else_are_not_removed(stopped: Container) -> None:
    stranger = stopped.state_directory / "stranger"
    stranger.touch()
    stopped.delete("--force").failed("directory not empty")
    assert stranger.exists()
    stranger.unlink()
    stopped.delete("--force").ok()
    stopped.assert_gone()


# --- the state root


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete"])
def test_without_a_state_root_there_is_no_container(container: MakeContainer, command: str) -> None:
    c = container("true")
    c.call(command, c.id).failed("does not exist")
    assert not c.root.exists()


def test_list_needs_the_root_that_it_was_given(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    c.call("list").failed(str(c.root), "no such file or directory")
    c.root.mkdir()
    assert c.call("list", "--format", "json").ok().stdout == "[]\n"


def test_a_file_is_no_state_root(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    c.root.write_text("")
    c.create().failed(str(c.root), "not a directory")
    c.state().failed("does not exist")
    c.call("list").failed("not a directory")
    c.root.unlink()


@pytest.mark.parametrize("kind", ["file", "link", "fifo"])
def test_what_is_no_directory_is_no_container(
    pyoci: Path, container: MakeContainer, kind: str
) -> None:
    c = container("true")
    c.root.mkdir()
    path = c.state_directory
    outside = c.directory / "outside"
    outside.mkdir()
    (outside / "state.json").touch()
    if kind == "file":
        path.touch()
    elif kind == "link":
        path.symlink_to(outside)
    else:
        os.mkfifo(path)
    for command in ("state", "start", "kill", "delete"):
        c.call(command, c.id).failed("does not exist")
    c.delete("--force").ok()
    assert c.call("list", "--format", "json").ok().stdout == "[]\n"
    c.create().failed("container with given ID already exists")
    assert (outside / "state.json").exists()
    path.unlink()


@pytest.mark.parametrize(
    "text", ['{"linux": 5}', '{"linux": {"resources": [1]}}', '{"linux": [1]}']
)
def test_a_damaged_copy_of_the_config_is_told(created: Container, text: str) -> None:
    """No internal error, whatever it holds: the text of a traceback helps nobody."""
    c = created
    (c.state_directory / "config.json").write_text(text)
    said = f"container {c.id}: state.json is damaged: config.json: "
    c.exec("true").failed(said, rc=255)
    c.call("update", "--pids-limit", "5", c.id).failed(said)
    c.delete("--force").ok()
