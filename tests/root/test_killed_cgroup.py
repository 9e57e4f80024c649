"""A caller whose own cgroup was once killed (cgroup.kill): the kernel kills what clone3 makes.

Since Linux 6.14 CLONE_INTO_CGROUP compares the kills of the cgroup that we are in with those of the
one that the child shall be in. On other kernels the tests pass without any doing of ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, Result, find_cgroup2


@pytest.fixture
def in_killed_cgroup(test_name: str) -> Iterator[Callable[[Container, list[str]], Result]]:
    """Runs a command of the runtime in a cgroup that was killed before anybody was in it."""
    cgroup2 = find_cgroup2()
    assert cgroup2 is not None
    killed = cgroup2 / test_name / "killed"
    killed.mkdir()
    (killed / "cgroup.kill").write_text("1")

    def run(container: Container, words: list[str], **options: Any) -> Result:  # noqa: ANN401
        def enter() -> None:
            (killed / "cgroup.procs").write_text(str(os.getpid()))

        return container.call(*words, preexec_fn=enter, **options)

    yield run
    killed.rmdir()


def test_run(
    pyoci: Path, container: MakeContainer, in_killed_cgroup: Callable[..., Result]
) -> None:
    c = container("echo", "hello")
    done = in_killed_cgroup(c, ["run", "--bundle", str(c.bundle.path), c.id])
    assert done.ok().stdout == "hello\n"
    c.assert_gone()


def test_a_failure_is_still_told(
    pyoci: Path, container: MakeContainer, in_killed_cgroup: Callable[..., Result]
) -> None:
    c = container("/no/such/program")
    done = in_killed_cgroup(c, ["run", "--bundle", str(c.bundle.path), c.id])
    done.failed("/no/such/program", "no such file or directory")
    c.assert_gone()


def test_create_and_start(
    pyoci: Path, container: MakeContainer, in_killed_cgroup: Callable[..., Result]
) -> None:
    c = container("sleep", "1000")
    words = ["create", "--bundle", str(c.bundle.path), c.id]
    with c.stdout_path.open("ab") as stdout, c.stderr_path.open("ab") as stderr:
        in_killed_cgroup(c, words, stdout=stdout, stderr=stderr)
    assert c.status == "created"
    assert str(c.pid) in (c.cgroup / "cgroup.procs").read_text().split()
    c.start().ok()
    assert c.status == "running"
    c.delete("--force").ok()
    c.assert_gone()


def test_with_early_steps_of_main(
    pyoci: Path, container: MakeContainer, in_killed_cgroup: Callable[..., Result]
) -> None:
    c = container("cat", "/proc/self/oom_score_adj", process={"oomScoreAdj": 700})
    done = in_killed_cgroup(c, ["run", "--bundle", str(c.bundle.path), c.id])
    assert done.ok().stdout == "700\n"
    c.assert_gone()


def test_exec(
    pyoci: Path, container: MakeContainer, in_killed_cgroup: Callable[..., Result]
) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    done = in_killed_cgroup(c, ["exec", c.id, "grep", "0::", "/proc/self/cgroup"])
    assert done.ok().stdout.endswith(f"/{c.cgroup.name}\n")
    assert in_killed_cgroup(c, ["exec", c.id, "sh", "-c", "exit 7"]).rc == 7


def test_exec_where_systemd_made_the_cgroup(
    pyoci: Path, container: MakeContainer, in_killed_cgroup: Callable[..., Result]
) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    # All that exec knows of a unit; there is no systemd on a kernel that has the fault.
    path = c.state_directory / "state.json"
    state = json.loads(path.read_text())
    inode = c.cgroup.stat().st_ino
    unit = {"unit": "pyoci-x.scope", "bus": "", "description": "", "cgroup_inode": inode}
    path.write_text(json.dumps(state | {"systemd": unit}))
    done = in_killed_cgroup(c, ["exec", c.id, "grep", "0::", "/proc/self/cgroup"])
    path.write_text(json.dumps(state))
    assert done.ok().stdout.endswith(f"/{c.cgroup.name}\n")
