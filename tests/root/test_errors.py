"""Failures: one line, the right exit status, a log that engines can read, and nothing left."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, Result


def logged(c: Container, *words: str, form: str = "json") -> Result:
    """A call with a log file."""
    return c.call("--log", str(c.log_path), "--log-format", form, *words)


# --- the log


@pytest.mark.smoke
def test_a_json_log_has_one_object_for_each_failure(container: MakeContainer) -> None:
    c = container("no-such-program")
    words = ("create", "--bundle", str(c.bundle.path), c.id)
    said = logged(c, *words).failed("executable file not found in $PATH").stderr
    (line,) = c.log_path.read_text().splitlines()
    entry = json.loads(line)
    assert set(entry) == {"level", "msg", "time"}
    assert entry["level"] == "error"
    assert "executable file not found in $PATH" in entry["msg"]
    assert entry["msg"] in said
    dt.datetime.fromisoformat(entry["time"])
    logged(c, "state", c.id).failed("does not exist")
    assert len(c.log_path.read_text().splitlines()) == 2
    c.assert_gone()


def test_success_logs_nothing(container: MakeContainer) -> None:
    c = container("true")
    logged(c, "run", "--bundle", str(c.bundle.path), c.id).ok()
    assert c.log_path.read_text() == ""


def test_a_text_log_has_one_line(container: MakeContainer) -> None:
    c = container("true")
    logged(c, "state", c.id, form="text").failed("does not exist")
    (line,) = c.log_path.read_text().splitlines()
    assert line.startswith('time="')
    assert " level=error msg=" in line


def test_odd_characters_stay_on_one_line(pyoci: Path, container: MakeContainer) -> None:
    name = 'a\nb\t"c"\x1b[31m\x00\u2028\x7fü'.replace("\x00", "")
    c = container(f"/{name}")
    words = ("create", "--bundle", str(c.bundle.path), c.id)
    said = logged(c, *words).failed("no such file or directory").stderr
    (line,) = c.log_path.read_text().splitlines()
    json.loads(line)
    assert line.isascii()
    for character in ("\x1b", "\u2028", "\x7f", "\t"):
        assert character not in said
    assert "ü" in said


def test_bytes_that_are_no_text_stay_on_one_line(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    command = [*c.program, "--log", str(c.log_path), "--log-format", "json"]
    odd = b"/no/such/\xff\xfe/bundle"
    done = subprocess.run(
        [*command, "create", "--bundle", odd, c.id], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    done.stderr.decode()
    json.loads(c.log_path.read_text())


@pytest.mark.parametrize("kind", ["missing directory", "directory", "FIFO that nobody reads"])
def test_a_log_that_cannot_be_opened_is_an_error(
    pyoci: Path, container: MakeContainer, kind: str
) -> None:
    c = container("true")
    path = c.directory / "the-log"
    if kind == "missing directory":
        path /= "log"
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    words = ("run", "--bundle", str(c.bundle.path), c.id)
    c.call("--log", str(path), *words).failed("cannot open the log", "the-log")
    assert not c.root.exists()


def test_a_full_log_is_no_error(container: MakeContainer) -> None:
    c = container("true")
    words = ("run", "--bundle", str(c.bundle.path), c.id)
    c.call("--log", "/dev/full", *words).ok()
    c.call("--log", "/dev/full", "state", c.id).failed("does not exist")


# --- the bundle


def damage_config(c: Container, text: str | bytes) -> None:
    raw = text if isinstance(text, bytes) else text.encode()
    (c.bundle.path / "config.json").write_bytes(raw)


BAD_CONFIGS: dict[str, str | bytes] = {
    "empty": "",
    "garbage": b"\xff\xfe\0",
    "no UTF-8": b'{"ociVersion": "1.0.2\xff"}',
    "a list": "[]",
    "deep": '{"annotations": ' + "[" * 200_000,
    "not a number": '{"linux": {"resources": {"pids": {"limit": NaN}}}}',
    "a huge number": '{"process": {"user": {"uid": ' + "9" * 5000 + "}}}",
    "truncated": '{"ociVersion": "1.0.2", "process": {',
    "no version": "{}",
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
@pytest.mark.parametrize("command", ["create", "run"])
def test_a_bad_config_is_refused_and_nothing_made(
    pyoci: Path, container: MakeContainer, command: str, name: str
) -> None:
    c = container("true")
    damage_config(c, BAD_CONFIGS[name])
    (c.create if command == "create" else c.run)().failed()
    assert not c.root.exists()
    assert not c.cgroup.exists()


@pytest.mark.parametrize("kind", ["missing", "directory", "FIFO", "huge", "device"])
def test_a_config_that_is_no_file_is_refused(
    pyoci: Path, container: MakeContainer, kind: str
) -> None:
    c = container("true")
    path = c.bundle.path / "config.json"
    if kind == "huge":
        os.truncate(path, 1 << 30)
    else:
        path.unlink()
    if kind == "directory":
        path.mkdir()
    if kind == "FIFO":
        os.mkfifo(path)
    if kind == "device":
        path.symlink_to("/dev/zero")
    c.create().failed("config.json")
    assert not c.root.exists()


@pytest.mark.parametrize("path", ["/no/such/bundle", "/etc/passwd", ""])
def test_a_bundle_that_is_no_directory(pyoci: Path, container: MakeContainer, path: str) -> None:
    c = container("true")
    c.call("create", "--bundle", path, c.id, cwd=c.directory).failed()
    assert not c.root.exists()


MOUNT, NETWORK, OF_NAMES = {"type": "mount"}, {"type": "network"}, "/proc/self/ns/uts"

BAD_MEMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "rootfs": ({"root": {"path": "no-such-rootfs"}}, "no-such-rootfs"),
    "rootfs is a file": ({"root": {"path": "config.json"}}, "config.json"),
    "mount": (
        {"mounts": [{"destination": "/x", "type": "nosuchfs", "source": "x"}]},
        "mount nosuchfs on /x",
    ),
    "bind": (
        {"mounts": [{"destination": "/mnt", "source": "/no/such", "options": ["bind"]}]},
        "/no/such",
    ),
    "namespace": (
        {"hostname": None, "linux": {"namespaces": [MOUNT, NETWORK | {"path": "/no/such"}]}},
        "/no/such",
    ),
    "namespace of another kind": (
        {"hostname": None, "linux": {"namespaces": [MOUNT, NETWORK | {"path": OF_NAMES}]}},
        f"{OF_NAMES} is a uts namespace, not a network namespace",
    ),
    "sysctl": ({"linux": {"sysctl": {"kernel.sysrq": "0"}}}, "kernel.sysrq"),
    "uid": ({"process": {"user": {"uid": 2**32 - 1, "gid": 0}}}, "process.user.uid"),
}


@pytest.mark.parametrize("name", BAD_MEMBERS)
def test_what_cannot_be_done_names_its_reason(
    pyoci: Path, container: MakeContainer, name: str
) -> None:
    overrides, text = BAD_MEMBERS[name]
    c = container("true", **overrides)
    c.create().failed(text)
    c.assert_gone()
    c.run().failed(text)
    c.assert_gone()


def test_a_score_that_only_a_capability_allows(pyoci: Path, container: MakeContainer) -> None:
    c = container("true", process={"oomScoreAdj": -1000})
    caller = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    command = [*caller, *c.program, "create", "--bundle", str(c.bundle.path), c.id]
    c.run_command(command).failed("oom_score_adj", "EACCES", "process.oomScoreAdj")
    c.assert_gone()


# --- the cgroup


def test_a_frozen_cgroup_is_refused(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    c.cgroup.mkdir(parents=True)
    (c.cgroup / "cgroup.freeze").write_text("1")
    c.create().failed("container's cgroup unexpectedly frozen")
    assert not c.state_directory.exists()
    assert "frozen 1" in (c.cgroup / "cgroup.events").read_text()
    c.cgroup.rmdir()


def test_a_cgroup_can_be_used_again_and_again(pyoci: Path, container: MakeContainer) -> None:
    """Since Linux 6.14 what clone3 puts into a cgroup that was killed once is killed at birth."""
    c = container("sleep", "1000")
    c.cgroup.mkdir(parents=True)
    (c.cgroup / "cgroup.kill").write_text("1")
    for _ in range(2):
        c.run_detached().ok()
        assert c.exec("cat", "/proc/1/cgroup", "/proc/self/cgroup").ok().stdout.count("\n") >= 2
        pids = (c.cgroup / "cgroup.procs").read_text().split()
        assert pids == [str(c.pid)]
        c.delete("--force").ok()
    (c.cgroup / "below").mkdir()
    (c.cgroup / "below" / "cgroup.kill").write_text("1")
    c.run_detached().ok()
    read = ("sh", "-c", "grep -c bundle-.*/below$ /proc/self/cgroup")
    assert c.exec(*read, options=("--cgroup", "below")).ok().stdout == "1\n"
    c.delete("--force").ok()
    c.cgroup.rmdir()


def test_a_new_cgroup_below_a_frozen_one_is_refused(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    frozen = c.cgroup.parent / "cgroup.freeze"
    frozen.write_text("1")
    c.create().failed("container's cgroup unexpectedly frozen", str(c.cgroup))
    c.assert_gone()
    frozen.write_text("0")
    c.run().ok()


def test_a_cgroup_below_a_threaded_one_is_told(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    sibling = c.cgroup.parent / "threads"
    sibling.mkdir()
    (sibling / "cgroup.type").write_text("threaded")
    c.create().failed("(operation not supported)", f"{c.cgroup} is below a threaded cgroup")
    c.assert_gone()
    sibling.rmdir()


def test_an_empty_cgroup_is_used_and_left(pyoci: Path, container: MakeContainer) -> None:
    c = container("true")
    c.cgroup.mkdir(parents=True)
    c.run().ok()
    assert c.cgroup.exists()
    c.cgroup.rmdir()


# --- faults in the middle

# A system call, which one of that name (in main or in init), and what the kernel says.
FAULTS = [
    "mkdirat:ENOSPC:1",
    "mkdir:EACCES:2",
    "renameat:ENOSPC:1",
    "renameat:ENOSPC:2",
    "renameat:ENOSPC:3",
    "bpf:EPERM:1+",
    "bpf:EINVAL:2",
    "socketpair:EMFILE:1",
    "clone3:EAGAIN:1",
    "clone3:ENOSPC:1",
    "keyctl:ENOMEM:1",
    "open_tree:EPERM:1",
    "fsopen:ENODEV:1",
    "fsconfig:EINVAL:1",
    "fsmount:EPERM:2",
    "move_mount:EINVAL:1",
    "move_mount:ENOSPC:5",
    "mount_setattr:EPERM:1",
    "openat2:EMFILE:3",
    "symlinkat:ENOSPC:1",
    "pivot_root:EBUSY:1",
    "umount2:EBUSY:1",
    "sethostname:EPERM:1",
    "prlimit64:EPERM:1",
    "setgroups:EPERM:1",
    "setresgid:EAGAIN:1",
    "setresuid:EAGAIN:1",
    "capset:EPERM:1",
    "getcwd:ENOENT:1",
    "close_range:EINVAL:1",
]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_everything_undone(
    pyoci: Path, container: MakeContainer, fault: str
) -> None:
    c = container("echo", "it ran")
    call, error, when = fault.split(":")
    inject = f"inject={call}:error={error}:when={when}"
    trace = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    words = ["run", "--bundle", str(c.bundle.path), c.id]
    done = c.run_command([*trace, *c.program, *words])
    done.failed("outside of container" if call == "getcwd" else error)
    assert done.stdout == ""
    c.assert_gone()
    assert list(c.root.glob("*")) == []
