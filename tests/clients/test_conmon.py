"""conmon, called as CRI-O calls it, with the runtime of the documented crio.conf.

CRI-O itself is not in Debian 12.
"""

from __future__ import annotations

import json
import os
import socket
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.harness.conmon import Conmon, Handler
from tests.clients.harness.machine import CGROUPS, cgroup_driver
from tests.clients.harness.snippets import read_snippet
from tests.support.containers import Bundle, make_applets, make_config, wait_until

FOREVER = ("sleep", "1000")
MakeConmon = Callable[..., Conmon]


@pytest.fixture(scope="session")
def applets(directory: Path) -> Path:
    """A directory of busybox under all its names."""
    make_applets(directory / "applets")
    return directory / "applets"


@pytest.fixture
def handler(runtime_name: str, runtime: Path) -> Handler:
    """The table of the page; the control in its place."""
    table = tomllib.loads(read_snippet("crio"))["crio"]["runtime"]["runtimes"]["pyoci"]
    handler = Handler(
        Path(table["runtime_path"]), Path(table["runtime_root"]), table["monitor_path"]
    )
    assert table["runtime_type"] == "oci"
    if runtime_name == "pyoci":
        return handler
    return Handler(runtime, Path("/run/runc"), handler.monitor)


@pytest.fixture
def conmon(handler: Handler, applets: Path, directory: Path, prefix: str) -> Iterator[MakeConmon]:
    """Makes containers under conmon: conmon("sh", "-c", "...", process={...})."""
    made: list[Conmon] = []

    def make(*args: str, **overrides: object) -> Conmon:
        name = f"{prefix}-{len(made)}"
        place = directory / name
        place.mkdir()
        config = make_config(args, overrides)
        systemd = cgroup_driver() == "systemd"
        config["linux"]["cgroupsPath"] = f"system.slice:crio:{name}" if systemd else f"/crio/{name}"
        made.append(Conmon(handler, place, Bundle(place / "bundle", applets, config), name))
        return made[-1]

    yield make
    for container in made:
        container.clean_up()


@pytest.mark.guest
def test_create_tells_the_pid(conmon: MakeConmon) -> None:
    c = conmon(*FOREVER)
    pid = c.create()["pid"]
    assert pid == int(c.pid_file.read_text())
    assert (c.state()["status"], c.state()["pid"]) == ("created", pid)


@pytest.mark.guest
def test_start_and_the_exit_code(conmon: MakeConmon) -> None:
    c = conmon("sh", "-c", "exit 7")
    c.create()
    c.start()
    assert c.wait() == 7
    wait_until(lambda: c.state()["status"] == "stopped")


@pytest.mark.guest
def test_the_log(conmon: MakeConmon) -> None:
    c = conmon("sh", "-c", "echo out; echo err >&2")
    c.create()
    c.start()
    c.wait()
    assert sorted(c.read_log()) == [("stderr", "err"), ("stdout", "out")]


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("nosuch", "executable file not found in $PATH"),
        ("/nosuch", "no such file or directory"),
        ("/etc", "permission denied"),
    ],
)
def test_create_passes_the_words_of_a_failure_up(
    conmon: MakeConmon, program: str, text: str
) -> None:
    answer = conmon(program).create()
    assert answer["pid"] < 0
    assert text in answer["message"]


def test_create_with_a_terminal(conmon: MakeConmon) -> None:
    c = conmon("sh", "-c", "tty; test -t 1; exit $?", process={"terminal": True})
    assert c.create("-t")["pid"] > 0
    c.start()
    assert c.wait() == 0
    assert c.read_log()[0][1].rstrip("\r") == "/dev/pts/0"


def test_attach_reads_the_input(conmon: MakeConmon) -> None:
    c = conmon("sh", "-c", "read x; echo got $x")
    c.create("-i")
    c.start()
    path = c.directory / "sockets" / c.id / "attach"
    wait_until(path.exists)
    # The path may be longer than a socket's address: a link to it is not.
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as attached:
        fd = os.open(path, os.O_PATH)
        attached.connect(f"/proc/self/fd/{fd}")
        os.close(fd)
        attached.send(b"typed\n")
        assert c.wait() == 0
    assert c.read_log() == [("stdout", "got typed")]


def test_many_terminals_one_after_another(conmon: MakeConmon) -> None:
    """conmon closes the console socket's connection as soon as it has the descriptor."""
    for _ in range(5):
        c = conmon("tty", process={"terminal": True})
        assert c.create("-t")["pid"] > 0
        c.start()
        assert c.wait() == 0


@pytest.mark.guest
def test_exec_sync_through_conmon(conmon: MakeConmon) -> None:
    c = conmon(*FOREVER)
    c.create()
    c.start()
    answer, log = c.exec("sh", "-c", "echo in; exit 5")
    assert answer["exit_code"] == 5
    assert log == [("stdout", "in")]


def test_exec_sync_through_conmon_without_the_program(conmon: MakeConmon) -> None:
    c = conmon(*FOREVER)
    c.create()
    c.start()
    answer, _ = c.exec("nosuch")
    assert answer["exit_code"] == -1
    assert "executable file not found in $PATH" in answer["message"]


@pytest.mark.guest
def test_exec_sync_directly(conmon: MakeConmon) -> None:
    c = conmon(*FOREVER)
    c.create()
    c.start()
    assert c.exec_directly("sh", "-c", "echo in; exit 5").exited(5).stdout == "in\n"
    c.exec_directly("nosuch").exited(255).said("executable file not found in $PATH")


def test_kill_by_number(conmon: MakeConmon) -> None:
    c = conmon("sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    c.create()
    c.start()
    wait_until(lambda: c.log.exists() and bool(c.read_log()))
    c.runtime("kill", c.id, "15").ok()
    assert c.wait() == 9
    wait_until(lambda: c.state()["status"] == "stopped")
    text = c.runtime("kill", c.id, "15").exited(1).stderr
    words = ("no such process", "container not running", "invalid process")  # CRI-O's
    assert any(word in text for word in words), text


def test_state_of_what_is_not_there_fails(conmon: MakeConmon) -> None:
    conmon(*FOREVER).runtime("state", "no-such-container").exited(1).said("does not exist")


@pytest.mark.limits
@pytest.mark.guest
def test_limits_and_their_update(conmon: MakeConmon, tmp_path: Path) -> None:
    limits = {"memory": {"limit": 64 << 20}, "cpu": {"quota": 50000, "period": 100000}}
    c = conmon(*FOREVER, linux={"resources": {**limits, "pids": {"limit": 50}}})
    pid = c.create()["pid"]
    c.start()
    cgroup = CGROUPS / Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("::/")[2]
    assert (cgroup.suffix == ".scope") == (cgroup_driver() == "systemd")
    files = ("memory.max", "cpu.max", "pids.max")
    values = [(cgroup / file).read_text().strip() for file in files]
    assert values == [str(64 << 20), "50000 100000", "50"]
    changed = tmp_path / "resources.json"
    changed.write_text(json.dumps({"memory": {"limit": 96 << 20}, "pids": {"limit": 60}}))
    c.runtime("update", "--resources", str(changed), c.id).ok()
    values = [(cgroup / file).read_text().strip() for file in files]
    assert values == [str(96 << 20), "50000 100000", "60"]


@pytest.mark.guest
def test_pause_and_resume(conmon: MakeConmon) -> None:
    c = conmon(*FOREVER)
    c.create()
    c.start()
    for command, status in (("pause", "paused"), ("resume", "running")):
        c.runtime(command, c.id).ok()
        assert c.state()["status"] == status


@pytest.mark.guest
def test_delete_leaves_nothing(conmon: MakeConmon) -> None:
    c = conmon(*FOREVER)
    c.create()
    state = c.handler.root / c.id
    assert state.exists()
    c.runtime("delete", c.id).ok()
    assert not state.exists()
    assert c.wait() == 137
    c.runtime("delete", "--force", c.id).ok()


def test_the_features_that_it_asks_for(conmon: MakeConmon) -> None:
    done = conmon(*FOREVER).runtime("features").ok()
    features = json.loads(done.stdout + done.stderr)  # CRI-O reads both as one
    assert {"ociVersionMin", "ociVersionMax"} <= set(features)
