"""linux.resources at create: the kernel holds the container to it, and says so in its files."""

from __future__ import annotations

import mmap
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, wait_until

MIB = 1 << 20
CGROUP2 = Path("/sys/fs/cgroup")
HUGE_PAGE = 2 * MIB


def limited(container: MakeContainer, *args: str, **resources: Any) -> Container:  # noqa: ANN401
    """A container with these resources."""
    return container(*args, linux={"resources": resources})


def read(c: Container, file: str) -> str:
    return (c.cgroup / file).read_text().strip()


def read_flat(c: Container, file: str) -> dict[str, int]:
    """A flat keyed file (cgroups(7)): a name and a number on each line."""
    words = (line.split() for line in read(c, file).splitlines())
    return {name: int(value) for name, value in words}


def root_disk() -> str:
    """major:minor of the disk that the root file system is on."""
    device = os.stat("/").st_dev
    return f"{os.major(device)}:{os.minor(device)}"


# --- values in files


@pytest.mark.parametrize(
    ("resources", "file", "value"),
    [
        ({"memory": {"limit": 64 * MIB}}, "memory.max", str(64 * MIB)),
        ({"memory": {"limit": -1}}, "memory.max", "max"),
        ({"memory": {"reservation": 32 * MIB}}, "memory.low", str(32 * MIB)),
        ({"memory": {"limit": 64 * MIB, "swap": 80 * MIB}}, "memory.swap.max", str(16 * MIB)),
        ({"memory": {"limit": 64 * MIB, "swap": -1}}, "memory.swap.max", "max"),
        ({"pids": {"limit": 20}}, "pids.max", "20"),
        ({"pids": {"limit": -1}}, "pids.max", "max"),
        ({"pids": {"limit": 0}}, "pids.max", "1"),
        ({"cpu": {"quota": 20000, "period": 50000}}, "cpu.max", "20000 50000"),
        ({"cpu": {"quota": -1}}, "cpu.max", "max 100000"),
        ({"cpu": {"quota": 20000, "burst": 5000}}, "cpu.max.burst", "5000"),
        ({"cpu": {"shares": 2}}, "cpu.weight", "1"),
        ({"cpu": {"shares": 512}}, "cpu.weight", "59"),
        ({"cpu": {"shares": 1024}}, "cpu.weight", "100"),
        ({"cpu": {"shares": 262144}}, "cpu.weight", "10000"),
        ({"cpu": {"idle": 1}}, "cpu.idle", "1"),
        ({"unified": {"memory.high": str(48 * MIB)}}, "memory.high", str(48 * MIB)),
        ({"unified": {"pids.max": "7"}, "pids": {"limit": 20}}, "pids.max", "7"),
    ],
)
def test_value(container: MakeContainer, resources: dict[str, Any], file: str, value: str) -> None:
    c = limited(container, "true", **resources)
    c.create().ok()
    assert read(c, file) == value


def test_throttles_share_the_line_of_their_device(container: MakeContainer) -> None:
    major, minor = (int(number) for number in root_disk().split(":"))

    def at(rate: int) -> list[dict[str, int]]:
        return [{"major": major, "minor": minor, "rate": rate}]

    rates = {
        "throttleReadBpsDevice": at(1 * MIB),
        "throttleWriteBpsDevice": at(2 * MIB),
        "throttleReadIOPSDevice": at(100),
        "throttleWriteIOPSDevice": at(200),
    }
    c = limited(container, "true", blockIO=rates)
    c.create().ok()
    expected = f"{root_disk()} rbps={1 * MIB} wbps={2 * MIB} riops=100 wiops=200"
    assert read(c, "io.max") == expected


# --- what the kernel does about it


def test_a_memory_hog_is_killed_at_the_limit(container: MakeContainer) -> None:
    hog = "dd if=/dev/zero of=/dev/null count=1 bs={}; echo hog $?; "
    script = hog.format(16 * MIB) + hog.format(96 * MIB) + "exec sleep 1000"
    limits = {"limit": 48 * MIB, "swap": 48 * MIB}
    c = limited(container, "sh", "-c", script, memory=limits)
    c.run_detached().ok()
    c.wait_stdout(f"hog {128 + signal.SIGKILL}\n")
    assert c.read_stdout().startswith("hog 0\n")
    assert read_flat(c, "memory.events")["oom_kill"] == 1
    assert c.status == "running"


def test_the_end_of_init_out_of_memory_is_a_sigkill(container: MakeContainer) -> None:
    script = f"exec dd if=/dev/zero of=/dev/null count=1 bs={96 * MIB}"
    c = limited(container, "sh", "-c", script, memory={"limit": 48 * MIB, "swap": 48 * MIB})
    assert c.run().rc == 128 + signal.SIGKILL
    c.assert_gone()


def test_a_fork_bomb_stops_at_the_limit(container: MakeContainer) -> None:
    # The subshell ends when it cannot fork; what it has started stays.
    script = "(while :; do sleep 1000 & done); echo stopped; exec sleep 1000"
    c = limited(container, "sh", "-c", script, pids={"limit": 20})
    c.run_detached().ok()
    c.wait_stdout("stopped\n")
    wait_until(lambda: read(c, "pids.current") == "19")  # all but the subshell
    assert read_flat(c, "pids.events")["max"] >= 1
    assert "can't fork" in c.read_stderr()
    c.delete("--force").ok()
    c.assert_gone()


def test_a_busy_loop_is_throttled(container: MakeContainer) -> None:
    limits = {"quota": 10000, "period": 100000}
    c = limited(container, "sh", "-c", "while :; do :; done", cpu=limits)
    c.run_detached().ok()
    wait_until(lambda: read_flat(c, "cpu.stat")["nr_throttled"] >= 3)
    assert read_flat(c, "cpu.stat")["throttled_usec"] > 0


# User Mode Linux panics when a process runs out of memory within execve(2).
@pytest.mark.qemu
@pytest.mark.parametrize("mib", [6, 16])
def test_a_low_memory_limit_is_enough_to_start(container: MakeContainer, mib: int) -> None:
    c = limited(container, "/bin/true", memory={"limit": mib * MIB, "swap": mib * MIB})
    c.run().ok()
    c.assert_gone()


@pytest.mark.qemu
def test_a_limit_too_low_for_init_says_so(container: MakeContainer) -> None:
    c = limited(container, "/bin/true", memory={"limit": mmap.PAGESIZE, "swap": mmap.PAGESIZE})
    c.run().failed("container init was OOM-killed (memory limit too low?)")
    c.assert_gone()
    # Before the hooks the limit is set, too.
    c.bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/true"}]}
    c.bundle.write()
    c.create().failed("container init was OOM-killed (memory limit too low?)")
    c.assert_gone()


def test_a_limit_without_its_controller_is_an_error(container: MakeContainer) -> None:
    c = limited(container, "true", cpu={"cpus": "0"})
    c.create().failed("cpuset", "cpuset.cpus", "linux.resources.cpu.cpus")
    c.assert_gone()


def test_a_value_that_the_kernel_refuses_undoes_the_create(container: MakeContainer) -> None:
    c = limited(container, "true", unified={"pids.max": "9", "memory.max": "much"})
    c.create().failed("memory.max", "linux.resources.unified")
    c.assert_gone()


# --- devices

KMSG = {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}
READ_KMSG = "dd if=/dev/kmsg of=/dev/null bs=8192 count=1; echo $?"


def test_a_denied_device_is_eperm(container: MakeContainer) -> None:
    resources = {"devices": [{"allow": False, "access": "rwm"}]}
    c = container("sh", "-c", READ_KMSG, linux={"devices": [KMSG], "resources": resources})
    done = c.run()
    assert done.stdout == "1\n"
    assert "can't open '/dev/kmsg': Operation not permitted" in done.stderr


def test_an_allowed_device_works(container: MakeContainer) -> None:
    allow = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    resources = {"devices": [{"allow": False, "access": "rwm"}, allow]}
    c = container("sh", "-c", READ_KMSG, linux={"devices": [KMSG], "resources": resources})
    assert c.run().stdout == "0\n"


def test_write_access_is_not_read_access(container: MakeContainer) -> None:
    allow = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"}
    resources = {"devices": [{"allow": False, "access": "rwm"}, allow]}
    script = f"echo hello >/dev/kmsg; echo $?; {READ_KMSG}"
    c = container("sh", "-c", script, linux={"devices": [KMSG], "resources": resources})
    assert c.run().stdout == "0\n1\n"


# --- what takes CAP_SYS_RESOURCE, which a host may lack


def test_oom_score_adj_is_lowered(container: MakeContainer) -> None:
    c = container("cat", "/proc/self/oom_score_adj", process={"oomScoreAdj": -500})
    assert c.run().ok().stdout == "-500\n"


def test_hard_limits_are_raised(container: MakeContainer) -> None:
    wanted = {"RLIMIT_NOFILE": 200_000, "RLIMIT_CORE": 1 << 40, "RLIMIT_MSGQUEUE": 1 << 21}
    limits = [{"type": name, "soft": value, "hard": value} for name, value in wanted.items()]
    c = container("cat", "/proc/self/limits", process={"rlimits": limits})
    # As a caller that may raise them, not one that has them already.
    low = ["prlimit", "--nofile=1024:4096", "--core=0:0", "--msgqueue=1024:1024"]
    done = c.run_command([*low, *c.program, "run", "--bundle", str(c.bundle.path), c.id]).ok()
    rows = [line.split() for line in done.stdout.splitlines()]
    found = {tuple(row[:3]): row[-3:-1] for row in rows}
    assert found["Max", "open", "files"] == ["200000", "200000"]
    assert found["Max", "core", "file"] == [str(1 << 40)] * 2
    assert found["Max", "msgqueue", "size"] == [str(1 << 21)] * 2


def test_capabilities_that_hosts_withhold_are_granted(container: MakeContainer) -> None:
    numbers = {"CAP_SYS_MODULE": 16, "CAP_SYS_TIME": 25, "CAP_SYS_RESOURCE": 24}
    sets = {name: list(numbers) for name in ("bounding", "permitted", "effective")}
    c = container("cat", "/proc/self/status", process={"capabilities": sets})
    status = c.run().ok().stdout
    mask = sum(1 << number for number in numbers.values())
    assert f"CapEff:\t{mask:016x}\n" in status
    assert f"CapBnd:\t{mask:016x}\n" in status


# --- cpuset and hugetlb


@pytest.mark.qemu
def test_cpus_and_memory_nodes(container: MakeContainer) -> None:
    script = "grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status; nproc"
    c = limited(container, "sh", "-c", script, cpu={"cpus": "1", "mems": "0"})
    expected = "Cpus_allowed_list:\t1\nMems_allowed_list:\t0\n1\n"
    assert c.run().ok().stdout == expected


@pytest.mark.qemu
def test_a_cpu_that_is_not_there_undoes_the_create(container: MakeContainer) -> None:
    c = limited(container, "true", cpu={"cpus": "7"}, pids={"limit": 5})
    c.create().failed("cpuset.cpus", "linux.resources.cpu.cpus")
    c.assert_gone()


@pytest.mark.qemu
def test_io_weight(container: MakeContainer) -> None:
    c = limited(container, "true", blockIO={"weight": 500})
    c.create().ok()
    found = [read(c, name) for name in ("io.bfq.weight", "io.weight") if (c.cgroup / name).exists()]
    assert found in (["default 500"], ["default 4950"])


@pytest.mark.qemu
def test_the_weight_of_a_device(container: MakeContainer) -> None:
    major, minor = (int(number) for number in root_disk().split(":"))
    qos = CGROUP2 / "io.cost.qos"
    qos.write_text(f"{root_disk()} enable=1")  # without it there are no weights but with BFQ
    weight = {"major": major, "minor": minor, "weight": 500}
    c = limited(container, "true", blockIO={"weight": 100, "weightDevice": [weight]})
    c.create().ok()
    found = [read(c, name) for name in ("io.bfq.weight", "io.weight") if (c.cgroup / name).exists()]
    qos.write_text(f"{root_disk()} enable=0")
    assert found[0].splitlines() in (
        ["default 100", f"{root_disk()} 500"],
        ["default 910", f"{root_disk()} 4950"],
    )


@pytest.mark.qemu
def test_a_device_that_rdma_does_not_know_undoes_the_create(container: MakeContainer) -> None:
    c = limited(container, "true", pids={"limit": 5}, rdma={"mlx4_0": {"hcaHandles": 2}})
    c.create().failed("mlx4_0 hca_handle=2", "rdma.max", "linux.resources.rdma.mlx4_0")
    c.assert_gone()


def touch_huge_pages(c: Container, count: int) -> int:
    """The exit status of a process of ours in the container's cgroup that uses so many of them."""
    pid = os.fork()
    if pid == 0:
        try:
            (c.cgroup / "cgroup.procs").write_text("0")
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000  # MAP_HUGETLB
            area = mmap.mmap(-1, count * HUGE_PAGE, flags=flags)
            for page in range(count):
                area[page * HUGE_PAGE] = 1
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.qemu
def test_huge_pages_end_at_the_limit(container: MakeContainer) -> None:
    Path("/proc/sys/vm/nr_hugepages").write_text("8")
    limits = [{"pageSize": "2MB", "limit": 2 * HUGE_PAGE}]
    c = limited(container, "sleep", "1000", hugepageLimits=limits)
    c.create().ok()
    assert read(c, "hugetlb.2MB.max") == str(2 * HUGE_PAGE)
    assert touch_huge_pages(c, 2) == 0
    # It cannot even be mapped where the reservation is limited, too; else it is a fault.
    assert touch_huge_pages(c, 3) in (1, -signal.SIGBUS)
    assert read_flat(c, "hugetlb.2MB.events")["max"] >= 1
    Path("/proc/sys/vm/nr_hugepages").write_text("0")
