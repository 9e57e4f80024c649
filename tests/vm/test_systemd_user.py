"""The systemd driver for an ordinary user: units of his own manager, user@UID.service."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyoci.spec.defaults import default_config
from tests.support.containers import MakeBundle, merge, reap_children, wait_exit, wait_until
from tests.support.user_units import (
    BECOME,
    CALLERS,
    GID,
    MANAGER,
    RUNTIME_DIRECTORY,
    UID,
    UserUnitContainer,
    lingering,
)

pytestmark = pytest.mark.systemd

MIB = 1 << 20
SLEEP = ("sleep", "1000")
LIMITS = {
    "memory": {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 80 * MIB},
    "cpu": {"shares": 512},
    "pids": {"limit": 50},
}
EAT = "x=a; while true; do x=$x$x; done"
SUBORDINATE = 100000  # useradd's first
RANGES = {
    name: [
        {"containerID": 0, "hostID": own, "size": 1},
        {"containerID": 1, "hostID": SUBORDINATE, "size": 1000},
    ]
    for name, own in (("uidMappings", UID), ("gidMappings", GID))
}
OTHERS = {
    name: [{"containerID": 0, "hostID": SUBORDINATE, "size": 1000}]
    for name in ("uidMappings", "gidMappings")
}

MakeUnit = Callable[..., UserUnitContainer]


@pytest.fixture(scope="module")
def manager() -> Iterator[None]:
    """The user's manager, in its unit."""
    with lingering():
        yield


@pytest.fixture
def unit(
    manager: None,
    pyoci: Path,
    tmp_path: Path,
    test_name: str,
    bundle: MakeBundle,
) -> Iterator[MakeUnit]:
    """Makes containers of the user: unit("sleep", "9", slice="a-b.slice", **config)."""
    made: list[UserUnitContainer] = []
    for directory in (tmp_path, *tmp_path.parents[:2]):  # pytest's are root's alone
        directory.chmod(0o711)

    def make(*args: str, slice: str = "user.slice", **members: Any) -> UserUnitContainer:  # noqa: A002, ANN401
        name = f"{test_name}.{len(made)}"
        new = bundle(*args)
        config = json.loads(json.dumps(default_config(rootless=True, uid=UID, gid=GID)))
        config["linux"]["cgroupsPath"] = f"{slice}:test:{name}"
        process = {"terminal": False, "args": list(args or SLEEP)}
        new.config = merge(merge(config, {"process": process}), members)
        new.write()
        container = UserUnitContainer(pyoci, tmp_path, new, name)
        made.append(container)
        return container

    yield make
    for container in made:
        container.clean_up()
        assert container.leftovers() == []


def await_stop(c: UserUnitContainer) -> None:
    """Wait for the end of init; its pid namespace ends when what exec made is reaped, by us."""

    def stopped() -> bool:
        reap_children({process.pid for process in c.spawned})
        return c.status == "stopped"

    wait_until(stopped)


# --- the unit


@pytest.mark.parametrize("caller", CALLERS)
def test_a_run_is_in_its_unit_and_leaves_nothing(unit: MakeUnit, caller: str) -> None:
    c = unit("sh", "-c", "cat /proc/self/cgroup; exit 3")
    c.bundle.config["linux"]["namespaces"] = [
        each for each in c.bundle.config["linux"]["namespaces"] if each["type"] != "cgroup"
    ]
    c.bundle.write()
    c.caller = CALLERS[caller]
    done = c.run()
    assert (done.rc, done.stderr) == (3, "")
    assert done.stdout == f"0::/{c.cgroup.relative_to('/sys/fs/cgroup')}\n"
    c.assert_gone()


@pytest.mark.parametrize("caller", ["manager", "outside"])
def test_the_unit_and_the_kernel_have_the_limits(unit: MakeUnit, caller: str) -> None:
    c = unit(linux={"resources": LIMITS})
    c.caller = CALLERS[caller]
    c.create().ok()
    properties = {
        "Slice": "user.slice",
        "Delegate": "yes",
        "DefaultDependencies": "no",
        "Transient": "yes",
        "Description": f"pyoci container {c.id} in {c.root}",
        "ActiveState": "active",
        "ControlGroup": f"/{c.cgroup.relative_to('/sys/fs/cgroup')}",
        "MemoryMax": str(64 * MIB),
        "MemoryLow": str(32 * MIB),
        "MemorySwapMax": str(16 * MIB),
        "CPUWeight": "59",
        "TasksMax": "50",
    }
    assert c.show(*properties) == properties
    files = {
        "cgroup.procs": str(c.pid),
        "memory.max": str(64 * MIB),
        "memory.low": str(32 * MIB),
        "memory.swap.max": str(16 * MIB),
        "cpu.weight": "59",
        "pids.max": "50",
    }
    assert {file: c.read(file) for file in files} == files
    MANAGER.systemctl("daemon-reload")
    assert {file: c.read(file) for file in files} == files
    c.start().ok()
    assert c.status == "running"


def test_without_a_path_the_unit_is_in_the_users_slice(unit: MakeUnit) -> None:
    c = unit()
    path = c.bundle.config["linux"].pop("cgroupsPath")
    c.bundle.write()
    c.create().ok()
    name = f"pyoci-{c.id}.scope"
    found = MANAGER.show(name, "Slice", "ActiveState")
    assert found == {"Slice": "user.slice", "ActiveState": "active"}
    c.delete("--force").ok()
    assert not MANAGER.is_loaded(name)
    c.bundle.config["linux"]["cgroupsPath"] = path


def test_another_slice_of_his(unit: MakeUnit) -> None:
    c = unit(slice="testu-b.slice")
    c.run_detached().ok()
    assert c.cgroup.parent == MANAGER.cgroup / "testu.slice" / "testu-b.slice"
    assert c.read("cgroup.procs") == str(c.pid)


# --- what is delegated to the user


def test_too_much_memory(unit: MakeUnit) -> None:
    resources = {"memory": {"limit": 32 * MIB, "swap": 32 * MIB}}
    c = unit("sh", "-c", EAT, linux={"resources": resources})
    assert c.run().rc == 128 + signal.SIGKILL


def test_a_limit_of_processes_holds(unit: MakeUnit) -> None:
    script = "sleep 1000 & sleep 1000 & sleep 1000 & echo all"
    c = unit("sh", "-c", script, linux={"resources": {"pids": {"limit": 3}}})
    done = c.run()
    assert "all" not in done.stdout
    assert "fork" in done.stderr


def test_a_controller_that_he_has_not_is_named(unit: MakeUnit) -> None:
    assert "io" not in (MANAGER.cgroup / "cgroup.controllers").read_text().split()
    c = unit(linux={"resources": {"blockIO": {"weight": 500}}})
    c.create().failed("linux.resources.blockIO.weight", "controller io")
    c.assert_gone()


@pytest.mark.parametrize("caller", ["manager", "session"])
def test_update_changes_the_unit_and_the_kernel(unit: MakeUnit, caller: str) -> None:
    c = unit(linux={"resources": LIMITS})
    c.run_detached().ok()
    c.caller = CALLERS[caller]
    words = ("--memory", "32M", "--memory-swap", "32M", "--cpu-share", "1024", "--pids-limit", "7")
    c.call("update", *words, c.id).ok()
    files = {"memory.max": str(32 * MIB), "memory.swap.max": "0", "cpu.weight": "100"}
    files["pids.max"] = "7"
    properties = {"MemoryMax": str(32 * MIB), "MemorySwapMax": "0", "CPUWeight": "100"}
    properties["TasksMax"] = "7"
    for _ in range(2):
        assert {file: c.read(file) for file in files} == files
        assert c.show(*properties) == properties
        MANAGER.systemctl("daemon-reload")


def test_events_ps_and_pause(unit: MakeUnit) -> None:
    c = unit(linux={"resources": LIMITS})
    c.run_detached().ok()
    event = json.loads(c.call("events", "--stats", c.id).ok().stdout)
    assert event["data"]["pids"]["limit"] == 50
    assert c.call("ps", "--format", "json", c.id).ok().stdout.strip() == f"[{c.pid}]"
    c.call("pause", c.id).ok()
    assert "frozen 1" in c.read("cgroup.events")
    c.kill("KILL").ok()
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


# --- exec


@pytest.mark.parametrize(
    ("caller", "ids"),
    [*[(caller, {}) for caller in CALLERS], ("session", RANGES), ("manager", OTHERS),
     ("outside", OTHERS)],
)  # fmt: skip
def test_exec_is_in_the_unit(unit: MakeUnit, caller: str, ids: dict[str, Any]) -> None:
    c = unit(linux={"resources": LIMITS, **ids})
    c.caller = CALLERS["outside" if caller == "manager" else "manager"]
    c.run_detached().ok()
    c.caller = CALLERS[caller]
    assert c.exec("sh", "-c", "id -u; exit 9").stdout == "0\n"
    words = ("exec", "--detach", "--pid-file", str(c.bundle.path / "pid"), c.id, *SLEEP)
    c.call_detached(*words).ok()
    other = (c.bundle.path / "pid").read_text()
    assert sorted(c.read("cgroup.procs").split()) == sorted([str(c.pid), other])
    c.kill("KILL").ok()
    await_stop(c)


@pytest.mark.parametrize("caller", ["manager", "session"])
def test_exec_further_down(unit: MakeUnit, caller: str) -> None:
    c = unit()
    c.run_detached().ok()
    c.caller = CALLERS[caller]
    exec_further_down(c)


def exec_further_down(c: UserUnitContainer) -> None:
    """In a cgroup that the user has made in that of the unit."""
    subprocess.run([*BECOME, "mkdir", str(c.cgroup / "inner")], check=True)
    c.call_detached("exec", "--detach", "--cgroup", "/inner", c.id, *SLEEP).ok()
    assert len((c.cgroup / "inner" / "cgroup.procs").read_text().split()) == 1
    c.kill("KILL").ok()
    await_stop(c)
    c.delete().ok()
    c.assert_gone()


# --- the end


@pytest.mark.parametrize(
    ("caller", "ids"), [("session", {}), ("service", OTHERS), ("outside", OTHERS)]
)
def test_killed_and_deleted(unit: MakeUnit, caller: str, ids: dict[str, Any]) -> None:
    c = unit(linux=ids)
    c.caller = CALLERS[caller]
    c.run_detached().ok()
    pid = c.pid
    c.kill("KILL").ok()
    wait_exit(pid)
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


def test_sub_cgroups_and_orphans_go_too(unit: MakeUnit) -> None:
    c = unit("sh", "-c", "sleep 1000 & exec sleep 1000")
    c.run_detached().ok()
    wait_until(lambda: len(c.read("cgroup.procs").split()) == 2)
    subprocess.run([*BECOME, "mkdir", str(c.cgroup / "inner")], check=True)
    c.delete("--force").ok()
    c.assert_gone()


def test_a_unit_that_has_failed_is_forgotten(unit: MakeUnit) -> None:
    c = unit(annotations={
        "org.systemd.property.RuntimeMaxSec": "1",
        "org.systemd.property.TimeoutStopSec": "1",
    })  # fmt: skip
    c.run_detached().ok()
    wait_until(lambda: c.show("ActiveState")["ActiveState"] == "failed")
    c.wait_status("stopped")
    c.delete().ok()
    c.assert_gone()


def test_a_foreground_run_that_is_killed(unit: MakeUnit) -> None:
    c = unit()
    process = c.spawn_run(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: (c.state_directory / "state.json").exists() and c.status == "running")
    process.kill()
    process.wait()
    c.delete("--force").ok()
    c.assert_gone()


# The calls of create from the state on, as for root: the clone, the messages to systemd, the state.
MOMENTS = ["mkdirat:1", "clone3:1", "connect:2", "poll:8", "poll:12", "renameat:3", "exit_group:1"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_create_that_is_killed_at_this_moment(unit: MakeUnit, moment: str) -> None:
    assert shutil.which("strace")
    c = unit(linux={"resources": LIMITS})
    call, when = moment.split(":")
    trace = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"]
    words = ["--systemd-cgroup", "create", "--bundle", str(c.bundle.path), c.id]
    done = subprocess.run(
        [*BECOME, "strace", "-o", "/dev/null", *trace, str(c.runtime), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=c.environment,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done
    c.delete("--force").ok()
    c.assert_gone()


# --- which manager


@pytest.fixture
def namespace(manager: None) -> Iterator[tuple[str, ...]]:
    """A user namespace in which the user is root: the words that get a command into it."""
    words = [*BECOME, "unshare", "--user", "--map-root-user", "sh", "-c", "echo; exec sleep 1000"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n"
        file = f"/proc/{holder.pid}/ns/user"
        yield ("nsenter", f"--user={file}", "--preserve-credentials")
        holder.kill()


INNER = {
    name: [{"containerID": 0, "hostID": 0, "size": 1}] for name in ("uidMappings", "gidMappings")
}


def test_root_of_a_user_namespace_has_the_users_manager(
    namespace: tuple[str, ...], unit: MakeUnit
) -> None:
    c = unit(linux=INNER)
    c.caller = (*CALLERS["service"], *namespace)
    c.run_detached().ok()
    assert c.show("ActiveState", "Slice") == {"ActiveState": "active", "Slice": "user.slice"}
    assert c.read("cgroup.procs") == str(c.pid)
    c.caller = (*CALLERS["session"], *namespace)
    assert c.exec("id", "-u").ok().stdout == "0\n"
    c.delete("--force").ok()
    c.assert_gone()


@pytest.mark.parametrize("caller", ["manager", "session"])
def test_exec_further_down_by_root_of_a_user_namespace(
    namespace: tuple[str, ...], unit: MakeUnit, caller: str
) -> None:
    c = unit(linux=INNER)
    c.caller = (*CALLERS["manager"], *namespace)
    c.run_detached().ok()
    c.caller = (*CALLERS[caller], *namespace)
    exec_further_down(c)


def test_the_option_says_whose(unit: MakeUnit) -> None:
    c = unit()
    c.options = ("--rootless=false",)
    c.create().failed("start unit", "systemd says: ")
    c.assert_gone()


def test_without_a_manager(unit: MakeUnit, tmp_path: Path) -> None:
    c = unit()
    directory = tmp_path / "nothing"
    directory.mkdir()
    directory.chmod(0o777)
    c.root = directory / "pyoci"
    c.caller = (*BECOME, "env", f"XDG_RUNTIME_DIR={directory}")
    c.create().failed(
        f"cannot reach systemd by unix:path={directory}/bus: ENOENT",
        "loginctl enable-linger USER",
        f"XDG_RUNTIME_DIR={RUNTIME_DIRECTORY.parent}/UID",
    )
    c.assert_gone()
