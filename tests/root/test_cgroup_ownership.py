"""A container with a writable cgroup owns it (config-linux.md, "Cgroup ownership")."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Config, Container, MakeContainer

USER_FILES = ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads", ".")
LIMITS = ("cgroup.max.depth", "cgroup.freeze")
# A cgroup below, a process of ours in it, and a limit that is not ours to lift.
SCRIPT = """
cd /sys/fs/cgroup; mkdir below; sleep 1000 & echo $! >below/cgroup.procs && echo moved
echo 5 >cgroup.max.depth; kill $!; wait; rmdir below && echo removed
"""


def writable(container: MakeContainer, *args: str, **process: Any) -> Container:  # noqa: ANN401
    """One that may write its cgroup, as far as the files' owners let it."""

    def change(config: Config) -> None:
        config["linux"]["namespaces"].append({"type": "cgroup"})
        config["mounts"][-1]["options"] = ["nosuid", "noexec", "nodev"]
        assert config["mounts"][-1]["destination"] == "/sys/fs/cgroup"

    return container(*args, process=process, mutate=change)


def read_owners(c: Container, names: tuple[str, ...]) -> set[tuple[int, int]]:
    found = [os.stat(c.cgroup / name) for name in names]
    return {(status.st_uid, status.st_gid) for status in found}


def test_the_user_owns_the_cgroup_and_not_its_limits(container: MakeContainer) -> None:
    c = writable(container, "sleep", "1000", user={"uid": 1000, "gid": 1000})
    c.create().ok()
    assert read_owners(c, USER_FILES) == {(1000, 0)}
    assert read_owners(c, LIMITS) == {(0, 0)}


def test_the_user_may_divide_it(container: MakeContainer) -> None:
    c = writable(container, "sh", "-c", SCRIPT.replace("\n", "; ").strip("; "), user={"uid": 1000})
    done = c.run()
    assert done.stdout == "moved\nremoved\n"
    assert "cgroup.max.depth: Permission denied" in done.stderr
    c.assert_gone()


def test_what_the_user_made_in_it_goes_with_it(container: MakeContainer) -> None:
    script = "mkdir -p /sys/fs/cgroup/a/b; sleep 1000 & echo $! >/sys/fs/cgroup/a/b/cgroup.procs"
    c = writable(container, "sh", "-c", f"{script}; echo ready; wait", user={"uid": 1000})
    c.run_detached().ok()
    c.wait_stdout("ready\n")
    assert (c.cgroup / "a" / "b" / "cgroup.procs").read_text().count("\n") == 1
    c.delete("--force").ok()
    c.assert_gone()


@pytest.mark.parametrize("what", ["read-only mount", "no namespace", "root"])
def test_else_it_stays_the_runtimes(container: MakeContainer, what: str) -> None:
    c = writable(container, "sleep", "1000", user={"uid": 0 if what == "root" else 1000})
    if what == "read-only mount":
        c.bundle.config["mounts"][-1]["options"].append("ro")
    if what == "no namespace":
        c.bundle.config["linux"]["namespaces"].pop()
    c.bundle.write()
    c.create().ok()
    assert read_owners(c, USER_FILES) == {(0, 0)}


def test_the_kernel_says_which_files(container: MakeContainer) -> None:
    c = writable(container, "sleep", "1000", user={"uid": 1000})
    c.create().ok()
    listed = set(Path("/sys/kernel/cgroup/delegate").read_text().split())
    given = {path.name for path in c.cgroup.iterdir() if path.stat().st_uid == 1000}
    assert given == {path.name for path in c.cgroup.iterdir()} & listed
