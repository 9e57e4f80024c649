"""The systemd driver: what systemd and the kernel say of a unit, and when it is gone."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import MakeBundle, wait_exit, wait_until
from tests.support.units import UnitContainer, is_loaded, show, systemctl

pytestmark = pytest.mark.systemd

MIB = 1 << 20
SLEEP = ("sleep", "1000")
LIMITS = {
    "memory": {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 80 * MIB},
    "cpu": {"shares": 512, "quota": 20500, "period": 100000},
    "pids": {"limit": 50},
}

MakeUnit = Callable[..., UnitContainer]


@pytest.fixture
def unit(pyoci: Path, tmp_path: Path, test_name: str, bundle: MakeBundle) -> Iterator[MakeUnit]:
    """Makes containers with a unit of systemd: unit("sleep", "9", slice="a-b.slice", **config)."""
    made: list[UnitContainer] = []

    def make(*args: str, slice: str = "system.slice", **config: Any) -> UnitContainer:  # noqa: A002, ANN401
        name = f"{test_name}.{len(made)}"
        config.setdefault("linux", {}).setdefault("cgroupsPath", f"{slice}:test:{name}")
        container = UnitContainer(pyoci, tmp_path, bundle(*(args or SLEEP), **config), name)
        made.append(container)
        return container

    yield make
    for container in made:
        container.clean_up()
        assert container.leftovers() == []


def daemon_reload() -> None:
    systemctl("daemon-reload")


# --- the unit


def test_the_unit_and_the_kernel_have_the_limits(unit: MakeUnit) -> None:
    c = unit(linux={"resources": LIMITS})
    c.create().ok()
    properties = {
        "Slice": "system.slice",
        "Delegate": "yes",
        "DefaultDependencies": "no",
        "Description": f"pyoci container {c.id} in {c.root}",
        "ActiveState": "active",
        "ControlGroup": f"/system.slice/{c.unit}",
        "MemoryAccounting": "yes",
        "CPUAccounting": "yes",
        "IOAccounting": "yes",
        "TasksAccounting": "yes",
        "MemoryMax": str(64 * MIB),
        "MemoryLow": str(32 * MIB),
        "MemorySwapMax": str(16 * MIB),
        "CPUWeight": "59",
        "CPUQuotaPerSecUSec": "210ms",
        "CPUQuotaPeriodUSec": "100ms",
        "TasksMax": "50",
        "DevicePolicy": "strict",
    }
    assert c.show(*properties) == properties
    files = {
        "cgroup.procs": str(c.pid),
        "memory.max": str(64 * MIB),
        "memory.low": str(32 * MIB),
        "memory.swap.max": str(16 * MIB),
        "cpu.weight": "59",
        "cpu.max": "20500 100000",
        "pids.max": "50",
    }
    assert {file: c.read(file) for file in files} == files


def test_a_reload_of_systemd_does_not_lift_a_limit(unit: MakeUnit) -> None:
    limits = LIMITS | {"blockIO": {"weight": 500}} if has_io_weight() else LIMITS
    c = unit(linux={"resources": limits})
    c.create().ok()
    daemon_reload()
    files = {
        "memory.max": str(64 * MIB),
        "memory.low": str(32 * MIB),
        "memory.swap.max": str(16 * MIB),
        "cpu.weight": "59",
        "pids.max": "50",
        # In whole percents now, and not less than asked for.
        "cpu.max": "21000 100000",
    }
    assert {file: c.read(file) for file in files} == files
    assert c.show("DevicePolicy", "MemoryMax") == {
        "DevicePolicy": "strict",
        "MemoryMax": str(64 * MIB),
    }


def has_io_weight() -> bool:
    return Path("/sys/fs/cgroup/system.slice/io.weight").exists()


def test_devices_work_after_a_reload_as_before(unit: MakeUnit) -> None:
    c = unit()
    c.run_detached().ok()
    assert "/dev/char/1:3 rwm" in systemctl("show", c.unit, "--property=DeviceAllow")
    for _ in range(2):
        c.exec("sh", "-c", "echo hello >/dev/null; head -c1 /dev/zero; : >/dev/full").ok()
        denied = "mknod /dev/kmsg c 1 11; cat /dev/kmsg"
        assert c.exec("sh", "-c", denied).rc != 0
        daemon_reload()


def test_rules_that_systemd_cannot_say_are_not_said(unit: MakeUnit) -> None:
    rules = [{"allow": True, "access": "rwm"}, deny("c", 1, 11)]
    c = unit(linux={"resources": {"devices": rules}})
    c.create().ok()
    assert c.show("DevicePolicy") == {"DevicePolicy": "auto"}


def deny(kind: str, major: int, minor: int) -> dict[str, Any]:
    return {"allow": False, "type": kind, "major": major, "minor": minor, "access": "rwm"}


def test_the_unit_is_in_its_slice(unit: MakeUnit) -> None:
    c = unit(slice="testa-b.slice")
    c.create().ok()
    assert c.cgroup.parent == Path("/sys/fs/cgroup/testa.slice/testa-b.slice")
    assert c.read("cgroup.procs") == str(c.pid)
    assert c.show("Slice")["Slice"] == "testa-b.slice"


def test_a_name_that_is_a_slice(unit: MakeUnit, test_name: str) -> None:
    name = test_name.replace("-", "_")
    c = unit(linux={"cgroupsPath": f"::{name}-pod.slice"})
    c.run_detached().ok()
    assert c.read("cgroup.procs") == str(c.pid)
    assert c.show("ActiveState", "Transient") == {"ActiveState": "active", "Transient": "yes"}
    c.exec("true").ok()
    c.delete("--force").ok()
    c.assert_gone()


def test_the_cgroup_namespace_begins_at_the_unit(unit: MakeUnit) -> None:
    c = unit("cat", "/proc/self/cgroup")
    c.bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    c.bundle.write()
    assert c.run().ok().stdout == "0::/\n"


def test_without_a_path_the_unit_is_named_after_the_id(unit: MakeUnit) -> None:
    c = unit()
    c.bundle.config["linux"]["cgroupsPath"] = ""
    c.bundle.write()
    c.create().ok()
    name = f"pyoci-{c.id}.scope"
    assert show(name, "Slice", "ActiveState") == {"Slice": "system.slice", "ActiveState": "active"}
    c.delete("--force").ok()
    assert not is_loaded(name)
    c.bundle.config["linux"]["cgroupsPath"] = f"system.slice:pyoci:{c.id}"


def test_controllers_that_systemd_does_not_delegate_are_asked_for(unit: MakeUnit) -> None:
    c = unit(linux={"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}})
    if "hugetlb" in Path("/sys/fs/cgroup/cgroup.controllers").read_text():
        c.create().ok()
        assert c.read("hugetlb.2MB.max") == "0"
    else:
        c.create().failed("linux.resources.hugepageLimits[0].limit", "controller hugetlb")


# --- the end


def test_a_run_leaves_nothing(unit: MakeUnit) -> None:
    c = unit("sh", "-c", "exit 3")
    assert c.run().rc == 3
    c.assert_gone()
    assert systemctl("--failed", "--no-legend").strip() == ""


def test_deleted_after_its_end(unit: MakeUnit) -> None:
    c = unit("true")
    c.create().ok()
    pid = c.pid
    c.start().ok()
    wait_exit(pid)
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


# A program that is process 1 of its namespace does not end at systemd's first word.
RUNS_OUT = {
    "org.systemd.property.RuntimeMaxSec": "1",
    "org.systemd.property.TimeoutStopSec": "1",
}


def test_a_unit_that_has_failed_is_forgotten(unit: MakeUnit) -> None:
    c = unit(annotations=RUNS_OUT)
    c.run_detached().ok()
    wait_until(lambda: c.show("ActiveState")["ActiveState"] == "failed")
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


def test_sub_cgroups_and_orphans_go_too(unit: MakeUnit) -> None:
    c = unit("sh", "-c", "sleep 1000 & exec sleep 1000")
    kinds = c.bundle.config["linux"]["namespaces"]
    kinds[:] = [each for each in kinds if each["type"] != "pid"]
    c.bundle.write()
    c.run_detached().ok()
    wait_until(lambda: len(c.read("cgroup.procs").split()) == 2)
    (c.cgroup / "below").mkdir()
    c.delete("--force").ok()
    c.assert_gone()


def test_a_unit_of_another_container_survives(unit: MakeUnit) -> None:
    first, second = unit("true"), unit()
    second.bundle.config["linux"]["cgroupsPath"] = first.bundle.config["linux"]["cgroupsPath"]
    second.bundle.write()
    first.create().ok()
    pid = first.pid
    first.start().ok()
    wait_exit(pid)
    wait_until(lambda: not first.cgroup.exists())
    second.run_detached().ok()
    first.kill("--all", "KILL").ok()
    first.delete("--force").ok()
    assert second.status == "running"
    assert second.show("ActiveState") == {"ActiveState": "active"}
    second.delete("--force").ok()


# --- other commands, which learn the driver from the state


def test_exec_is_in_the_unit(unit: MakeUnit) -> None:
    c = unit()
    c.run_detached().ok()
    assert c.exec("cat", "/proc/self/cgroup").ok().stdout.strip().endswith(f"/{c.unit}")
    (c.cgroup / "inner").mkdir()
    done = c.exec("cat", "/proc/self/cgroup", options=("--cgroup", "/inner"))
    assert done.ok().stdout.strip().endswith(f"/{c.unit}/inner")


def test_pause_resume_kill_and_the_end_of_one_that_is_paused(unit: MakeUnit) -> None:
    c = unit()
    c.run_detached().ok()
    c.call("pause", c.id).ok()
    assert "frozen 1" in c.read("cgroup.events")
    assert c.status == "paused"
    c.call("resume", c.id).ok()
    assert c.status == "running"
    c.call("pause", c.id).ok()
    c.kill("KILL").ok()
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


def test_events_and_ps(unit: MakeUnit) -> None:
    c = unit(linux={"resources": LIMITS})
    c.run_detached().ok()
    assert '"limit":50' in c.call("events", "--stats", c.id).ok().stdout.replace(" ", "")
    assert c.call("ps", "--format", "json", c.id).ok().stdout.strip() == f"[{c.pid}]"


def test_update_changes_the_unit_and_the_kernel(unit: MakeUnit) -> None:
    c = unit(linux={"resources": LIMITS})
    c.run_detached().ok()
    words = ("--memory", "32M", "--memory-swap", "32M", "--cpu-share", "1024")
    more = ("--cpu-quota", "30500", "--cpu-period", "50000", "--pids-limit", "7")
    c.call("update", *words, *more, c.id).ok()
    files = {
        "memory.max": str(32 * MIB),
        "memory.swap.max": "0",
        "cpu.weight": "100",
        "cpu.max": "30500 50000",
        "pids.max": "7",
    }
    assert {file: c.read(file) for file in files} == files
    properties = {
        "MemoryMax": str(32 * MIB),
        "MemorySwapMax": "0",
        "CPUWeight": "100",
        "CPUQuotaPerSecUSec": "610ms",
        "CPUQuotaPeriodUSec": "50ms",
        "TasksMax": "7",
    }
    assert c.show(*properties) == properties
    daemon_reload()
    assert {file: c.read(file) for file in files} == files


def test_idle_and_back(unit: MakeUnit) -> None:
    c = unit(linux={"resources": {"cpu": {"shares": 512}}})
    c.run_detached().ok()
    for idle, weight in (("1", "0"), ("0", "100")):
        c.call("update", "--cpu-idle", idle, c.id).ok()
        daemon_reload()
        assert c.read("cpu.idle") == idle
        assert c.read("cpu.weight") == weight


def test_an_update_that_fails_changes_nothing(unit: MakeUnit) -> None:
    c = unit(linux={"resources": LIMITS})
    c.run_detached().ok()
    names = ("MemoryMax", "MemoryHigh", "CPUWeight", "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec",
             "TasksMax")  # fmt: skip
    files = ("memory.max", "memory.high", "cpu.weight", "cpu.max", "pids.max")
    before = c.show(*names), {file: c.read(file) for file in files}
    refused = (
        '{"memory":{"limit":33554432,"swap":33554432},"cpu":{"shares":2,"quota":5000},'
        '"pids":{"limit":9},"unified":{"memory.high":"1M","memory.oom.group":"much"}}'
    )
    path = c.directory / "refused.json"
    path.write_text(refused)
    c.call("update", "--resources", str(path), c.id).failed(
        "linux.resources.unified['memory.oom.group']: write 'much'", "is rolled back"
    )
    assert (c.show(*names), {file: c.read(file) for file in files}) == before


# --- what is refused


def test_annotations_are_properties(unit: MakeUnit) -> None:
    c = unit(annotations={
        "org.systemd.property.TimeoutStopSec": "uint32 7",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
        "org.systemd.property.Description": "'a box'",
        "org.systemd.property.Documentation": "['man:pyoci(8)']",
    })  # fmt: skip
    c.create().ok()
    properties = {
        "TimeoutStopUSec": "7s",
        "CollectMode": "inactive-or-failed",
        "Description": "a box",
        "Documentation": '"man:pyoci(8)"',
    }
    assert c.show(*properties) == properties
    c.delete("--force").ok()
    c.assert_gone()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("CollectMode", "'always'", "systemd says: "),
        ("NoSuchThing", "1", "systemd says: Cannot set property NoSuchThing"),
        ("CollectMode", "always", "annotations['org.systemd.property.CollectMode']: 'always'"),
    ],
)
def test_annotations_that_cannot_be(unit: MakeUnit, name: str, text: str, said: str) -> None:
    c = unit(annotations={f"org.systemd.property.{name}": text})
    c.create().failed(said)
    c.assert_gone()


def test_a_name_that_is_taken(unit: MakeUnit) -> None:
    c = unit()
    taken = subprocess.Popen(
        ["systemd-run", "--quiet", "--scope", f"--unit={c.unit}", "sleep", "1000"]
    )
    try:
        wait_until(lambda: show(c.unit, "ActiveState")["ActiveState"] == "active")
        c.create().failed(f"start unit {c.unit}: systemd says: Unit {c.unit} was already loaded")
        assert not c.state_directory.exists()
        assert show(c.unit, "ActiveState") == {"ActiveState": "active"}
        assert taken.poll() is None
    finally:
        taken.kill()
        taken.wait()
    wait_until(lambda: not is_loaded(c.unit))


def test_a_unit_that_has_failed_gives_its_name_away(unit: MakeUnit) -> None:
    c = unit()
    words = ("--quiet", "--scope", f"--unit={c.unit}", "--property=RuntimeMaxSec=1")
    subprocess.run(["systemd-run", *words, "sleep", "1000"], check=False)
    wait_until(lambda: show(c.unit, "ActiveState")["ActiveState"] == "failed")
    c.create().ok()
    assert c.show("ActiveState") == {"ActiveState": "active"}


def test_no_bus(unit: MakeUnit) -> None:
    c = unit()
    c.environment["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nowhere"
    c.create().failed(
        "cannot reach systemd by unix:path=/nowhere: ENOENT (no such file or directory)",
        "is systemd running here, with D-Bus? without --systemd-cgroup neither is needed",
    )
    assert not c.state_directory.exists()


def test_no_session_bus(unit: MakeUnit) -> None:
    c = unit()
    c.call("--rootless", "true", "--systemd-cgroup", "plan", "-b", str(c.bundle.path), c.id).failed(
        "no session bus", "loginctl enable-linger USER"
    )


# --- SIGKILL

# The calls of create from the state on: the clone, the messages to systemd, the state again.
MOMENTS = {
    "create": [
        "connect:1", "mkdirat:1", "clone3:1", "renameat:2", "connect:2", "poll:6", "poll:8",
        "poll:10", "poll:12", "poll:14", "renameat:3", "bpf:2", "poll:18", "renameat:4",
        "exit_group:1",
    ],
    "delete": ["connect:1", "poll:2", "poll:4", "unlinkat:1", "unlinkat:4", "exit_group:1"],
}  # fmt: skip


def kill_at(c: UnitContainer, command: str, moment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command; before that system call its main process is killed (strace(1), inject)."""
    call, when = moment.split(":")
    trace = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"]
    words = ["delete", "--force", c.id]
    if command == "create":
        words = ["--systemd-cgroup", "create", "--bundle", str(c.bundle.path), c.id]
    return subprocess.run(
        ["strace", "-o", "/dev/null", *trace, *c.program, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=c.environment,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("command", "moment"), [(command, moment) for command in MOMENTS for moment in MOMENTS[command]]
)
def test_killed_at_this_moment(unit: MakeUnit, command: str, moment: str) -> None:
    assert shutil.which("strace")
    c = unit(linux={"resources": LIMITS})
    if command == "delete":
        c.run_detached().ok()
    done = kill_at(c, command, moment)
    assert done.returncode == -signal.SIGKILL, done
    c.delete("--force").ok()
    c.assert_gone()
    assert systemctl("--failed", "--no-legend").strip() == ""


@pytest.mark.qemu
def test_cpus_and_nodes(unit: MakeUnit) -> None:
    c = unit(linux={"resources": {"cpu": {"cpus": "1", "mems": "0"}}})
    c.run_detached().ok()
    for cpus in ("1", "0-1"):
        c.call("update", "--cpuset-cpus", cpus, c.id).ok()
        daemon_reload()
        assert c.read("cpuset.cpus") == cpus
        assert c.show("AllowedCPUs", "AllowedMemoryNodes") == {
            "AllowedCPUs": cpus,
            "AllowedMemoryNodes": "0",
        }
    c.call("update", "--cpuset-cpus", "7", c.id).failed("linux.resources.cpu.cpus", "cpuset.cpus")
    assert c.show("AllowedCPUs") == {"AllowedCPUs": "0-1"}


def test_limits_are_properties_as_with_runc(unit: MakeUnit) -> None:
    program = shutil.which("runc")
    assert program
    # Shares become another weight since runc 1.3.2.
    resources = {**LIMITS, "cpu": {"quota": 20000, "period": 50000}}
    names = (
        *("MemoryMax", "MemoryLow", "MemorySwapMax", "TasksMax", "CPUQuotaPerSecUSec"),
        *("CPUQuotaPeriodUSec", "Delegate", "Slice", "DefaultDependencies", "TimeoutStopUSec"),
        "DevicePolicy",
    )
    found = []
    for runtime in (Path(program), None):
        c = unit(
            linux={"resources": resources},
            annotations={"org.systemd.property.TimeoutStopSec": "uint32 7"},
        )
        c.runtime = runtime or c.runtime
        assert c.create().rc == 0  # runc warns of a device without a driver
        found.append(c.show(*names))
        c.delete("--force").ok()
    assert found[0] == found[1]
