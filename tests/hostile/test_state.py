"""Damage to the state directory, and a filesystem that takes nothing more.

R-STATE-2, R-STATE-5: each command says so on one line and in time, kills nobody by what it read,
`list` goes on, and `delete --force` removes what there is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit
from tests.support.hostile import is_pyoci, refused

LONG = ("sleep", "1000")


@pytest.fixture
def created(container: MakeContainer) -> Container:
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


def state_file(c: Container) -> Path:
    """Where the runtime keeps what it knows of the container: crun calls it otherwise."""
    path = c.state_directory / "state.json"
    return path if path.exists() else c.state_directory / "status"


# --- a damaged state


def write(text: str | bytes) -> Callable[[Path], object]:
    """Damage by other content."""
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def edit(**members: Any) -> Callable[[Path], object]:  # noqa: ANN401
    """Damage by other members, which are pyoci's and runc's."""
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


DAMAGES: dict[str, Callable[[Path], object]] = {
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
}
# What is well-formed, but of other types: the names are pyoci's.
TYPES: dict[str, Callable[[Path], object]] = {
    "pid is text": edit(init_process_pid="1"),
    "pid is a bool": edit(init_process_pid=True),
    "pid is a fraction": edit(init_process_pid=1.5),
    "annotations are numbers": edit(annotations={"a": 1}),
    "bundle is a list": edit(bundle=[]),
    "no own members": edit(pyoci=None),
    "cgroups are numbers": edit(cgroup_paths={"": 1}),
    "the cgroup leads up": edit(cgroup_paths={"": "/sys/fs/cgroup/../.."}),
    "the cgroup is all of them": edit(cgroup_paths={"": "/"}),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_state_is_told_and_can_be_removed(stopped: Container, name: str) -> None:
    DAMAGES[name](state_file(stopped))
    assert_told_and_removed(stopped)


@pytest.mark.parametrize("name", TYPES)
def test_a_state_of_other_types_too(pyoci: Path, stopped: Container, name: str) -> None:
    TYPES[name](state_file(stopped))
    assert_told_and_removed(stopped)


def assert_told_and_removed(c: Container) -> None:
    cgroup = c.cgroup
    for command in ("state", "start", "kill", "ps", "delete"):
        refused(c.call(command, c.id, timeout=20), f"container {c.id}: state.json is damaged")
    done = c.call("list", "--format", "json", timeout=20)
    assert done.rc == 0, done
    assert done.stdout.strip() in ("[]", "null"), done
    if is_pyoci(str(c.runtime)):
        assert done.stderr.count("\n") == 1
        assert f"load container {c.id}" in done.stderr
    done = c.delete("--force", timeout=20)
    left = [str(path) for path in (cgroup, c.state_directory) if path.exists()]
    if cgroup.exists():
        cgroup.rmdir()
    assert (done.rc, left) == (0, []), done


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_container_that_runs_is_killed(created: Container, name: str) -> None:
    """The copy of the config says which cgroup was made for it; no pid is trusted."""
    created.start().ok()
    pid = created.pid
    DAMAGES[name](state_file(created))
    done = created.delete("--force", timeout=20)
    if created.cgroup.exists():
        (created.cgroup / "cgroup.kill").write_text("1")
    wait_exit(pid)
    assert done.rc == 0, done
    created.assert_gone()


def test_a_directory_in_the_place_of_the_state_is_told(pyoci: Path, stopped: Container) -> None:
    path = state_file(stopped)
    path.unlink()
    path.mkdir()
    stopped.state().failed("state.json is damaged")
    stopped.delete("--force").failed("state.json")
    path.rmdir()
    stopped.delete("--force").ok()
    stopped.assert_gone()


@pytest.mark.parametrize("name", ["missing", "empty", "truncated", "deep", "huge", "a FIFO"])
def test_a_damaged_copy_of_the_config(pyoci: Path, created: Container, name: str) -> None:
    """exec and update need it; whatever else can be done without it is done."""
    DAMAGES[name](created.state_directory / "config.json")
    assert created.status == "created"
    created.start(timeout=20).ok()
    assert created.exec("true", timeout=20).rc == 255
    created.call("update", "--pids-limit", "7", created.id, timeout=20).failed("damaged")
    assert created.status == "running"
    created.delete("--force").ok()
    created.assert_gone()


# --- filesystems


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


READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


def test_a_read_only_state_root(container: MakeContainer) -> None:
    c = container(*LONG)
    c.root.mkdir()
    words = [*c.program, "create", "--bundle", str(c.bundle.path), c.id]
    done = in_mount_namespace(c, READ_ONLY, *words)
    assert done.returncode > 0, done
    assert "read-only file system" in done.stderr.lower()
    assert len(done.stderr.splitlines()) == 1
    c.assert_gone()


def test_a_container_whose_state_root_became_read_only(pyoci: Path, created: Container) -> None:
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
def test_a_full_state_root(container: MakeContainer, option: str) -> None:
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
        assert "no space left on device" in said[0].lower(), done
    assert not c.cgroup.exists()
