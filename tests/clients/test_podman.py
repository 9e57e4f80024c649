"""Podman as root, with conmon: containers.conf names the runtime."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.harness.image import PAUSE_IMAGE
from tests.clients.harness.machine import CGROUPS, cgroup_driver
from tests.clients.harness.podman import Podman, PodmanHome
from tests.clients.harness.process import PATIENCE, call
from tests.support.containers import wait_until

STATUS = "/proc/self/status"


@pytest.fixture
def podman(podman_home: PodmanHome, runtime_name: str, prefix: str) -> Iterator[Podman]:
    """podman with one of the runtimes; its containers go when the test ends."""
    client = Podman(podman_home, runtime_name, prefix)
    yield client
    client.clean_up()


def field(podman: Podman, name: str, *options: str) -> str:
    """A field of /proc/self/status in a container with these options."""
    line = podman.run("grep", f"^{name}:", STATUS, options=options).ok().text
    return line.split(":")[1].strip()


def test_the_runtime_of_the_configuration_is_the_default(podman: Podman) -> None:
    runtime = json.loads(podman.home.podman("info", "--format", "json").ok().stdout)["host"][
        "ociRuntime"
    ]
    assert (runtime["name"], runtime["path"]) == ("pyoci", "/usr/local/bin/pyoci")


@pytest.mark.guest
def test_the_runtime_of_a_container(podman: Podman, runtime_name: str) -> None:
    assert podman.inspect(podman.start(), "OCIRuntime") == runtime_name


@pytest.mark.guest
def test_run_prints_the_output(podman: Podman) -> None:
    done = podman.run("sh", "-c", "echo out; echo err >&2").ok()
    assert done.stdout == "out\n"
    done.said("err\n")


@pytest.mark.parametrize("status", [0, 7, 255])
def test_run_exits_with_the_status(podman: Podman, status: int) -> None:
    podman.run("sh", "-c", f"exit {status}").exited(status)


def test_run_is_killed_with_137(podman: Podman) -> None:
    name = podman.start()
    podman("kill", name).ok()
    assert podman("wait", name).ok().text == "137"


def test_run_with_a_wrong_option_is_125(podman: Podman) -> None:
    podman.run("true", options=("--no-such-option",)).exited(125)


@pytest.mark.parametrize("program", ["/etc", "/bin/not-executable"])
def test_run_of_what_cannot_be_executed_is_126(podman: Podman, program: str) -> None:
    podman.run(program).exited(126).said("permission denied")


@pytest.mark.parametrize("program", ["nosuch", "/bin/nosuch"])
def test_run_of_a_missing_program_is_127(podman: Podman, program: str) -> None:
    podman.run(program).exited(127).said("attempted to invoke a command that was not found")


def test_an_error_is_told_in_the_runtime_s_words_only(podman: Podman, runtime_name: str) -> None:
    """The log's one entry is what Podman shows: runtime_supports_json has the runtime."""
    text = podman.run("nosuch").stderr
    line = next(line for line in text.splitlines() if line.startswith("Error: "))
    assert line.startswith(f"Error: {runtime_name}: {runtime_name}")
    assert '"level"' not in text


@pytest.mark.guest
def test_run_on_a_terminal(podman: Podman) -> None:
    script = "tty; read x; until stty size | grep '30 99'; do sleep 0.05; done; exit 4"
    words = podman.run_words(("sh", "-c", script), ("--rm", "-it"))
    with podman.on_terminal(*words) as terminal:
        terminal.expect("/dev/pts/0\n")
        terminal.send("\n")
        terminal.expect_size(30, 99)
        terminal.finish().exited(4)


def test_run_reads_the_input(podman: Podman) -> None:
    words = podman.run_words(("sh", "-c", "read x; echo got $x"), ("--rm", "-i"))
    with podman.on_terminal(*words) as terminal:
        terminal.send("a line\n")
        terminal.expect("got a line\n")
        terminal.finish().ok()


def test_attach(podman: Podman) -> None:
    name = podman.start("sh", "-c", "read x; echo got $x", options=("-it",))
    with podman.on_terminal("attach", name) as terminal:
        terminal.send("typed\n")
        terminal.expect("got typed\n")
        terminal.finish().ok()


def test_run_read_only(podman: Podman) -> None:
    done = podman.run("touch", "/x", options=("--read-only",))
    done.exited(1).said("Read-only file system")


def test_run_with_a_tmpfs_and_volumes(podman: Podman, tmp_path: Path) -> None:
    options = ("--tmpfs", "/t:size=64k,mode=700", "-v", f"{tmp_path}:/mnt:ro")
    done = podman.run("sh", "-c", "df /t | tail -n1; touch /mnt/x", options=options)
    done.exited(1).said("Read-only file system")
    assert done.words[1] == "64"


def test_run_with_an_overlay_volume(podman: Podman, tmp_path: Path) -> None:
    (tmp_path / "below").write_text("below")
    options = ("-v", f"{tmp_path}:/mnt:O")
    assert (
        podman.run("sh", "-c", "cat /mnt/below; touch /mnt/x", options=options).ok().stdout
        == "below"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["below"]


def test_run_with_ulimits_and_sysctls(podman: Podman) -> None:
    ulimits = ("--ulimit", "nofile=100:200", "--ulimit", "nproc=1000:1000")
    options = (*ulimits, "--sysctl", "kernel.msgmax=4096")
    done = podman.run(
        "sh", "-c", "ulimit -n; ulimit -Hn; cat /proc/sys/kernel/msgmax", options=options
    )
    assert done.ok().words == ["100", "200", "4096"]


def test_run_with_capabilities(podman: Podman) -> None:
    assert int(field(podman, "CapEff", "--cap-drop=all", "--cap-add=chown"), 16) == 1
    own = next(
        line.split()[1] for line in Path(STATUS).read_text().splitlines() if "CapBnd" in line
    )
    assert field(podman, "CapEff", "--privileged") == own


def test_run_with_security_options(podman: Podman) -> None:
    assert field(podman, "NoNewPrivs", "--security-opt=no-new-privileges") == "1"
    assert field(podman, "Seccomp") == "2"
    assert field(podman, "Seccomp", "--security-opt=seccomp=unconfined") == "0"


def test_run_as_a_user(podman: Podman) -> None:
    options = (
        "--user",
        "user",
        "--group-add",
        "3000",
        "--workdir",
        "/home/user",
        "--umask",
        "0027",
    )
    done = podman.run("sh", "-c", "id -u; id -G; pwd; umask", options=options).ok()
    assert done.words == ["1000", "1000", "2000", "3000", "/home/user", "0027"]


def test_run_with_a_user_namespace(podman: Podman) -> None:
    options = ("--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536")
    script = "cat /proc/self/uid_map /proc/self/gid_map; stat -c %u /"
    done = podman.run("sh", "-c", script, options=options).ok()
    assert done.words == ["0", "100000", "65536", "0", "200000", "65536", "0"]


def test_run_with_userns_auto(podman: Podman) -> None:
    done = podman.run("cat", "/proc/self/uid_map", options=("--userns=auto:size=1000",)).ok()
    assert (done.words[0], done.words[2]) == ("0", "1000")
    assert int(done.words[1]) > 0


def test_run_with_userns_of_another_container(podman: Podman) -> None:
    name = podman.start(options=("--uidmap", "0:100000:65536"))
    done = podman.run("cat", "/proc/self/uid_map", options=(f"--userns=container:{name}",)).ok()
    assert done.words == ["0", "100000", "65536"]


def test_run_in_the_host_s_namespaces(podman: Podman) -> None:
    kinds = {"net": "network", "pid": "pid", "ipc": "ipc", "uts": "uts", "cgroup": "cgroupns"}
    options = [f"--{option}=host" for option in kinds.values()]
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    done = podman.run("sh", "-c", script, options=options).ok()
    assert done.words == [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]


def test_run_in_another_container_s_namespaces(podman: Podman) -> None:
    name = podman.start()
    options = [f"--{kind}=container:{name}" for kind in ("network", "pid", "ipc")]
    assert podman.run("cat", "/proc/1/cmdline", options=options).ok().stdout == "sleep\0001000\0"


def test_run_with_preserved_descriptors(podman: Podman) -> None:
    words = podman.run_words(("sh", "-c", "cat <&3"), ("--rm", "--preserve-fds=1"))
    command = podman.home.command("--runtime", podman.runtime, *words)
    script = 'exec 3</etc/hostname; exec "$@"'
    with podman.home_terminal(["sh", "-c", script, "sh", *command]) as terminal:
        done = terminal.finish().ok()
    assert Path("/etc/hostname").read_text() in done.stdout


def test_run_in_a_bridge_network(podman: Podman) -> None:
    done = podman.run("ip", "-o", "-4", "addr", "show", "eth0", options=("--network=bridge",))
    done.ok().said("inet 10.88.")


@pytest.mark.guest
def test_exec_exits_with_the_status(podman: Podman) -> None:
    name = podman.start()
    done = podman("exec", name, "sh", "-c", "echo in; exit 5").exited(5)
    assert done.stdout == "in\n"


def test_exec_as_a_user_in_a_directory(podman: Podman) -> None:
    name = podman.start()
    options = ("--user", "1000", "--workdir", "/tmp", "--env", "A=b")  # noqa: S108
    done = podman("exec", *options, name, "sh", "-c", "id -u; pwd; echo $A").ok()
    assert done.words == ["1000", "/tmp", "b"]  # noqa: S108


@pytest.mark.guest
def test_exec_on_a_terminal(podman: Podman) -> None:
    name = podman.start()
    with podman.on_terminal("exec", "-it", name, "sh", "-c", "tty; read x; exit 4") as terminal:
        terminal.expect("/dev/pts/0\n")
        terminal.send("\n")
        terminal.finish().exited(4)


@pytest.mark.parametrize(("program", "status"), [("nosuch", 127), ("/etc", 126)])
def test_exec_of_what_cannot_be_executed(podman: Podman, program: str, status: int) -> None:
    name = podman.start()
    podman("exec", name, program).exited(status)


def test_exec_privileged(podman: Podman) -> None:
    name = podman.start()
    line = podman("exec", "--privileged", name, "grep", "CapEff", STATUS).ok().words[1]
    assert int(line, 16) > int(field(podman, "CapEff"), 16)


def test_logs(podman: Podman) -> None:
    name = podman.start("sh", "-c", "echo out; echo err >&2")
    podman("wait", name).ok()
    done = podman("logs", name).ok()
    assert done.stdout == "out\n"
    done.said("err\n")


def test_top(podman: Podman) -> None:
    name = podman.start("sh", "-c", "sleep 1000 & exec sleep 1000")
    wait_until(lambda: podman("top", name, "args").ok().stdout.count("sleep 1000") == 2)


@pytest.mark.guest
def test_stats(podman: Podman) -> None:
    name = podman.start()
    (stats,) = json.loads(podman("stats", "--no-stream", "--format", "json", name).ok().stdout)
    assert stats["name"] == name


@pytest.mark.guest
def test_pause_and_unpause(podman: Podman) -> None:
    name = podman.start()
    podman("pause", name).ok()
    assert podman.inspect(name, "State.Status") == "paused"
    podman("unpause", name).ok()
    podman("exec", name, "true").ok()


@pytest.mark.guest
def test_stop_and_start_again(podman: Podman) -> None:
    name = podman.start("sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.05; done")
    podman("exec", name, "true").ok()
    podman("stop", name).ok()
    assert podman.inspect(name, "State.ExitCode") == "6"
    podman("start", name).ok()
    assert podman.inspect(name, "State.Status") == "running"


def test_stop_kills_after_the_time(podman: Podman) -> None:
    name = podman.start()
    podman("stop", "--time", "0", name).ok()
    assert podman.inspect(name, "State.ExitCode") == "137"


def test_restart(podman: Podman) -> None:
    name = podman.start()
    before = podman.inspect(name, "State.Pid")
    podman("restart", "--time", "0", name).ok()
    assert podman.inspect(name, "State.Pid") != before


def test_init_then_start(podman: Podman) -> None:
    name = podman.name()
    words = podman.run_words(("sh", "-c", "exit 3"), ())
    podman("create", "--name", name, *words[3:]).ok()
    podman("init", name).ok()
    assert podman.inspect(name, "State.Status") == "initialized"
    podman("start", "--attach", name).exited(3)


def test_a_health_check(podman: Podman) -> None:
    options = ("--health-cmd", "test -e /var/data/healthy", "--health-interval", "disable")
    name = podman.start(options=options)
    podman("healthcheck", "run", name).exited(1)
    podman("exec", name, "touch", "/var/data/healthy").ok()
    podman("healthcheck", "run", name).ok()
    assert podman.inspect(name, "State.Health.Status") == "healthy"


@pytest.mark.guest
def test_a_pod_with_two_containers(podman: Podman) -> None:
    pod = f"{podman.prefix}-pod"
    podman("pod", "create", "--name", pod, "--infra-image", PAUSE_IMAGE, "--network=none").ok()
    try:
        podman.start(options=(f"--pod={pod}",))
        done = podman.run("readlink", "/proc/self/ns/ipc", options=(f"--pod={pod}",)).ok()
        same = podman("exec", podman.names[0], "readlink", "/proc/self/ns/ipc").ok()
        assert done.text == same.text
        podman("pod", "pause", pod).ok()
        podman("pod", "unpause", pod).ok()
        podman("pod", "stop", "--time", "0", pod).ok()
    finally:
        podman("pod", "rm", "--force", "--time", "0", pod)


@pytest.mark.limits
@pytest.mark.guest
def test_limits_and_their_update(podman: Podman) -> None:
    name = podman.start(options=("--memory=64m", "--cpus=0.5", "--pids-limit=50"))
    pid = podman.inspect(name, "State.Pid")
    cgroup = CGROUPS / Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("::/")[2]
    scope = next(path for path in (cgroup, *cgroup.parents) if "libpod-" in path.name)
    assert (scope.suffix == ".scope") == (cgroup_driver() == "systemd")
    files = ("memory.max", "cpu.max", "pids.max")
    values = [(scope / file).read_text().strip() for file in files]
    assert values == [str(64 << 20), "50000 100000", "50"]
    podman("update", "--memory=96m", "--memory-swap=192m", name).ok()
    assert (scope / "memory.max").read_text().strip() == str(96 << 20)


@pytest.mark.limits
@pytest.mark.guest
def test_out_of_memory_is_told(podman: Podman) -> None:
    # Only the one that holds the memory may be killed.
    hold = "(echo 1000 >/proc/self/oom_score_adj; exec dd if=/dev/zero bs=24M count=1)"
    script = f"{hold} | (head -c 1 >/dev/null; echo held; sleep 1000)"
    words = podman.run_words(("sh", "-c", script), ("--oom-score-adj=-1000",))
    podman("create", *words[1:]).ok()
    name = podman.names[-1]
    # Podman 4 looks for a file there, and conmon leaves it where it was started.
    where = Path(podman.inspect(name, "StaticDir"))
    command = podman.home.command("--runtime", podman.runtime, "start", name)
    call(["env", f"--chdir={where}", *command], podman.home.env).ok()
    wait_until(lambda: "held" in podman("logs", name).ok().stdout, PATIENCE)
    # conmon 2.1.6 stops watching at the first event that is no such one, as when an allocation
    # meets the limit. A limit below what is held makes no other.
    podman("update", "--memory=8m", "--memory-swap=8m", name).ok()
    wait_until((where / "oom").exists)
    podman("kill", name).ok()
    podman("wait", name).ok()
    assert podman.inspect(name, "State.OOMKilled") == "true"


@pytest.mark.guest
def test_remove_by_force_leaves_nothing(podman: Podman, runtime_name: str) -> None:
    name = podman.start()
    identity = podman.inspect(name, "Id")
    state = Path("/run") / runtime_name / identity
    found = [path for path in CGROUPS.rglob(f"*{identity}*") if path.is_dir()]
    assert (len(found), state.exists()) == (1, True), found
    podman("rm", "--force", "--time", "0", name).ok()
    assert (found[0].exists(), state.exists()) == (False, False)
