"""Scheduler, I/O priority, personality, memory policy; time and joined user namespaces."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import (
    Bundle,
    Config,
    Container,
    MakeContainer,
    make_config,
    wait_until,
)

SLEEP = ("sleep", "1000")
# Where the pid namespace is not new, proc cannot be mounted from within a user namespace.
MOUNTS: list[Config] = [
    {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},  # noqa: S108
]
MAPS = {
    name: [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for name in ("uidMappings", "gidMappings")
}


def start(c: Container) -> Path:
    """/proc/PID of the container process once it runs."""
    c.run_detached().ok()
    return Path(f"/proc/{c.pid}")


def namespaces(*words: str) -> dict[str, Any]:
    """linux.namespaces of words `type` or `type=path`; a mount namespace goes without saying."""
    found = [word.partition("=") for word in ("mount", *words)]
    return {"namespaces": [{"type": kind, "path": path} for kind, _, path in found]}


@contextlib.contextmanager
def held_namespaces(*options: str) -> Iterator[Path]:
    """/proc/PID/ns of a process that unshare(1) has put into new namespaces."""
    command = ["unshare", *options, "sh", "-c", "echo; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            yield Path(f"/proc/{process.pid}/ns")
        finally:
            process.kill()


@pytest.fixture
def mapped(
    container: MakeContainer, applets: Path, test_name: str
) -> Iterator[Callable[..., Container]]:
    """Makes containers for user namespaces: the root of one cannot pass through tmp_path."""
    directory = Path(tempfile.mkdtemp(prefix=test_name))
    directory.chmod(0o755)

    def make(*args: str, **overrides: Any) -> Container:  # noqa: ANN401
        config = make_config(args, {"hostname": None, "mounts": MOUNTS, **overrides})
        config["linux"]["cgroupsPath"] = f"/{test_name}/mapped"
        (directory / "bundle").mkdir()
        return container(bundle=Bundle(directory / "bundle", applets, config))

    yield make
    shutil.rmtree(directory)


# --- scheduler: sched_setattr(2)


def read_policy(proc: Path) -> int:
    return os.sched_getscheduler(int(proc.name))


@pytest.mark.parametrize("policy", ["SCHED_OTHER", "SCHED_BATCH"])
def test_policy_and_nice(container: MakeContainer, policy: str) -> None:
    c = container(*SLEEP, process={"scheduler": {"policy": policy, "nice": 7}})
    proc = start(c)
    assert read_policy(proc) == getattr(os, policy)
    assert os.getpriority(os.PRIO_PROCESS, int(proc.name)) == 7


def test_idle(container: MakeContainer) -> None:
    c = container(*SLEEP, process={"scheduler": {"policy": "SCHED_IDLE"}})
    assert read_policy(start(c)) == os.SCHED_IDLE


def test_a_lower_nice_value_than_the_runtimes(container: MakeContainer) -> None:
    c = container(*SLEEP, process={"scheduler": {"policy": "SCHED_OTHER", "nice": -5}})
    assert os.getpriority(os.PRIO_PROCESS, int(start(c).name)) == -5


@pytest.mark.parametrize("policy", ["SCHED_FIFO", "SCHED_RR"])
def test_realtime(container: MakeContainer, policy: str) -> None:
    scheduler = {"policy": policy, "priority": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    proc = start(container(*SLEEP, process={"scheduler": scheduler}))
    assert read_policy(proc) == getattr(os, policy) | os.SCHED_RESET_ON_FORK
    assert os.sched_getparam(int(proc.name)).sched_priority == 3


def test_deadline(container: MakeContainer) -> None:
    values = {"runtime": 10**6, "deadline": 10**7, "period": 2 * 10**7}
    scheduler = {"policy": "SCHED_DEADLINE", **values}
    proc = start(container(*SLEEP, process={"scheduler": scheduler}))
    assert read_policy(proc) == 6
    lines = [line.partition(":") for line in (proc / "sched").read_text().splitlines()]
    shown = {name.strip(): value.strip() for name, _, value in lines}
    assert shown["dl.runtime"]
    assert shown["policy"] == "6"


def test_the_kernels_refusal_names_the_property(pyoci: Path, container: MakeContainer) -> None:
    c = container("true", process={"scheduler": {"policy": "SCHED_ISO"}})
    c.run().failed("init: set scheduler SCHED_ISO: EINVAL", "(process.scheduler)")
    c.assert_gone()


def test_values_that_cannot_be(pyoci: Path, container: MakeContainer) -> None:
    c = container("true", process={"scheduler": {"policy": "SCHED_FIFO"}})
    c.create().failed("process.scheduler.priority: SCHED_FIFO needs 1 to 99, got 0")
    c.assert_gone()


# --- I/O priority: ioprio_set(2)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("RT", "realtime: prio 2"), ("BE", "best-effort: prio 2"), ("IDLE", "idle")],
)
def test_io_priority(container: MakeContainer, name: str, shown: str) -> None:
    priority = {"class": f"IOPRIO_CLASS_{name}", "priority": 2}
    c = container("ionice", "-p", "1", process={"ioPriority": priority})
    assert c.run().ok().stdout.strip() == shown


def test_the_io_priority_is_not_the_runtimes(container: MakeContainer) -> None:
    before = subprocess.check_output(["ionice", "-p", str(os.getpid())])
    priority = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    container("true", process={"ioPriority": priority}).run().ok()
    assert subprocess.check_output(["ionice", "-p", str(os.getpid())]) == before


# --- domain: personality(2)


@pytest.mark.parametrize(("domain", "persona"), [("LINUX", "00000000"), ("LINUX32", "00000008")])
def test_personality(container: MakeContainer, domain: str, persona: str) -> None:
    c = container("cat", "/proc/self/personality", linux={"personality": {"domain": domain}})
    assert c.run().ok().stdout.strip() == persona


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names the 32-bit machine of x86_64")
def test_linux32_is_another_machine(container: MakeContainer) -> None:
    c = container("uname", "-m", linux={"personality": {"domain": "LINUX32"}})
    assert c.run().ok().stdout == "i686\n"


# --- memory policy: set_mempolicy(2)

NUMA = pytest.mark.skipif(
    not Path("/proc/self/numa_maps").exists(), reason="this kernel has no NUMA policies"
)


@NUMA
@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ({"mode": "MPOL_DEFAULT"}, "default"),
        ({"mode": "MPOL_LOCAL"}, "local"),
        ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
        ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
        ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "bind=static:0"),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0-0,0"}, "interleave:0"),
    ],
)
def test_memory_policy(container: MakeContainer, policy: Config, shown: str) -> None:
    c = container("cat", "/proc/self/numa_maps", linux={"memoryPolicy": policy})
    assert {line.split()[1] for line in c.run().ok().stdout.splitlines()} == {shown}


@NUMA
def test_a_memory_node_that_is_not_there(pyoci: Path, container: MakeContainer) -> None:
    c = container("true", linux={"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "63"}})
    c.run().failed("set memory policy MPOL_BIND on nodes 63: EINVAL", "(linux.memoryPolicy)")
    c.assert_gone()


# --- all of them, for a user without any right


def test_an_unprivileged_user_still_gets_them(container: MakeContainer) -> None:
    process = {
        "user": {"uid": 1000, "gid": 1000},
        "capabilities": {},
        "noNewPrivileges": True,
        "scheduler": {"policy": "SCHED_RR", "priority": 1},
        "ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 0},
    }
    c = container("sh", "-c", "ionice -p 1; cut -d' ' -f41 /proc/1/stat", process=process)
    assert c.run().ok().stdout.splitlines() == ["realtime: prio 0", str(os.SCHED_RR)]


# --- time namespaces (time_namespaces(7))

TIME = pytest.mark.skipif(
    not Path("/proc/self/ns/time").exists(), reason="this kernel has no time namespaces"
)


@TIME
@pytest.mark.parametrize("user", [False, True], ids=["", "user-namespace"])
def test_clocks_are_set(mapped: Callable[..., Container], user: bool) -> None:
    linux = namespaces("pid", "time", *(["user"] if user else [])) | (MAPS if user else {})
    linux["timeOffsets"] = {"monotonic": {"secs": 86400, "nanosecs": 5}, "boottime": {"secs": 500}}
    mounts = [{**MOUNTS[0], "type": "proc", "options": []}, *MOUNTS[1:]]
    c = mapped("cat", "/proc/self/timens_offsets", "/proc/uptime", linux=linux, mounts=mounts)
    monotonic, boottime, uptime = c.run().ok().stdout.splitlines()
    assert monotonic.split() == ["monotonic", "86400", "5"]
    assert boottime.split() == ["boottime", "500", "0"]
    # To the hundredth, which is what proc(5) gives: a difference of floats has more.
    ahead = round(float(uptime.split()[0]) - float(Path("/proc/uptime").read_text().split()[0]), 2)
    assert 490 < ahead <= 500


@TIME
def test_a_new_time_namespace_without_offsets(container: MakeContainer) -> None:
    c = container("readlink", "/proc/self/ns/time", linux=namespaces("pid", "time"), hostname=None)
    assert c.run().ok().stdout.strip() != str(Path("/proc/self/ns/time").readlink())


@TIME
def test_a_clock_that_would_be_negative(pyoci: Path, container: MakeContainer) -> None:
    linux = namespaces("time") | {"timeOffsets": {"boottime": {"secs": -(10**9)}}}
    c = container("true", linux=linux, hostname=None)
    c.run().failed("set clock boottime", "ERANGE", "(linux.timeOffsets.boottime)")
    c.assert_gone()


@TIME
def test_a_time_namespace_can_be_joined(container: MakeContainer) -> None:
    with held_namespaces("--time", "--fork", "--monotonic", "77") as held:
        (child,) = (held.parent / "task" / held.parent.name / "children").read_text().split()
        path = f"/proc/{child}/ns/time"
        c = container(
            "cat", "/proc/self/timens_offsets", linux=namespaces(f"time={path}"), hostname=None
        )  # fmt: skip
        assert c.run().ok().stdout.split()[:2] == ["monotonic", "77"]


# --- joined user namespaces (user_namespaces(7))


@contextlib.contextmanager
def held_user_namespace(*options: str) -> Iterator[Path]:
    """/proc/PID/ns of a process in a user namespace where 0 is 100000 (1000 ids)."""
    with held_namespaces("--user", *options) as held:
        for name in ("uid_map", "gid_map"):
            held.with_name(name).write_text("0 100000 1000")
        yield held


def test_a_joined_user_namespace(pyoci: Path, mapped: Callable[..., Container]) -> None:
    script = "readlink /proc/self/ns/user; cat /proc/self/uid_map; id -u; id -G"
    with held_user_namespace() as held:
        linux = namespaces(f"user={held}/user", "network", "ipc", "uts", "cgroup")
        c = mapped("sh", "-c", script, linux=linux, hostname="inside")
        link, uid_map, uid, groups = c.run().ok().stdout.splitlines()
        assert link == str((held / "user").readlink())
    assert uid_map.split() == ["0", "100000", "1000"]
    assert (uid, groups) == ("0", "0")


def test_new_namespaces_belong_to_the_joined_user_namespace(
    pyoci: Path, mapped: Callable[..., Container]
) -> None:
    # What takes CAP_SYS_ADMIN and CAP_NET_ADMIN there: a mount, the host name, the loopback.
    script = "hostname; cat /sys/class/net/lo/operstate; grep -c ' /tmp ' /proc/self/mounts"
    with held_user_namespace() as held:
        linux = namespaces(f"user={held}/user", "network", "uts")
        mounts = [*MOUNTS, {"destination": "/sys", "type": "sysfs", "source": "sysfs"}]
        c = mapped("sh", "-c", script, linux=linux, hostname="inside", mounts=mounts)
        name, state, count = c.run().ok().stdout.splitlines()
    assert (name, count) == ("inside", "1")
    assert state != "down"


def test_a_network_namespace_joined_along_with_a_user_namespace(
    pyoci: Path, mapped: Callable[..., Container]
) -> None:
    # It belongs to the runtime's user namespace, and is no business of the joined one.
    with held_user_namespace() as held, held_namespaces("--net") as other:
        linux = namespaces(f"user={held}/user", f"network={other}/net")
        c = mapped("readlink", "/proc/self/ns/net", linux=linux)
        assert c.run().ok().stdout.strip() == str((other / "net").readlink())


def test_mappings_are_not_written_into_a_joined_user_namespace(
    pyoci: Path, mapped: Callable[..., Container]
) -> None:
    with held_user_namespace() as held:
        linux = namespaces(f"user={held}/user")
        entry = [{"containerID": 0, "hostID": 5, "size": 1}]
        linux |= {"uidMappings": entry, "gidMappings": entry}
        c = mapped("cat", "/proc/self/uid_map", linux=linux)
        assert c.run().ok().stdout.split() == ["0", "100000", "1000"]


def test_a_user_namespace_without_root(pyoci: Path, mapped: Callable[..., Container]) -> None:
    with held_namespaces("--user") as held:
        c = mapped("true", linux=namespaces(f"user={held}/user"))
        c.run().failed("become 0:0 of the joined user namespace", "(linux.namespaces[1])")
        c.assert_gone()


def test_the_runtimes_death_ends_an_init_that_became_another_user(
    pyoci: Path, mapped: Callable[..., Container]
) -> None:
    # Which takes back the signal of prctl(2), PR_SET_PDEATHSIG.
    hook = {"path": "/bin/sleep", "args": SLEEP}
    linux = namespaces("pid", "user") | MAPS
    c = mapped("true", linux=linux, hooks={"createContainer": [hook]})
    words = ("create", "--bundle", str(c.bundle.path), c.id)
    main = c.spawn(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: read_grandchildren(main.pid))
    main.kill()
    main.wait()
    wait_until(lambda: c.status == "stopped")


def read_grandchildren(pid: int) -> list[str]:
    """The pids of the children of its children."""
    found: list[str] = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):
            found += Path(f"/proc/{child}/task/{child}/children").read_text().split()
    return found
