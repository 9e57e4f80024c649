"""The state directory: its modes, damage to it, and a filesystem that does not let us write."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
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


def in_mount_namespace(c: Container, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script where mounts are its own; $1 is the state root, $@ the rest."""
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", str(c.root)]
    return subprocess.run(
        [*command, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


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


# --- a damaged state.json


def write(text: str | bytes) -> Callable[[Path], object]:
    """Damage by other content."""
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def edit(**members: Any) -> Callable[[Path], object]:  # noqa: ANN401
    """Damage by other members."""
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | members))


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Damage by something that is no regular file."""

    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def make_huge(path: Path) -> None:
    """16 MiB and one byte, of which nothing is written."""
    os.truncate(path, (1 << 24) + 1)


DAMAGES = {
    "missing": Path.unlink,
    "empty": write(""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "garbage": write(b"\0\xff\xfe garbage"),
    "no UTF-8": write(b'{"id": "\xff"}'),
    "an empty object": write("{}"),
    "a list": write("[]"),
    "null": write("null"),
    "deep": write("[" * 200_000),
    "not a number": write('{"init_process_pid": NaN}'),
    "a huge number": write('{"init_process_pid": ' + "9" * 5000 + "}"),
    "huge": make_huge,
    "a FIFO": replace_by(os.mkfifo),
    "a link": replace_by(lambda path: path.symlink_to("config.json")),
    "pid is text": edit(init_process_pid="1"),
    "pid is a bool": edit(init_process_pid=True),
    "pid is a fraction": edit(init_process_pid=1.5),
    "annotations are numbers": edit(annotations={"a": 1}),
    "bundle is a list": edit(bundle=[]),
    "no own members": edit(pyoci=None),
    "cgroups are numbers": edit(cgroup_paths={"": 1}),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_state_is_told_and_can_be_removed(stopped: Container, name: str) -> None:
    c = stopped
    cgroup = c.cgroup
    DAMAGES[name](c.state_directory / "state.json")
    for command in ("state", "start", "kill", "ps", "delete"):
        c.call(command, c.id).failed(f"container {c.id}: state.json is damaged")
    done = c.call("list", "--format", "json")
    assert (done.rc, done.stdout) == (0, "[]\n"), done
    assert done.stderr.count("\n") == 1
    assert f"load container {c.id}" in done.stderr
    c.delete("--force").ok()
    assert not c.state_directory.exists()
    if cgroup.exists():  # nothing told of it any more
        cgroup.rmdir()


def test_a_directory_in_the_place_of_the_state_is_told(stopped: Container) -> None:
    path = stopped.state_directory / "state.json"
    path.unlink()
    path.mkdir()
    stopped.state().failed("state.json is damaged")
    stopped.delete("--force").failed("state.json")
    path.rmdir()
    stopped.delete("--force").ok()
    stopped.cgroup.rmdir()


def test_list_goes_on_after_a_damaged_container(
    created: Container, container: MakeContainer
) -> None:
    other = container(*LONG)
    other.create().ok()
    (created.state_directory / "state.json").write_text("{}")
    done = created.call("list", "--quiet")
    assert (done.rc, done.stdout) == (0, f"{other.id}\n")
    os.kill(other.pid, 0)
    # What the damaged one was stays in its cgroup, where its creator finds it.
    (created.cgroup / "cgroup.kill").write_text("1")
    wait_exit(int((created.cgroup / "cgroup.procs").read_text() or 0))
    created.delete("--force").ok()
    created.cgroup.rmdir()


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


# --- filesystems

READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


def test_a_read_only_state_root(pyoci: Path, container: MakeContainer) -> None:
    c = container(*LONG)
    c.root.mkdir()
    words = [*c.program, "create", "--bundle", str(c.bundle.path), c.id]
    done = in_mount_namespace(c, READ_ONLY, *words)
    assert done.returncode == 1, done
    assert "EROFS (read-only file system)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    c.assert_gone()


def test_a_container_whose_state_root_became_read_only(created: Container) -> None:
    done = in_mount_namespace(created, READ_ONLY, *created.program, "state", created.id)
    assert json.loads(done.stdout)["status"] == "created"
    done = in_mount_namespace(created, READ_ONLY, *created.program, "delete", "--force", created.id)
    assert done.returncode == 1, done
    assert "EROFS (read-only file system)" in done.stderr
    assert "Traceback" not in done.stderr
    # What could be done was; the rest is left to the next delete.
    created.delete().ok()
    created.assert_gone()


# Prints for each filesystem: the exit status of create, what it left, and what it said.
SMALL = """
root=$1; option=$2; said=$3; id=$4; shift 4
mount -t tmpfs -o "size=64k,$option" tmpfs "$root" || exit 9
"$@" create --bundle "$(dirname "$root")"/bundle-* "$id" >/dev/null 2>"$said"; status=$?
echo "$status $(ls -A "$root" | wc -l)"; cat "$said"
if [ $status = 0 ]; then "$@" delete --force "$id"; fi
"""


@pytest.mark.parametrize("option", [*[f"nr_inodes={n}" for n in range(1, 8)], "size=4k", "size=8k"])
def test_a_full_state_root(pyoci: Path, container: MakeContainer, option: str) -> None:
    if not shutil.which("unshare"):
        pytest.skip("needs unshare (Debian: util-linux)")
    c = container(*LONG)
    c.root.mkdir()
    words = [option, str(c.directory / "said"), c.id, *c.program]
    done = in_mount_namespace(c, SMALL, *words)
    assert done.returncode == 0, done
    first, *said = done.stdout.splitlines()
    status, left = first.split()
    if status == "0":
        assert (left, said) == ("1", []), done
    else:
        assert (status, left) == ("1", "0"), done
        assert len(said) <= 2, done
        assert "ENOSPC (no space left on device)" in said[0], done
    assert not c.cgroup.exists()


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
