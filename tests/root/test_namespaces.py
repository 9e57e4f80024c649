"""linux.namespaces: new, joined by path, or the caller's; host names (config-linux.md)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Config, Container, MakeContainer
from tests.support.mounts import host_mounts, run_in_namespace
from tests.support.namespaces import KINDS, hold_namespaces, namespaces, read_own

READ_NAMESPACES = "for n in pid net ipc uts mnt cgroup user; do readlink /proc/self/ns/$n; done"


def inside(c: Container) -> dict[str, str]:
    """The namespaces of a container, by their names in /proc."""
    return dict(zip([*KINDS.values(), "user"], c.run().ok().stdout.split(), strict=True))


@pytest.fixture
def holder(container: MakeContainer) -> Container:
    """A running container with namespaces to join."""
    return hold_namespaces(container)


# --- new, kept, joined


@pytest.mark.smoke
def test_new_ones_are_not_the_hosts(container: MakeContainer) -> None:
    found = inside(container("sh", "-c", READ_NAMESPACES, mutate=namespaces(*KINDS)))
    assert [name for name in KINDS.values() if found[name] == read_own(name)] == []
    assert found["user"] == read_own("user")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mount"])
def test_what_is_not_listed_is_the_callers(container: MakeContainer, kind: str) -> None:
    others = [other for other in KINDS if other != kind]
    found = inside(container("sh", "-c", READ_NAMESPACES, mutate=namespaces(*others)))
    kept = [name for name in (*KINDS.values(), "user") if found[name] == read_own(name)]
    assert kept == sorted([KINDS[kind], "user"], key=[*KINDS.values(), "user"].index)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mount"])
def test_one_is_joined(container: MakeContainer, holder: Container, kind: str) -> None:
    path = f"/proc/{holder.pid}/ns/{KINDS[kind]}"
    others = [other for other in KINDS if other != kind]
    found = inside(
        container("sh", "-c", READ_NAMESPACES, mutate=namespaces(*others, **{kind: path}))
    )
    assert found[KINDS[kind]] == os.readlink(path)
    assert len({*found.values(), *map(read_own, KINDS.values())}) == 2 * len(KINDS) + 1


def test_all_are_joined(container: MakeContainer, holder: Container) -> None:
    paths = {k: f"/proc/{holder.pid}/ns/{name}" for k, name in KINDS.items() if k != "mount"}
    c = container("sh", "-c", f"{READ_NAMESPACES}; hostname", mutate=namespaces("mount", **paths))
    c.bundle.config.pop("hostname")
    c.bundle.write()
    *found, user, hostname = c.run().ok().stdout.split()
    wanted = {kind: os.readlink(path) for kind, path in paths.items()}
    assert {kind: found[list(KINDS).index(kind)] for kind in paths} == wanted
    assert (user, hostname) == (read_own("user"), "holder")


def test_a_mount_namespace_is_joined(container: MakeContainer, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    script = f"mount -t tmpfs of-the-joined {tmp_path}/place; echo >{ready}; exec sleep 1000"
    (tmp_path / "place").mkdir()
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    with subprocess.Popen(command) as process:
        try:
            ready.read_bytes()
            path = f"/proc/{process.pid}/ns/mnt"
            joined = os.readlink(path)
            mount = {"destination": "/home", "source": f"{tmp_path}/place", "options": ["rbind"]}
            c = container(
                *("sh", "-c", "readlink /proc/self/ns/mnt; grep ' /home ' /proc/self/mountinfo"),
                mutate=namespaces("pid", mount=path),
            )
            c.bundle.config["mounts"].append(mount)
            c.bundle.write()
            before = host_mounts()
            said = c.run().ok().stdout.splitlines()
            assert said[0] == joined
            assert "of-the-joined" in said[1]
            assert host_mounts() == before
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup", "mount"])
def test_one_of_another_type_is_refused(container: MakeContainer, kind: str) -> None:
    wrong = "uts" if kind == "network" else "network"
    others = [other for other in KINDS if other != kind]
    path = f"/proc/self/ns/{KINDS[wrong]}"
    c = container("true", mutate=namespaces(*others, **{kind: path}))
    c.run().failed(f"{path} is a {wrong} namespace, not a {kind} namespace")
    c.assert_gone()


@pytest.mark.parametrize("what", ["file", "directory", "fifo", "socket", "missing", "device"])
def test_what_is_no_namespace_is_refused(
    container: MakeContainer, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "place"
    if what == "file":
        path.touch()
    elif what == "directory":
        path.mkdir()
    elif what == "device":
        path = Path("/dev/null")
    elif what != "missing":
        os.mknod(path, 0o010600 if what == "fifo" else 0o140600)
    c = container("true", mutate=namespaces("mount", "pid", "uts", network=str(path)))
    c.run(timeout=20).failed(str(path))
    c.assert_gone()


def test_a_namespace_held_by_a_bind_mount_is_joined(
    container: MakeContainer, tmp_path: Path
) -> None:
    c = container(
        *("readlink", "/proc/self/ns/net"),
        mutate=namespaces("mount", "pid", "uts", network=f"{tmp_path}/held"),
    )
    script = "touch $D/held; unshare --net sh -c 'readlink /proc/self/ns/net >$D/name\n"
    script += "mount --bind /proc/self/ns/net $D/held'"
    # The inner shell mounts in the namespace that the runtime is in, too.
    done = run_in_namespace(c, script).ok()
    assert done.stdout == (tmp_path / "name").read_text()


@pytest.mark.parametrize("kinds", [("pid", "pid"), ("network", "mount", "network")])
def test_a_type_twice_is_refused(container: MakeContainer, kinds: tuple[str, ...]) -> None:
    c = container("true", mutate=namespaces(*kinds, "uts"))
    c.run().failed(f"a second {kinds[0]} namespace")


# --- without a mount namespace


def test_without_a_mount_namespace_the_root_is_changed_and_nothing_mounted(
    container: MakeContainer,
) -> None:
    def change(config: Config) -> None:
        namespaces("pid", "uts", "network")(config)
        config["root"]["readonly"] = False
        config["linux"] |= {"maskedPaths": [], "readonlyPaths": []}

    c = container("sh", "-c", "ls /; ls /proc; pwd; echo $$", mutate=change)
    (c.bundle.rootfs / "only-here").touch()
    before = host_mounts()
    c.create().ok()
    assert host_mounts() == before
    c.start().ok()
    c.wait_status("stopped")
    assert host_mounts() == before
    said = c.read_stdout().split()
    assert "only-here" in said
    assert said[-2:] == ["/", "1"]
    assert list((c.bundle.rootfs / "dev").iterdir()) == []


def test_without_a_mount_namespace_a_readonly_root_is_refused(container: MakeContainer) -> None:
    def change(config: Config) -> None:
        namespaces("pid", "uts")(config)
        config["linux"] |= {"maskedPaths": [], "readonlyPaths": []}

    c = container("true", mutate=change)
    c.run().failed("mount namespace")
    c.assert_gone()


# --- pid


def test_a_new_pid_namespace_starts_at_one(container: MakeContainer) -> None:
    c = container("sh", "-c", "echo $$; sh -c 'echo $$; ls -d /proc/[0-9]*'; true")
    assert c.run().ok().stdout == "1\n2\n/proc/1\n/proc/2\n"


def test_in_a_joined_pid_namespace_the_others_are_seen(
    container: MakeContainer, holder: Container
) -> None:
    path = f"/proc/{holder.pid}/ns/pid"
    script = "cat /proc/1/comm; test $$ -gt 1 && echo not the first"
    c = container("sh", "-c", script, mutate=namespaces("mount", "uts", pid=path))
    assert c.run().ok().stdout == "sleep\nnot the first\n"
    assert holder.status == "running"


def test_hooks_of_the_host_do_not_join_the_pid_namespace(
    container: MakeContainer, holder: Container, tmp_path: Path
) -> None:
    kinds = ("prestart", "createRuntime", "poststart", "poststop")
    script = "echo $0 $(readlink /proc/self/ns/pid) >>{}/hooks"
    hooks = {
        kind: [{"path": "/bin/sh", "args": [kind, "-c", script.format(tmp_path), kind]}]
        for kind in kinds
    }
    path = f"/proc/{holder.pid}/ns/pid"
    c = container("true", mutate=namespaces("mount", "uts", pid=path), hooks=hooks)
    c.run().ok()
    own = read_own("pid")
    assert (tmp_path / "hooks").read_text().splitlines() == [f"{kind} {own}" for kind in kinds]


# --- network


def test_in_a_new_network_namespace_lo_is_up(container: MakeContainer) -> None:
    said = container("sh", "-c", "ip addr; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo answers")
    done = said.run()
    assert "<LOOPBACK,UP,LOWER_UP>" in done.stdout
    assert "inet 127.0.0.1/8" in done.stdout
    names = [
        line.split(": ")[1].split("@")[0] for line in done.stdout.splitlines() if line[0] in "123"
    ]
    assert "lo" in names


def test_in_a_joined_network_namespace_lo_is_left_as_it_is(
    container: MakeContainer, tmp_path: Path
) -> None:
    c = container(
        *("ip", "addr", "show", "lo"),
        mutate=namespaces("mount", "pid", "uts", network=f"{tmp_path}/held"),
    )
    script = "touch $D/held; unshare --net mount --bind /proc/self/ns/net $D/held"
    assert "lo: <LOOPBACK> " in run_in_namespace(c, script).ok().stdout


# --- uts


def test_hostname_and_domainname(container: MakeContainer) -> None:
    own = (os.uname().nodename, Path("/proc/sys/kernel/domainname").read_text())
    script = "hostname; cat /proc/sys/kernel/domainname"
    c = container("sh", "-c", script, hostname="inside", domainname="example.org")
    assert c.run().ok().stdout == "inside\nexample.org\n"
    assert (os.uname().nodename, Path("/proc/sys/kernel/domainname").read_text()) == own


@pytest.mark.parametrize("name", ["hostname", "domainname"])
def test_names_need_a_namespace_and_a_length(container: MakeContainer, name: str) -> None:
    c = container("true")
    c.bundle.config.pop("hostname")
    for length, accepted in ((64, True), (65, False)):
        c.bundle.config[name] = "x" * length
        c.bundle.write()
        done = c.run()
        done.ok() if accepted else done.failed(name)
    c.bundle.config[name] = "inside"
    c.bundle.config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "pid"}]
    c.bundle.write()
    c.run().failed(name, "UTS namespace")
