"""A user namespace joined by path, with and without a pid namespace (config-linux.md)."""

from __future__ import annotations

import os

import pytest

from tests.support.containers import Config, Container, MakeContainer, read_children
from tests.support.user_namespaces import ROOT_ID, give, mapped


@pytest.fixture
def holder(container: MakeContainer) -> Container:
    """A running container with a user namespace to join."""
    c = mapped(container, "sleep", "1000")
    c.run_detached().ok()
    return c


def join(container: MakeContainer, holder: Container, *args: str, kinds: str = "user") -> Container:
    """One that joins these of the holder's namespaces, and has the other usual ones new."""

    def change(config: Config) -> None:
        config["root"]["readonly"] = False
        names = {"network": "net", "mount": "mnt"}
        for kind in kinds.split():
            path = f"/proc/{holder.pid}/ns/{names.get(kind, kind)}"
            old = [n for n in config["linux"]["namespaces"] if n["type"] != kind]
            config["linux"]["namespaces"] = [*old, {"type": kind, "path": path}]

    c = container(*args, mutate=change)
    give(c.bundle.rootfs, ROOT_ID)
    return c


def read(pid: int, kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def test_with_a_new_pid_namespace(container: MakeContainer, holder: Container) -> None:
    script = "echo $$; id -u; cat /proc/self/uid_map; ls -d /proc/[0-9]* | wc -l"
    c = join(container, holder, "sh", "-c", script)
    words = c.run().ok().stdout.split()
    assert words[:2] == ["1", "0"]
    assert words[2:5] == ["0", str(ROOT_ID), "1000"]
    assert int(words[-1]) <= 3  # itself and its helpers: of nobody else


def test_its_life_is_that_of_any_container(container: MakeContainer, holder: Container) -> None:
    c = join(container, holder, "sh", "-c", "echo started; exec sleep 1000")
    c.create().ok()
    pid = c.pid
    assert c.status == "created"
    # Init is the runtime's own child, not one of the process in between, which has ended.
    assert str(pid) in (c.cgroup / "cgroup.procs").read_text().split()
    assert (c.cgroup / "cgroup.procs").read_text().split() == [str(pid)]
    c.start().ok()
    c.wait_stdout("started")
    assert read(pid, "user") == read(holder.pid, "user")
    for kind in ("pid", "mnt", "net", "ipc", "uts"):
        assert read(pid, kind) not in (read(holder.pid, kind), read(os.getpid(), kind))
    assert c.exec("sh", "-c", "echo $$; id -u").ok().stdout.split()[1] == "0"
    c.kill("KILL").ok()
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


def test_in_the_foreground_its_status_is_ours(container: MakeContainer, holder: Container) -> None:
    before = read_children()
    c = join(container, holder, "sh", "-c", "exit 7")
    assert c.run().rc == 7
    assert read_children() == before
    c.assert_gone()


def test_the_pid_namespace_is_joined_too(container: MakeContainer, holder: Container) -> None:
    c = join(container, holder, "readlink", "/proc/self/ns/pid", kinds="user pid")
    c.bundle.config["mounts"] = [m for m in c.bundle.config["mounts"] if m["type"] != "sysfs"]
    c.bundle.write()
    assert c.run().ok().stdout.strip() == read(holder.pid, "pid")


def test_without_a_pid_namespace_of_its_own(container: MakeContainer, holder: Container) -> None:
    c = join(container, holder, "sh", "-c", "id -u; readlink /host/self/ns/user")
    linux = c.bundle.config["linux"]
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "pid"]
    linux["maskedPaths"] = linux["readonlyPaths"] = []
    kept = [m for m in c.bundle.config["mounts"] if m["type"] != "proc"]
    proc = {"destination": "/host", "source": "/proc", "options": ["rbind"]}
    c.bundle.config["mounts"] = [*kept, proc]
    c.bundle.write()
    assert c.run().ok().stdout.split() == ["0", read(holder.pid, "user")]


@pytest.mark.parametrize("kinds", ["user network", "user ipc uts"])
def test_other_namespaces_of_the_same_owner(
    container: MakeContainer, holder: Container, kinds: str
) -> None:
    script = "for n in net ipc uts; do readlink /proc/self/ns/$n; done"
    c = join(container, holder, "sh", "-c", script, kinds=kinds)
    c.bundle.config.pop("hostname")
    c.bundle.write()
    names = {"network": "net", "ipc": "ipc", "uts": "uts"}
    found = dict(zip(names, c.run().ok().stdout.split(), strict=True))
    joined = {kind for kind, link in found.items() if link == read(holder.pid, names[kind])}
    assert joined == {*kinds.split()} - {"user"}


def test_what_fails_before_there_is_an_init_is_told(container: MakeContainer) -> None:
    """Nobody can join the user namespace that he is in already."""
    c = container("true")
    own = {"type": "user", "path": "/proc/self/ns/user"}
    c.bundle.config["linux"]["namespaces"].append(own)
    c.bundle.write()
    c.run().failed("init: join user namespace: EINVAL", "linux.namespaces[5]")
    c.assert_gone()


def test_what_fails_afterwards_is_told(container: MakeContainer, holder: Container) -> None:
    c = join(container, holder, "nonsense")
    c.run().failed('exec: "nonsense": executable file not found in $PATH')
    c.assert_gone()
    c = join(container, holder, "true")
    c.bundle.config["mounts"].append({"destination": "/x", "type": "nonsense"})
    c.bundle.write()
    c.create().failed("init: mount nonsense on /x: ENODEV", "mounts[7]")
    c.assert_gone()
