"""Containers of an ordinary user: with and without subordinate ids, with and without a cgroup."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Config, merge, reap_children, wait_exit, wait_until
from tests.support.mounts import bind
from tests.support.rootless import (
    GID,
    RANGES,
    SINGLE,
    SUBORDINATE,
    UID,
    Make,
    Rootless,
    await_stop,
)
from tests.support.terminals import read_until_hangup


def with_ranges(config: Config | None = None, **members: Any) -> Config:  # noqa: ANN401
    """Members of a config with subordinate ids."""
    return merge({"linux": RANGES}, {**(config or {}), **members})


# --- run


def test_what_spec_writes_runs(rootless: Make) -> None:
    c = rootless("sh", "-c", "id -u; id -g; cat /proc/self/uid_map /proc/self/setgroups; hostname")
    (c.bundle.path / "config.json").unlink()
    c.call("spec", "--rootless", "--bundle", f"/mnt/{c.bundle.path.name}").ok()
    written = json.loads((c.bundle.path / "config.json").read_text())
    written["process"] |= {"terminal": False, "args": c.bundle.config["process"]["args"]}
    c.bundle.config = written
    c.bundle.write()
    assert c.run().ok().stdout.split() == ["0", "0", "0", str(UID), "1", "deny", "pyoci"]


def test_the_status_is_the_programs(rootless: Make) -> None:
    assert rootless("sh", "-c", "exit 7").run().rc == 7


def test_files_are_the_users_and_the_root_is_writable(rootless: Make) -> None:
    c = rootless("sh", "-c", "echo x >/made", root={"readonly": False})
    c.run().ok()
    found = (c.bundle.rootfs / "made").stat()
    assert (found.st_uid, found.st_gid) == (UID, GID)


def test_the_state_is_in_the_users_own_directory(rootless: Make, tmp_path: Path) -> None:
    c = rootless("sleep", "1000")
    c.run_detached().ok()
    root = tmp_path / "run" / "pyoci"
    assert root.stat().st_mode & 0o7777 == 0o1700
    assert root.stat().st_uid == UID
    listed = json.loads(c.call("list", "--format", "json").ok().stdout)
    assert [(entry["id"], entry["owner"]) for entry in listed] == [(c.id, "ordinary")]


def test_a_runtime_directory_that_is_not_his_is_explained(rootless: Make) -> None:
    c = rootless("true")
    (c.directory / "run").chmod(0o500)
    c.run().failed("cannot make the state root", "XDG_RUNTIME_DIR must be writable")
    (c.directory / "run").chmod(0o700)


def test_without_a_runtime_directory_is_explained(rootless: Make) -> None:
    c = rootless("true")
    del c.environment["XDG_RUNTIME_DIR"]
    c.run().failed("/run/pyoci", "EACCES", "set XDG_RUNTIME_DIR, or give a directory")


# --- subordinate ids


def test_subordinate_ids(rootless: Make) -> None:
    script = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; touch /made"
    sets = {name: ["CAP_CHOWN"] for name in ("bounding", "effective", "permitted")}
    members = {"root": {"readonly": False}, "process": {"capabilities": sets}}
    c = rootless("sh", "-c", f"{script}; chown 5:6 /made", **with_ranges(members))
    words = c.run().ok().stdout.split()
    ids = ["1", str(SUBORDINATE), "65536"]
    assert words == ["0", str(UID), "1", *ids, "0", str(GID), "1", *ids, "allow"]
    made = (c.bundle.rootfs / "made").stat()
    assert (made.st_uid, made.st_gid) == (SUBORDINATE + 4, SUBORDINATE + 5)


def test_another_user_with_groups(rootless: Make) -> None:
    user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6]}
    c = rootless("id", **with_ranges(process={"user": user}))
    assert c.run().ok().stdout == "uid=1000(user) gid=1001 groups=5,6\n"


def test_only_subordinate_ids(rootless: Make) -> None:
    """Nobody inside is the user, who alone may pass the directories above the rootfs."""
    ranges = [{"containerID": 0, "hostID": SUBORDINATE, "size": 1000}]
    c = rootless("sh", "-c", "id -u; cat /etc/passwd | head -n 1",
                 linux={"uidMappings": ranges, "gidMappings": ranges})  # fmt: skip
    c.bundle.path.chmod(0o700)
    assert c.run().ok().stdout.split()[0] == "0"


def test_an_id_that_is_not_zero_is_enough(rootless: Make) -> None:
    maps = {
        name: [{"containerID": 1000, "hostID": own, "size": 1}]
        for name, own in (("uidMappings", UID), ("gidMappings", GID))
    }
    user = {"uid": 1000, "gid": 1000}
    c = rootless("sh", "-c", "id; touch /dev/shm/made", linux=maps, process={"user": user})
    assert c.run().ok().stdout == "uid=1000(user) gid=1000(user)\n"


def test_ids_that_are_not_his(rootless: Make) -> None:
    maps = [{"containerID": 0, "hostID": SUBORDINATE + 65000, "size": 10000}]
    c = rootless("true", linux={"uidMappings": maps, "gidMappings": maps})
    c.run().failed("run /usr/bin/newgidmap", "linux.gidMappings", "/etc/subgid gives to him")


def test_no_subordinate_ids_at_all(rootless: Make) -> None:
    c = rootless("true", **with_ranges())
    for name in ("subuid", "subgid"):
        (c.directory / "etc" / name).write_text("")
    said = c.run().failed("newgidmap", "/etc/subgid gives to him").stderr
    assert "not allowed" in said  # in the helper's own words


def test_without_the_helpers(rootless: Make) -> None:
    c = rootless("true", **with_ranges())
    place = Path(shutil.which("newgidmap") or "/usr/bin/newgidmap")
    script = f'mount --bind /dev/null {place}; exec "$@"'
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", *c.program, "run", "--bundle"]
    done = c.run_command([*command, f"/mnt/{c.bundle.path.name}", c.id])
    done.failed("run newgidmap", "executable file not found", "Debian: uidmap")


def test_a_helper_that_fails(rootless: Make) -> None:
    c = rootless("true", **with_ranges())
    place = Path(shutil.which("newgidmap") or "/usr/bin/newgidmap")
    (c.directory / "hang").write_text("#!/bin/sh\necho it says this >&2\nexit 3\n")
    (c.directory / "hang").chmod(0o755)
    script = f'mount --bind {c.directory}/hang {place}; exec "$@"'
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", *c.program, "run", "--bundle"]
    done = c.run_command([*command, f"/mnt/{c.bundle.path.name}", c.id])
    done.failed("exit status 3: it says this")


@pytest.mark.parametrize("gids", [[5], [0]])
def test_groups_without_subordinate_ids_are_explained(rootless: Make, gids: list[int]) -> None:
    c = rootless("true", process={"user": {"uid": 0, "gid": 0, "additionalGids": gids}})
    c.run().failed("process.user.additionalGids: an ordinary user has no other groups",
                   "/etc/subgid")  # fmt: skip


# --- the life of a container


@pytest.mark.parametrize("linux", [SINGLE, RANGES], ids=["single", "ranges"])
def test_create_to_delete(rootless: Make, linux: Config) -> None:
    c = rootless("sh", "-c", "echo started; sleep 1000 & exec sleep 1000", linux=linux)
    c.create("--pid-file", "/mnt/run/pid").ok()
    assert c.status == "created"
    pid = c.pid
    assert (c.directory / "run" / "pid").read_text() == str(pid)
    c.start().ok()
    c.wait_stdout("started")
    assert c.status == "running"
    assert pid in json.loads(c.call("ps", "--format", "json", c.id).ok().stdout)
    c.delete().failed("that is not stopped: running")
    c.kill("KILL").ok()
    await_stop(c)
    c.delete().ok()
    assert not c.state_directory.exists()


def test_delete_by_force(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.run_detached().ok()
    pid = c.pid
    c.delete("--force").ok()
    wait_exit(pid)


def test_a_created_one_is_deleted(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.create().ok()
    c.delete().ok()
    assert not c.state_directory.exists()


@pytest.mark.parametrize("linux", [SINGLE, RANGES], ids=["single", "ranges"])
def test_exec(rootless: Make, linux: Config) -> None:
    c = rootless("sleep", "1000", linux=linux)
    c.run_detached().ok()
    script = "id -u; head -n 1 /proc/self/uid_map"
    script += "; for n in pid mnt ipc uts user; do readlink /proc/self/ns/$n; done"
    words = c.exec("sh", "-c", script).ok().stdout.split()
    assert words[:4] == ["0", "0", str(UID), "1"]
    inside = dict(zip(("pid", "mnt", "ipc", "uts", "user"), words[4:], strict=True))
    assert inside == {n: os.readlink(f"/proc/{c.pid}/ns/{n}") for n in inside}
    assert c.exec("sh", "-c", "exit 9").rc == 9


def test_exec_as_another_user(rootless: Make) -> None:
    c = rootless("sleep", "1000", **with_ranges())
    c.run_detached().ok()
    done = c.exec("id", options=("--user", "1000:1000", "--additional-gids", "5"))
    assert done.ok().stdout == "uid=1000(user) gid=1000(user) groups=5\n"


def test_exec_with_groups_where_there_are_none(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.run_detached().ok()
    done = c.exec("id", options=("--additional-gids", "5"))
    done.failed("become user", "setgroups denied", rc=255)


def test_exec_detached_with_a_pid_file(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.run_detached().ok()
    c.call_detached("exec", "--detach", "--pid-file", "/mnt/run/pid", c.id, "sleep", "1000").ok()
    pid = int((c.directory / "run" / "pid").read_text())
    assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{c.pid}/ns/pid")
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    # It was made by the command, but belongs to the container.
    assert {c.pid, pid} <= set(json.loads(c.call("ps", "--format", "json", c.id).stdout))
    c.kill("KILL").ok()
    await_stop(c)


def test_exec_of_nonsense(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.run_detached().ok()
    c.exec("nonsense").failed('exec: "nonsense": executable file not found in $PATH', rc=255)


def test_exec_before_start_is_explained(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.create().ok()
    c.exec("true").failed("has not started", "start it first", rc=255)


@pytest.mark.parametrize("score", [100, -100])
def test_oom_score_adj_may_only_rise(rootless: Make, score: int) -> None:
    c = rootless("sh", "-c", "cat /proc/self/oom_score_adj; exec sleep 1000",
                 process={"oomScoreAdj": score})  # fmt: skip
    own = int(Path("/proc/self/oom_score_adj").read_text())
    c.run_detached().ok()
    wanted = str(max(score, own))
    c.wait_stdout(wanted)
    assert c.exec("cat", "/proc/self/oom_score_adj").ok().stdout.strip() == wanted


def test_a_terminal(rootless: Make) -> None:
    c = rootless("sh", "-c", "tty; test -c /dev/console && echo console; read x; exit 5")
    c.bundle.config["process"]["terminal"] = True
    c.bundle.write()
    pid, master = pty.fork()
    if pid == 0:
        words = [*c.program, "run", "--bundle", f"/mnt/{c.bundle.path.name}", c.id]
        os.execvpe(words[0], words, c.environment)  # noqa: S606
    os.write(master, b"x\n")
    said = read_until_hangup(master).decode()
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    assert "/dev/pts/0" in said
    assert "console\r\n" in said


def test_parameters_of_its_user_namespace(rootless: Make) -> None:
    sysctl = {"user.max_uts_namespaces": "7"}
    c = rootless("sysctl", "-n", *sysctl, linux={"sysctl": sysctl})
    assert c.run().ok().stdout == "7\n"


def test_hooks_are_the_users(rootless: Make, tmp_path: Path) -> None:
    said = tmp_path / "run" / "said"
    args = ["sh", "-c", "id -u >>/mnt/run/said"]
    hook = {"path": "/bin/sh", "args": args, "env": ["PATH=/usr/bin:/bin"]}
    rootless("true", hooks={"createRuntime": [hook], "poststop": [hook]}).run().ok()
    assert said.read_text() == f"{UID}\n{UID}\n"


# --- signals and processes without a cgroup


def test_signals_for_all(rootless: Make) -> None:
    script = "trap 'echo init' TERM; sh -c \"trap 'echo other; exit' TERM; echo up; "
    script += 'while :; do sleep 0.01; done" & while :; do wait; sleep 0.01; done'
    c = rootless("sh", "-c", script)
    c.run_detached().ok()
    c.wait_stdout("up")
    c.kill("--all", "TERM").ok()
    c.wait_stdout("init")
    c.wait_stdout("other")


def test_everybody_is_killed_without_a_pid_namespace(rootless: Make) -> None:
    c = rootless("sh", "-c", "sleep 1000 & echo up; wait")
    config = c.bundle.config
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]
    proc = {"destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind"]}
    config["mounts"] = [proc, *[m for m in config["mounts"] if m["type"] != "proc"]]
    config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    c.bundle.write()
    c.run_detached().ok()
    c.wait_stdout("up")
    pids = json.loads(c.call("ps", "--format", "json", c.id).ok().stdout)
    assert len(pids) == 2
    c.kill("KILL").ok()
    for pid in pids:
        wait_exit(pid)
    c.delete().ok()


@pytest.mark.parametrize(
    "words", [("pause",), ("update", "--pids-limit", "5"), ("events", "--stats")]
)
def test_what_takes_a_cgroup_says_so(rootless: Make, words: tuple[str, ...]) -> None:
    c = rootless("sleep", "1000")
    c.run_detached().ok()
    command, *options = words
    c.call(command, *options, c.id).failed("has no cgroup", "delegated to the user")
    c.exec("true", options=("--cgroup", "x")).failed("has no cgroup", rc=255)


# --- cgroups


def test_without_a_cgroup_it_stays_in_the_callers(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.run_detached().ok()
    assert Path(f"/proc/{c.pid}/cgroup").read_text() == Path("/proc/self/cgroup").read_text()
    assert (
        c.call("plan", "--bundle", f"/mnt/{c.bundle.path.name}", c.id).stdout.count(
            "cgroup    none"
        )
        == 1
    )


def test_without_a_cgroup_none_of_the_hosts_is_in_sight(rootless: Make) -> None:
    c = rootless("sh", "-c", "ls -A /sys/fs/cgroup; touch /sys/fs/cgroup/x")
    done = c.run()
    assert done.stdout == ""
    assert "Read-only file system" in done.stderr


def test_a_limit_without_a_cgroup_is_refused(rootless: Make) -> None:
    c = rootless("true", linux={"resources": {"pids": {"limit": 5}}})
    c.run().failed("linux.resources.pids.limit: there is no cgroup that this user may limit",
                   "systemd-run --user --scope -p Delegate=yes")  # fmt: skip


def test_device_rules_alone_are_no_limit(rootless: Make) -> None:
    rules = [{"allow": False, "access": "rwm"}]
    rootless("true", linux={"resources": {"devices": rules}}).run().ok()


@pytest.mark.parametrize("path", ["/pyoci-test-not-his/x", "relative/x"])
def test_a_path_that_is_not_his_is_refused(rootless: Make, path: str) -> None:
    c = rootless("true", linux={"cgroupsPath": path})
    c.run().failed("make cgroup", "EACCES", "leave linux.cgroupsPath away")


def test_rootless_false_tolerates_nothing(rootless: Make) -> None:
    c = rootless("true")
    c.options = ("--rootless=false",)
    c.run().failed("make cgroup", "EACCES")
    c.options = ("--rootless=true",)
    c.run().ok()


def test_with_a_delegated_cgroup(delegated: Path, rootless: Make) -> None:
    c = rootless("sleep", "1000")
    c.cgroup_path = delegated
    c.run_detached().ok()
    cgroup = delegated.parent / c.id
    assert (cgroup / "cgroup.procs").read_text().split() == [str(c.pid)]
    assert cgroup.stat().st_uid == UID
    c.call("pause", c.id).ok()
    assert c.status == "paused"
    c.call("resume", c.id).ok()
    assert c.status == "running"
    c.call_detached("exec", "--detach", c.id, "sleep", "1000").ok()
    pids = (cgroup / "cgroup.procs").read_text().split()
    assert len(pids) == 2
    assert sorted(map(int, pids)) == json.loads(c.call("ps", "-f", "json", c.id).ok().stdout)
    c.kill("--all", "KILL").ok()
    await_stop(c)
    c.delete().ok()
    assert not cgroup.exists()


def test_a_delegated_cgroup_by_its_path(delegated: Path, rootless: Make, test_name: str) -> None:
    path = f"/{test_name}/delegated/deep/er"
    c = rootless("true", linux={"cgroupsPath": path})
    c.cgroup_path = delegated
    c.run().ok()
    assert not (delegated.parent / "deep").exists()


def test_ones_own_cgroup_is_the_next_best(delegated: Path, rootless: Make) -> None:
    os.chown(delegated.parent / "cgroup.procs", 0, 0)
    c = rootless("sleep", "1000")
    c.cgroup_path = delegated
    c.run_detached().ok()
    assert (delegated / c.id / "cgroup.procs").read_text().split() == [str(c.pid)]
    c.delete("--force").ok()
    assert not (delegated / c.id).exists()


def test_a_container_cannot_lift_its_limits(delegated: Path, rootless: Make) -> None:
    """Without a cgroup namespace its cgroup is read-only, even if the config does not say so."""
    c = rootless("sh", "-c", "cat /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x")
    c.cgroup_path = delegated
    for mount in c.bundle.config["mounts"]:
        mount["options"] = [
            o for o in mount.get("options", []) if o != "ro" or mount["type"] == "none"
        ]
    c.bundle.write()
    done = c.run()
    assert done.stdout.split()[0] == "1"
    assert "Read-only file system" in done.stderr


def test_a_cgroup_namespace_in_a_delegated_cgroup(delegated: Path, rootless: Make) -> None:
    c = rootless("sh", "-c", "cat /proc/self/cgroup | grep ^0; cat /sys/fs/cgroup/cgroup.procs")
    c.bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    c.bundle.write()
    c.cgroup_path = delegated
    words = c.run().ok().stdout.split()
    assert words[:2] == ["0::/", "1"]


def test_a_controller_that_is_not_there(delegated: Path, rootless: Make) -> None:
    above = delegated.parent.parent / "cgroup.subtree_control"
    above.write_text(" ".join(f"-{name}" for name in above.read_text().split()))
    c = rootless("true", linux={"resources": {"pids": {"limit": 9}}})
    c.cgroup_path = delegated
    c.run().failed("linux.resources.pids.limit", "controller pids is not available")
    assert [path.name for path in delegated.parent.iterdir() if path.is_dir()] == ["session"]


def test_exec_from_a_session_outside(delegated: Path, rootless: Make) -> None:
    """The kernel moves nobody into the container's cgroup from there; without limits it may do."""
    c = rootless("sleep", "1000")
    c.cgroup_path = delegated
    c.run_detached().ok()
    c.cgroup_path = None
    assert c.exec("id", "-u").ok().stdout == "0\n"
    c.cgroup_path = delegated


# --- what takes root


def test_without_a_user_namespace(rootless: Make) -> None:
    c = rootless("true", linux={"uidMappings": None, "gidMappings": None})
    linux = c.bundle.config["linux"]
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "user"]
    c.bundle.write()
    c.run().failed("clone init", "EPERM", "it takes a user namespace", "pyoci spec --rootless")


def test_a_hard_limit_that_is_not_his_to_raise(rootless: Make) -> None:
    limit = {"type": "RLIMIT_NOFILE", "soft": 1 << 20, "hard": 1 << 30}
    c = rootless("true", process={"rlimits": [limit]})
    c.run().failed("set RLIMIT_NOFILE", "EPERM", "can only be lowered", "process.rlimits[0]")


def test_network_devices(rootless: Make) -> None:
    c = rootless("true", linux={"netDevices": {"eth0": {}}})
    c.bundle.config["linux"]["namespaces"].append({"type": "network"})
    c.bundle.write()
    c.run().failed("linux.netDevices.eth0: only root can move")


def test_id_mapped_mounts(rootless: Make) -> None:
    c = rootless("true")
    c.bundle.config["mounts"].append(bind("/x", "/mnt", "bind idmap"))
    c.bundle.write()
    c.run().failed("mounts[7]: only root can make an id-mapped mount")


def test_sysfs_without_a_network_namespace(rootless: Make) -> None:
    c = rootless("true")
    c.bundle.config["mounts"][5] = {"destination": "/sys", "type": "sysfs", "source": "sysfs"}
    c.bundle.write()
    c.run().failed("mount sysfs on /sys", "EPERM", "bind /sys")


def test_a_group_without_a_mapping(rootless: Make) -> None:
    c = rootless("true")
    c.bundle.config["mounts"][2]["options"].append("gid=5")
    c.bundle.write()
    c.run().failed("mount devpts on /dev/pts", "EINVAL", "mapping for this uid or gid")


def test_a_missing_source_is_inits_own_failure(rootless: Make) -> None:
    c = rootless("true")
    c.bundle.config["mounts"].append(
        {"destination": "/x", "source": "/mnt/none", "options": ["bind"]}
    )
    c.bundle.write()
    for _ in range(5):  # main and init race to be the first to fail
        c.run().failed("init: open /mnt/none by bind", "ENOENT", "(mounts[7])")


def test_killed_on_the_way_nothing_is_left(rootless: Make) -> None:
    c = rootless("sleep", "1000")
    words = ["create", "--bundle", f"/mnt/{c.bundle.path.name}", c.id]
    process = c.spawn(*words)
    state = c.state_directory / "state.json"
    wait_until(lambda: process.poll() is not None or state.exists())
    process.send_signal(signal.SIGKILL)
    process.wait()
    if c.state_directory.exists():
        c.delete("--force").ok()
    assert not c.state_directory.exists()


# --- root of a user namespace


def as_namespace_root(c: Rootless, *words: str, program: str = "", maps: str = "") -> Any:  # noqa: ANN401
    """Call the runtime as Podman does for a user: as root of a user namespace."""
    become = c.program[: c.program.index("--clear-groups") + 1]
    options = ["--user", "--map-root-user", *([maps] if maps else []), "--mount"]
    inner = ["unshare", *options, "env", "USER=ordinary"]
    return c.run_command([*become, *inner, program or str(c.runtime), *words])


def test_root_of_a_user_namespace(rootless: Make) -> None:
    """Its cgroup is not his, and it may load no filter: that is found out, and tolerated."""
    maps = [{"containerID": 0, "hostID": 0, "size": 1}]
    c = rootless("sh", "-c", "id -u; cat /proc/self/uid_map",
                 linux={"uidMappings": maps, "gidMappings": maps})  # fmt: skip
    done = as_namespace_root(c, "run", "--bundle", f"/mnt/{c.bundle.path.name}", c.id)
    assert done.ok().stdout.split() == ["0", "0", "0", "1"]
    done = as_namespace_root(
        c, "--rootless=false", "run", "--bundle", f"/mnt/{c.bundle.path.name}", c.id
    )
    done.failed("make cgroup", "EACCES")


def without_user_namespace(c: Rootless) -> Rootless:
    """The container as it is by default with Podman, which has made the user namespace itself."""
    linux = c.bundle.config["linux"]
    linux["namespaces"] = [entry for entry in linux["namespaces"] if entry["type"] != "user"]
    del linux["uidMappings"], linux["gidMappings"]
    c.bundle.write()
    return c


def test_root_of_a_user_namespace_without_one_more(rootless: Make) -> None:
    """mknod(2) is forbidden there, so the nodes are the host's."""
    script = "echo x >/dev/null; stat -c %t:%T /dev/null /dev/tty"
    c = without_user_namespace(rootless("sh", "-c", script))
    words = ("run", "--bundle", f"/mnt/{c.bundle.path.name}", c.id)
    done = as_namespace_root(c, *words, maps="--map-auto")
    assert done.ok().stdout.split() == ["1:3", "5:0"]


def test_exec_by_root_of_a_user_namespace(rootless: Make) -> None:
    """The pid namespace that it came from is not its own to go back to."""
    c = without_user_namespace(rootless("sleep", "1000"))
    script = (
        f"{c.runtime} run --detach --bundle /mnt/{c.bundle.path.name} {c.id} </dev/null"
        f" && {c.runtime} exec {c.id} sh -c 'echo in; exit 5'; code=$?;"
        f" {c.runtime} kill {c.id} KILL; exit $code"
    )
    done = as_namespace_root(c, "-c", script, program="sh", maps="--map-auto")
    assert (done.rc, done.stdout, done.stderr) == (5, "in\n", "")
    reap_children(set())


def test_root_of_a_user_namespace_in_a_delegated_cgroup(delegated: Path, rootless: Make) -> None:
    maps = [{"containerID": 0, "hostID": 0, "size": 1}]
    c = rootless("grep", "^0::", "/proc/self/cgroup",
                 linux={"uidMappings": maps, "gidMappings": maps})  # fmt: skip
    c.cgroup_path = delegated
    done = as_namespace_root(c, "run", "--bundle", f"/mnt/{c.bundle.path.name}", c.id)
    assert done.ok().stdout.strip().endswith(f"/delegated/{c.id}")


# --- namespaces of another container of his


def joining(rootless: Make, holder: Rootless, *args: str, kinds: str) -> Rootless:
    """One that joins these of the holder's namespaces."""
    c = rootless(*args, linux={"uidMappings": None, "gidMappings": None})
    linux = c.bundle.config["linux"]
    names = {"mount": "mnt", "network": "net"}
    for kind in kinds.split():
        path = f"/proc/{holder.pid}/ns/{names.get(kind, kind)}"
        linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != kind]
        linux["namespaces"].append({"type": kind, "path": path})
    if "uts" in kinds:
        c.bundle.config.pop("hostname")
    c.bundle.write()
    return c


@pytest.mark.parametrize("kinds", ["user", "user pid", "user ipc uts", "ipc pid user uts"])
def test_namespaces_are_joined(rootless: Make, kinds: str) -> None:
    holder = rootless("sleep", "1000", **with_ranges())
    holder.run_detached().ok()
    script = "id -u; head -n 1 /proc/self/uid_map; "
    script += "for n in user pid ipc uts mnt; do readlink /proc/self/ns/$n; done"
    c = joining(rootless, holder, "sh", "-c", script, kinds=kinds)
    words = c.run().ok().stdout.split()
    user, *mapping = words[:4]
    assert (user, mapping) == ("0", ["0", str(UID), "1"])
    for kind, link in zip(("user", "pid", "ipc", "uts", "mnt"), words[4:], strict=True):
        same = link == os.readlink(f"/proc/{holder.pid}/ns/{kind}")
        assert same is (kind in kinds.split()), kind


def test_a_joining_one_lives_like_any(rootless: Make) -> None:
    holder = rootless("sleep", "1000", **with_ranges())
    holder.run_detached().ok()
    c = joining(rootless, holder, "sleep", "1000", kinds="user pid")
    c.create().ok()
    c.start().ok()
    assert c.exec("id", "-u").ok().stdout == "0\n"
    c.kill("KILL").ok()
    await_stop(c)
    c.delete().ok()
    assert holder.status == "running"


def test_a_namespace_of_somebody_else_is_refused(rootless: Make) -> None:
    c = rootless("true")
    c.bundle.config["linux"]["namespaces"][1] = {"type": "ipc", "path": "/proc/1/ns/ipc"}
    c.bundle.write()
    c.run().failed("open ipc namespace /proc/1/ns/ipc", "EACCES", "linux.namespaces[1]")
