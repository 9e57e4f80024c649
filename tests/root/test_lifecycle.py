"""The life of a container: what each operation does in each status (runtime.md, "Lifecycle").

The texts are those that engines match.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.support.containers import Bundle, Container, MakeContainer, wait_exit

# Makes a container that is in the status of its name.
InStatus: TypeAlias = Callable[[str], Container]

STATUSES = ("created", "running", "paused", "stopped")
LONG = ("sleep", "1000")


@pytest.fixture
def in_status(container: MakeContainer) -> InStatus:
    """Makes a container that is in this status."""

    def make(status: str) -> Container:
        c = container(*(("true",) if status == "stopped" else LONG))
        c.create().ok()
        pid = c.pid
        if status != "created":
            c.start().ok()
        if status == "paused":
            c.freeze()
        if status == "stopped":
            wait_exit(pid)
        assert c.status == status
        return c

    return make


# --- create


def test_create_runs_nothing_and_start_does(container: MakeContainer) -> None:
    c = container("sh", "-c", "echo hello")
    c.create().ok()
    assert c.status == "created"
    assert c.read_stdout() == ""
    c.start().ok()
    c.wait_stdout("hello\n")
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


@pytest.mark.smoke
@pytest.mark.parametrize("status", STATUSES)
def test_create_with_an_id_in_use_fails_and_touches_nothing(
    in_status: InStatus, status: str
) -> None:
    c = in_status(status)
    before = c.read_state()
    c.create().failed("container with given ID already exists")
    assert c.read_state() == before


def test_changes_of_the_config_after_create_have_no_effect(container: MakeContainer) -> None:
    c = container("echo", "as created", hostname="before")
    c.create().ok()
    c.bundle.config["process"]["args"] = ["echo", "as changed"]
    c.bundle.write()
    c.start().ok()
    c.wait_stdout("as created\n")
    (c.bundle.path / "config.json").unlink()
    c.wait_status("stopped")
    c.delete().ok()


def test_the_bundle_is_the_current_directory_by_default(container: MakeContainer) -> None:
    c = container("echo", "here")
    done = c.call("run", c.id, cwd=c.bundle.path)
    assert done.ok().stdout == "here\n"


def test_a_bundle_is_found_relative_to_the_current_directory(container: MakeContainer) -> None:
    c = container("true")
    words = ("--bundle", c.bundle.path.name, "--pid-file", "the.pid", c.id)
    c.call_detached("create", *words, cwd=c.bundle.path.parent).ok()
    assert c.read_state()["bundle"] == str(c.bundle.path)
    assert (c.bundle.path.parent / "the.pid").read_text() == str(c.pid)


# --- the pid file


def test_the_pid_file_has_digits_and_nothing_else(container: MakeContainer) -> None:
    c = container(*LONG)
    pid_file = c.directory / "pid"
    c.create("--pid-file", str(pid_file)).ok()
    assert pid_file.read_bytes() == str(c.pid).encode()
    assert pid_file.stat().st_mode & 0o777 == 0o644
    assert list(c.directory.glob("*pid*")) == [pid_file]


def test_a_pid_file_replaces_an_older_one(container: MakeContainer) -> None:
    c = container(*LONG)
    pid_file = c.directory / "pid"
    pid_file.write_text("12345678901234567890")
    c.create("--pid-file", str(pid_file)).ok()
    assert pid_file.read_text() == str(c.pid)


@pytest.mark.parametrize("command", ["create", "run"])
def test_a_pid_file_that_cannot_be_written_undoes_everything(
    container: MakeContainer, command: str
) -> None:
    c = container("touch", "/it-ran", root={"readonly": False})
    do = c.create if command == "create" else c.run
    do("--pid-file", str(c.directory / "missing" / "pid")).failed("missing", "no such file")
    c.assert_gone()
    assert not (c.bundle.rootfs / "it-ran").exists()


def test_a_fifo_in_the_place_of_the_pid_file_holds_nobody_up(container: MakeContainer) -> None:
    c = container(*LONG)
    pid_file = c.directory / "pid"
    os.mkfifo(pid_file)
    c.create("--pid-file", str(pid_file)).ok()
    assert pid_file.read_text() == str(c.pid)


# --- start

REFUSED_STARTS = {
    "running": "cannot start an already running container",
    "paused": "cannot start a container in the paused state",
    "stopped": "cannot start a container that has stopped",
}


@pytest.mark.parametrize("status", REFUSED_STARTS)
def test_start_is_for_created_containers_only(in_status: InStatus, status: str) -> None:
    c = in_status(status)
    before = c.read_state()
    c.start().failed(REFUSED_STARTS[status])
    assert c.read_state() == before


def test_start_of_a_frozen_created_container_is_refused(in_status: InStatus) -> None:
    c = in_status("created")
    c.freeze()
    c.start().failed(REFUSED_STARTS["paused"])


def test_start_after_init_was_killed_is_refused(in_status: InStatus) -> None:
    c = in_status("created")
    pid = c.pid
    os.kill(pid, 9)
    wait_exit(pid)
    c.start().failed(REFUSED_STARTS["stopped"])


# --- state


@pytest.mark.smoke
@pytest.mark.parametrize("status", STATUSES)
def test_state_has_what_engines_read(in_status: InStatus, status: str) -> None:
    c = in_status(status)
    done = c.state().ok()
    state = json.loads(done.stdout)
    assert state["id"] == c.id
    assert state["status"] == status
    assert state["bundle"] == str(c.bundle.path)
    assert state["rootfs"] == str(c.bundle.rootfs)
    assert state["ociVersion"]
    assert "annotations" not in state
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", state["created"])
    assert (state["pid"] == 0) == (status == "stopped")
    if state["pid"]:
        assert Path(f"/proc/{state['pid']}/root").exists()


def test_annotations_of_the_config_are_in_the_state(container: MakeContainer) -> None:
    annotations = {"org.example.key": "value", "org.example.empty": "", "org.example.ü": "ö"}
    c = container(*LONG, annotations=annotations)
    c.create().ok()
    assert c.read_state()["annotations"] == annotations


def test_a_zombie_is_a_stopped_container(container: MakeContainer) -> None:
    c = container("true")
    c.create().ok()
    pid = c.pid
    c.start().ok()
    wait_exit(pid)
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    assert c.read_state()["pid"] == 0
    assert c.status == "stopped"


# --- delete


@pytest.mark.parametrize("status", ["created", "stopped"])
def test_delete_removes_what_does_not_run(in_status: InStatus, status: str) -> None:
    c = in_status(status)
    c.delete().ok()
    c.assert_gone()


@pytest.mark.parametrize("status", ["running", "paused"])
def test_delete_refuses_what_runs(in_status: InStatus, status: str) -> None:
    c = in_status(status)
    before = c.read_state()
    c.delete().failed(f"cannot delete container {c.id} that is not stopped: {status}")
    assert c.read_state() == before


@pytest.mark.smoke
@pytest.mark.parametrize("status", STATUSES)
def test_delete_force_removes_whatever_there_is(in_status: InStatus, status: str) -> None:
    c = in_status(status)
    pid = c.pid
    c.delete("--force").ok()
    c.assert_gone()
    if pid:
        wait_exit(pid, 0)


# --- kill


@pytest.mark.parametrize("status", ["created", "running"])
def test_kill_ends_what_lives(in_status: InStatus, status: str) -> None:
    c = in_status(status)
    pid = c.pid
    c.kill("KILL").ok()
    wait_exit(pid)
    assert c.status == "stopped"
    c.delete().ok()
    c.assert_gone()


def test_kill_of_a_stopped_container_is_refused(in_status: InStatus) -> None:
    c = in_status("stopped")
    c.kill("KILL").failed("container not running")
    c.kill("0").failed("container not running")
    c.kill("--all", "KILL").ok()


# --- ps


@pytest.mark.parametrize("status", STATUSES)
def test_ps_lists_the_processes(in_status: InStatus, status: str) -> None:
    c = in_status(status)
    state = c.read_state()
    done = c.call("ps", "--format", "json", c.id).ok()
    assert done.stdout == (f"[{state['pid']}]\n" if state["pid"] else "[]\n")


def test_ps_prints_the_rows_of_a_table(in_status: InStatus) -> None:
    c = in_status("running")
    header, *rows = c.call("ps", c.id).ok().stdout.splitlines()
    assert "PID" in header.split()
    assert [row.split()[1] for row in rows] == [str(c.pid)]


# --- no such container


@pytest.mark.parametrize("command", ["start", "state", "kill", "delete", "ps"])
def test_what_is_not_there_does_not_exist(container: MakeContainer, command: str) -> None:
    c = container("true")
    c.call(command, c.id).failed("does not exist")
    c.create().ok()
    c.call(command, "other").failed("does not exist")
    assert c.status == "created"


def test_delete_force_of_what_is_not_there_is_silent(container: MakeContainer) -> None:
    c = container("true")
    assert c.delete("--force").ok().stdout == ""


@pytest.mark.parametrize("command", ["create", "run", "start", "state", "kill", "delete"])
@pytest.mark.parametrize("bad", ["", "..", "a/b", "x" * 2000])
def test_a_bad_id_is_refused_before_anything_else(
    container: MakeContainer, command: str, bad: str
) -> None:
    c = container("true")
    words = ["--bundle", str(c.bundle.path)] if command in ("create", "run") else []
    done = c.call(command, *words, "--", bad)
    assert done.rc == 1, done
    assert done.stderr.startswith("pyoci: "), done
    assert "Traceback" not in done.stderr
    assert not c.root.exists()


# --- list


def test_list_tells_of_all_containers(
    container: MakeContainer, bundle: Callable[..., Bundle]
) -> None:
    shared = bundle(*LONG)
    containers = [container(bundle=shared) for _ in range(2)]
    for number, c in enumerate(containers):
        shared.config["linux"]["cgroupsPath"] += f"-{number}"
        shared.write()
        c.create().ok()
    containers[1].start().ok()
    found = json.loads(containers[0].call("list", "--format", "json").ok().stdout)
    assert [(each["id"], each["status"]) for each in found] == [
        (containers[0].id, "created"),
        (containers[1].id, "running"),
    ]
    assert {each["owner"] for each in found} == {"root"}
    ids = [c.id for c in containers]
    assert containers[0].call("list", "--quiet").ok().stdout.split() == ids
    table = containers[0].call("list").ok().stdout.splitlines()
    assert [row.split()[0] for row in table] == ["ID", *ids]
