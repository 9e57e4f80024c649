"""containerd with ctr: io.containerd.runc.v2, and the runtime as its binary."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients.harness.containerd import Ctr
from tests.clients.harness.machine import CGROUPS, cgroup_driver
from tests.clients.harness.process import PATIENCE
from tests.support.containers import wait_until

FOREVER = ("sleep", "1000")

# The client sets the size once the container runs; until then stty prints none.
UNTIL_SIZED = 'until [ "$(stty size 2>/dev/null)" ]; do sleep 0.05; done; stty size'


def field(ctr: Ctr, name: str, *options: str) -> str:
    """A field of /proc/self/status in a container with these options."""
    line = ctr.run("grep", f"^{name}:", "/proc/self/status", options=options).ok().text
    return line.split(":")[1].strip()


@pytest.mark.guest
def test_run_prints_the_output(ctr: Ctr, tmp_path: Path) -> None:
    # Before 1.6.22 the client drops what it has not read when the task has ended.
    words = ctr.run_words(ctr.name(), ("sh", "-c", "echo out; echo err >&2; read x"), ("--rm",))
    files = (tmp_path / "stdout", tmp_path / "stderr")

    def read_files() -> list[str]:
        return [file.read_text() for file in files]

    with ctr.with_files(words, *files) as process:
        wait_until(lambda: read_files() == ["out\n", "err\n"], PATIENCE)
        process.communicate(b"\n", PATIENCE)
    assert (process.returncode, read_files()) == (0, ["out\n", "err\n"])


def test_run_reads_the_input(ctr: Ctr) -> None:
    words = ctr.run_words(ctr.name(), ("head", "-n1"), ("--rm",))
    with ctr.on_terminal(*words) as terminal:
        terminal.send("a line\n")
        terminal.expect("a line\n")
        terminal.finish().ok()


@pytest.mark.parametrize("status", [0, 7, 255])
def test_run_exits_with_the_status(ctr: Ctr, status: int) -> None:
    ctr.run("sh", "-c", f"exit {status}").exited(status)


def test_run_without_the_program(ctr: Ctr) -> None:
    ctr.run("nosuch").exited(1).said('exec: "nosuch": executable file not found in $PATH')


def test_run_on_a_terminal(ctr: Ctr) -> None:
    script = f"tty; {UNTIL_SIZED}; read x; echo got $x"
    words = ctr.run_words(ctr.name(), ("sh", "-c", script), ("--rm", "-t"))
    with ctr.on_terminal(*words) as terminal:
        terminal.expect("/dev/pts/0\n24 80\n")
        terminal.send("typed\n")
        terminal.expect("got typed\n")
        terminal.finish().ok()


def test_run_read_only(ctr: Ctr) -> None:
    ctr.run("touch", "/x", options=("--read-only",)).exited(1).said("Read-only file system")


def test_run_with_variables_and_a_working_directory(ctr: Ctr) -> None:
    options = ("--env", "A=b c", "--cwd", "/var/data")
    assert ctr.run("sh", "-c", "pwd; echo $A", options=options).ok().stdout == "/var/data\nb c\n"


def test_run_with_a_bind_mount(ctr: Ctr, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from outside")
    mount = f"type=bind,src={tmp_path},dst=/mnt,options=rbind:ro"
    done = ctr.run("sh", "-c", "cat /mnt/file; touch /mnt/x", options=("--mount", mount))
    done.exited(1).said("from outside", "Read-only file system")


def test_run_in_the_host_network(ctr: Ctr) -> None:
    inside = ctr.run("readlink", "/proc/self/ns/net", options=("--net-host",)).ok().text
    assert inside == os.readlink("/proc/self/ns/net")


def test_run_privileged(ctr: Ctr) -> None:
    plain, privileged = field(ctr, "CapEff"), field(ctr, "CapEff", "--privileged")
    assert int(plain, 16) < int(privileged, 16)


def test_run_with_seccomp(ctr: Ctr) -> None:
    assert (field(ctr, "Seccomp"), field(ctr, "Seccomp", "--seccomp")) == ("0", "2")


def test_run_writes_the_pid_file(ctr: Ctr, tmp_path: Path) -> None:
    name = ctr.start(*FOREVER, options=("--pid-file", str(tmp_path / "pid")))
    assert [int((tmp_path / "pid").read_text())] == ctr.pids(name)


@pytest.mark.guest
def test_run_detached(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    assert ctr.status(name) == "RUNNING"


@pytest.mark.guest
def test_exec_exits_with_the_status(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    done = ctr.exec(name, "sh", "-c", "echo in; exit 5").exited(5)
    assert done.stdout == "in\n"


def test_exec_as_a_user_in_a_directory(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    options = ("--user", "1000:1000", "--cwd", "/home/user")
    done = ctr.exec(name, "sh", "-c", "id -u; id -g; pwd", options=options).ok()
    assert done.words == ["1000", "1000", "/home/user"]


def test_exec_on_a_terminal(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    words = ("task", "exec", "--exec-id", "t", "-t", name, "sh", "-c", "tty; read x; exit 4")
    with ctr.on_terminal(*words) as terminal:
        terminal.expect("/dev/pts/0\n")
        terminal.send("\n")
        terminal.finish().exited(4)


def test_exec_without_the_program(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    ctr.exec(name, "nosuch").exited(1).said('exec: "nosuch": executable file not found in $PATH')
    assert ctr.status(name) == "RUNNING"


def test_ps_lists_every_process(ctr: Ctr) -> None:
    name = ctr.start("sh", "-c", "sleep 1000 & exec sleep 1000")
    wait_until(lambda: len(ctr.pids(name)) == 2)
    assert all(os.path.exists(f"/proc/{pid}") for pid in ctr.pids(name))


@pytest.mark.guest
def test_metrics(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    ctr("task", "metrics", name).ok().said("memory.usage", "pids.current", name)


@pytest.mark.limits
@pytest.mark.guest
def test_limits_and_their_metrics(ctr: Ctr) -> None:
    limits = ("--memory-limit", str(64 << 20), "--cpu-quota", "50000", "--cpu-period", "100000")
    name = ctr.start(*FOREVER, options=limits)
    (pid,) = ctr.pids(name)
    cgroup = CGROUPS / Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("::/")[2]
    assert (cgroup.suffix == ".scope") == (cgroup_driver() == "systemd")
    assert (cgroup / "cpu.max").read_text().strip() == "50000 100000"
    assert (cgroup / "memory.max").read_text().strip() == str(64 << 20)
    metrics = ctr("task", "metrics", name).ok().stdout.splitlines()
    rows = dict(line.split() for line in metrics if len(line.split()) == 2)
    assert rows["memory.usage_limit"] == str(64 << 20)


@pytest.mark.guest
def test_pause_and_resume(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    ctr("task", "pause", name).ok()
    assert ctr.status(name) == "PAUSED"
    ctr("task", "resume", name).ok()
    assert ctr.status(name) == "RUNNING"


@pytest.mark.guest
def test_kill(ctr: Ctr) -> None:
    name = ctr.start("sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.05; done")
    ctr.exec(name, "true").ok()
    ctr("task", "kill", "--signal", "SIGUSR1", name).ok()
    ctr.wait_status(name, "STOPPED")
    ctr("task", "delete", name).said("exit code 9")


def test_kill_of_a_stopped_task(ctr: Ctr) -> None:
    name = ctr.start("true")
    ctr.wait_status(name, "STOPPED")
    ctr("task", "kill", name).exited(1).said("process already finished: not found")


def test_kill_all_processes(ctr: Ctr) -> None:
    name = ctr.start("sh", "-c", "sleep 1000 & exec sleep 1000")
    wait_until(lambda: len(ctr.pids(name)) == 2)
    pids = ctr.pids(name)
    ctr("task", "kill", "--all", "--signal", "KILL", name).ok()
    ctr.wait_status(name, "STOPPED")
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))


def test_delete_of_a_running_task_is_refused(ctr: Ctr) -> None:
    name = ctr.start(*FOREVER)
    ctr("task", "delete", name).exited(1)
    assert ctr.status(name) == "RUNNING"


@pytest.mark.guest
def test_delete_by_force_leaves_nothing(ctr: Ctr, runtime_name: str) -> None:
    name = ctr.start(*FOREVER)
    state = Path("/run/containerd/runc/default") / name
    cgroup = CGROUPS / "default" / name
    if cgroup_driver() == "systemd":
        cgroup = CGROUPS / "system.slice" / f"ctr-{name}.scope"
    assert (state.exists(), cgroup.exists()) == (True, True), runtime_name
    ctr("task", "delete", "--force", name)
    ctr("container", "delete", name).ok()
    assert (ctr.status(name), state.exists(), cgroup.exists()) == ("", False, False)


@pytest.mark.guest
def test_many_at_once(ctr: Ctr) -> None:
    names = [ctr.name() for _ in range(8)]

    def run(number: int) -> Callable[[], int]:
        words = ctr.run_words(names[number], ("sh", "-c", f"exit {number}"), ("--rm",))
        return lambda: ctr(*words).status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda number: run(number)(), range(8)))
    assert statuses == list(range(8))
