"""Controllers on the way to a container's cgroup: enabled, refused in words, or there already."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer

PIDS = {"resources": {"pids": {"limit": 9}}}
MEMORY = {"resources": {"memory": {"limit": 64 << 20}}}


@pytest.fixture
def neighbour() -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps."""
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def read_words(path: Path) -> list[str]:
    return path.read_text().split()


def move(process: subprocess.Popen[bytes], cgroup: Path) -> None:
    cgroup.mkdir(exist_ok=True)
    (cgroup / "cgroup.procs").write_text(str(process.pid))


def test_only_what_is_needed_is_enabled_all_the_way(container: MakeContainer) -> None:
    c = container("true", linux=PIDS)
    c.create().ok()
    assert "pids" in read_words(c.cgroup / "cgroup.controllers")
    assert read_words(c.cgroup.parent / "cgroup.subtree_control") == ["pids"]


def test_a_parent_with_processes_gives_no_controllers(
    container: MakeContainer, neighbour: subprocess.Popen[bytes]
) -> None:
    c = container("true", linux=MEMORY)
    parent = c.cgroup.parent
    move(neighbour, parent)
    c.create().failed(
        "linux.resources.memory.limit: memory.max: controller memory is not available below",
        f"{parent}, which has processes of its own: EBUSY",
        "choose a linux.cgroupsPath below a cgroup without processes",
    )
    c.assert_gone()
    assert read_words(parent / "cgroup.subtree_control") == []
    # Without a limit there is no controller to ask for.
    c.bundle.config["linux"]["resources"] = {}
    c.bundle.write()
    c.run().ok()


def test_nor_at_an_update(container: MakeContainer, neighbour: subprocess.Popen[bytes]) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    move(neighbour, c.cgroup.parent)
    refused = c.call("update", "--memory", "64M", "--pids-limit", "9", c.id)
    refused.failed("linux.resources.", "has processes of its own: EBUSY")
    assert read_words(c.cgroup / "cgroup.controllers") == []
    assert c.status == "running"


def test_a_cgroup_that_gives_controllers_on_has_no_processes(container: MakeContainer) -> None:
    c = container("true", linux=PIDS)
    c.cgroup.mkdir()
    (c.cgroup.parent / "cgroup.subtree_control").write_text("+memory")
    (c.cgroup / "cgroup.subtree_control").write_text("+memory")
    c.create().failed("EBUSY (device or resource busy)", "cgroup.procs")
    (c.cgroup / "cgroup.subtree_control").write_text("-memory")
    c.run().ok()
    c.cgroup.rmdir()


def test_a_delegated_subtree_whose_parents_cannot_be_written(container: MakeContainer) -> None:
    """As for a service of systemd's with Delegate=yes: what is enabled need not be written."""
    c = container("cat", "/proc/self/cgroup", linux=PIDS)
    parent = c.cgroup.parent
    (parent / "cgroup.subtree_control").write_text("+pids")
    script = f"mount -o bind {parent} {parent} && mount -o remount,bind,ro /sys/fs/cgroup && exec"
    words = [*c.program, "run", "--bundle", str(c.bundle.path), c.id]
    done = c.run_command(["unshare", "-m", "sh", "-c", f'{script} "$@"', "sh", *words])
    assert done.ok().stdout.count("\n") >= 1


def test_what_fails_is_not_left_in_a_cgroup_that_was_there(container: MakeContainer) -> None:
    c = container("true")
    c.cgroup.mkdir()
    c.bundle.config["linux"]["resources"] = {
        "pids": {"limit": 9},
        "unified": {"memory.high": "much"},
    }
    c.bundle.write()
    c.create().failed("linux.resources.unified['memory.high']", "EINVAL", "is rolled back")
    assert (c.cgroup / "pids.max").read_text() == "max\n"
    c.cgroup.rmdir()


@pytest.mark.parametrize("file", ["memory.nosuch", "pids.maximum"])
def test_a_file_that_the_controller_does_not_have(container: MakeContainer, file: str) -> None:
    c = container("sleep", "1000", linux={"resources": {"unified": {file: "1"}}})
    key = f"linux.resources.unified['{file}']"
    c.create().failed(key, file, "ENOENT (no such file or directory)")
    c.assert_gone()
    c.bundle.config["linux"]["resources"] = {}
    c.bundle.write()
    c.run_detached().ok()
    assert_update_refused(c, file, key)


def assert_update_refused(c: Container, file: str, key: str) -> None:
    path = c.directory / "resources.json"
    path.write_text(f'{{"pids": {{"limit": 9}}, "unified": {{"{file}": "1"}}}}')
    c.call("update", "-r", str(path), c.id).failed(
        key, "the kernel has no such file", "rolled back"
    )
    assert (c.cgroup / "pids.max").read_text() == "max\n"
