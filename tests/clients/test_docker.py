"""The Docker daemon: `docker run --runtime`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients.harness.docker import Docker, Dockerd
from tests.clients.harness.machine import CGROUPS, cgroup_driver
from tests.support.containers import wait_until

STATUS = "/proc/self/status"


@pytest.fixture
def docker(dockerd: Dockerd, runtime_name: str, prefix: str) -> Iterator[Docker]:
    """The client with one of the runtimes; its containers go when the test ends."""
    client = Docker(dockerd, runtime_name, prefix)
    yield client
    client.clean_up()


def field(docker: Docker, name: str, *options: str) -> str:
    """A field of /proc/self/status in a container with these options."""
    line = docker.run("grep", f"^{name}:", STATUS, options=options).ok().text
    return line.split(":")[1].strip()


def capabilities(docker: Docker, *options: str) -> int:
    """The effective capabilities with these options."""
    return int(field(docker, "CapEff", *options), 16)


@pytest.mark.guest
def test_run_prints_the_output(docker: Docker) -> None:
    done = docker.run("sh", "-c", "echo out; echo err >&2").ok()
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


@pytest.mark.guest
def test_the_runtime_of_a_container(docker: Docker, runtime_name: str) -> None:
    name = docker.start()
    assert docker.inspect(name, "HostConfig.Runtime") == runtime_name


def test_info_knows_the_runtime(docker: Docker, runtime_name: str) -> None:
    runtimes = json.loads(docker("info", "--format", "{{json .Runtimes}}").ok().stdout)
    assert runtime_name in runtimes


@pytest.mark.parametrize("status", [0, 7, 255])
def test_run_exits_with_the_status(docker: Docker, status: int) -> None:
    docker.run("sh", "-c", f"exit {status}").exited(status)


def test_run_is_killed_with_137(docker: Docker) -> None:
    docker.run("sh", "-c", "kill -9 $$; sleep 1000", options=("--init",)).exited(137)


def test_run_with_a_wrong_option_is_125(docker: Docker) -> None:
    docker.run("true", options=("--no-such-option",)).exited(125)


def test_run_refused_by_the_runtime_is_125(docker: Docker) -> None:
    done = docker.run("true", options=("--sysctl", "kernel.shmmni=word"))
    done.exited(125).said("invalid argument")


@pytest.mark.parametrize("program", ["/etc", "/bin/not-executable"])
def test_run_of_what_cannot_be_executed_is_126(docker: Docker, program: str) -> None:
    docker.run(program).exited(126).said("permission denied")


@pytest.mark.parametrize("program", ["nosuch", "/bin/nosuch"])
def test_run_of_a_missing_program_is_127(docker: Docker, program: str) -> None:
    docker.run(program).exited(127)


def test_run_of_a_script_without_interpreter_is_127(docker: Docker) -> None:
    docker.run("/bin/no-interpreter").exited(127).said("no such file or directory")


def test_run_on_a_terminal(docker: Docker) -> None:
    script = "tty; read x; until stty size | grep '30 99'; do sleep 0.05; done"
    words = docker.run_words(("sh", "-c", script), ("--rm", "-it"))
    with docker.on_terminal(*words) as terminal:
        terminal.expect("/dev/pts/0\n")
        terminal.send("\n")
        terminal.expect_size(30, 99)
        terminal.finish().ok()


def test_run_reads_the_input(docker: Docker) -> None:
    words = docker.run_words(("head", "-n1"), ("--rm", "-i"))
    with docker.on_terminal(*words) as terminal:
        terminal.send("a line\n")
        terminal.expect("a line\na line\n")
        terminal.finish().ok()


def test_run_read_only(docker: Docker) -> None:
    done = docker.run("touch", "/x", options=("--read-only",))
    done.exited(1).said("Read-only file system")


def test_run_with_a_tmpfs(docker: Docker) -> None:
    options = ("--tmpfs", "/t:size=64k,mode=700")
    done = docker.run("sh", "-c", "df /t | tail -n1; stat -c %a /t", options=options).ok()
    assert (done.words[1], done.words[-1]) == ("64", "700")


def test_run_with_volumes(docker: Docker, tmp_path: Path) -> None:
    volume = f"{docker.prefix}-volume"
    write = ("sh", "-c", "echo kept >/var/data/f")
    docker.run(*write, options=("-v", f"{volume}:/var/data")).ok()
    options = ("-v", f"{volume}:/var/data:ro", "-v", f"{tmp_path}:/mnt")
    done = docker.run("sh", "-c", "cp /var/data/f /mnt/; touch /var/data/g", options=options)
    done.exited(1).said("Read-only file system")
    docker("volume", "rm", volume).ok()
    assert (tmp_path / "f").read_text() == "kept\n"


def test_run_with_an_init(docker: Docker) -> None:
    docker.run("cat", "/proc/1/cmdline", options=("--init",)).ok().said("docker-init")


def test_run_with_ulimits(docker: Docker) -> None:
    done = docker.run("sh", "-c", "ulimit -n; ulimit -Hn", options=("--ulimit", "nofile=100:200"))
    assert done.ok().words == ["100", "200"]


def test_run_with_capabilities_added_and_dropped(docker: Docker) -> None:
    assert capabilities(docker, "--cap-drop", "ALL", "--cap-add", "CHOWN") == 1
    default, added = capabilities(docker), capabilities(docker, "--cap-add", "SYS_TIME")
    assert added - default == 1 << 25


@pytest.mark.guest
def test_run_privileged(docker: Docker) -> None:
    lines = Path(STATUS).read_text().splitlines()
    own = int(next(line.split()[1] for line in lines if line.startswith("CapBnd")), 16)
    known = (1 << 38) - 1  # Docker 20.10 knows them up to CAP_AUDIT_READ
    assert capabilities(docker, "--privileged") == own & known


def test_run_with_security_options(docker: Docker) -> None:
    assert field(docker, "NoNewPrivs", "--security-opt", "no-new-privileges") == "1"
    assert field(docker, "Seccomp", "--security-opt", "seccomp=unconfined") == "0"
    assert field(docker, "Seccomp") == "2"


def test_run_with_a_seccomp_profile(docker: Docker, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    document = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    profile.write_text(json.dumps(document))
    done = docker.run("mkdir", "/x", options=("--security-opt", f"seccomp={profile}"))
    done.exited(1).said("Operation not permitted")


def test_run_as_a_user(docker: Docker) -> None:
    options = ("--user", "user", "--group-add", "3000", "--workdir", "/home/user")
    done = docker.run("sh", "-c", "id -u; id -G; pwd; echo $HOME", options=options).ok()
    assert done.stdout == "1000\n1000 2000 3000\n/home/user\n/home/user\n"


def test_run_with_variables_and_a_hostname(docker: Docker) -> None:
    options = ("--env", "A=b c", "--hostname", "here", "--domainname", "domain.test")
    done = docker.run(
        "sh", "-c", "echo $A; hostname; cat /proc/sys/kernel/domainname", options=options
    )
    assert done.ok().stdout == "b c\nhere\ndomain.test\n"


def test_run_in_the_host_s_namespaces(docker: Docker) -> None:
    kinds = {"net": "network", "pid": "pid", "ipc": "ipc", "uts": "uts", "cgroup": "cgroupns"}
    options = [f"--{option}=host" for option in kinds.values()]
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    done = docker.run("sh", "-c", script, options=options).ok()
    assert done.words == [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]


def test_run_in_another_container_s_namespaces(docker: Docker) -> None:
    name = docker.start(options=("--ipc", "shareable"))
    options = [f"--{kind}=container:{name}" for kind in ("network", "pid", "ipc")]
    done = docker.run("cat", "/proc/1/cmdline", options=options).ok()
    assert done.stdout == "sleep\0001000\0"


def test_run_with_a_device(docker: Docker) -> None:
    script = "ls -l /dev/mine; echo x >/dev/mine"
    options = ("--device", "/dev/null:/dev/mine:rw")
    docker.run("sh", "-c", script, options=options).ok().said("1,   3")


def test_run_with_a_sysctl(docker: Docker) -> None:
    options = ("--sysctl", "kernel.msgmax=4096")
    assert docker.run("cat", "/proc/sys/kernel/msgmax", options=options).ok().text == "4096"


def test_run_with_a_size_of_shared_memory(docker: Docker) -> None:
    done = docker.run("df", "/dev/shm", options=("--shm-size", "1m")).ok()  # noqa: S108
    assert done.stdout.splitlines()[1].split()[1] == "1024"


@pytest.mark.limits
@pytest.mark.guest
def test_limits_and_their_update(docker: Docker) -> None:
    name = docker.start(options=("--memory", "64m", "--cpus", "0.5", "--pids-limit", "50"))
    pid = docker.inspect(name, "State.Pid")
    cgroup = CGROUPS / Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("::/")[2]
    assert (cgroup.suffix == ".scope") == (cgroup_driver() == "systemd")
    files = ("memory.max", "cpu.max", "pids.max")
    values = [(cgroup / file).read_text().strip() for file in files]
    assert values == [str(64 << 20), "50000 100000", "50"]
    docker("update", "--memory", "96m", "--memory-swap", "192m", "--pids-limit", "60", name).ok()
    assert (cgroup / "memory.max").read_text().strip() == str(96 << 20)
    assert (cgroup / "pids.max").read_text().strip() == "60"


@pytest.mark.limits
@pytest.mark.guest
def test_out_of_memory_is_told(docker: Docker) -> None:
    limits = ("--memory", "16m", "--memory-swap", "16m")
    name = docker.start("sh", "-c", "tail /dev/zero; sleep 1000", options=limits)
    filters = ("--filter", f"container={name}", "--filter", "event=oom")
    wait_until(lambda: docker("events", "--since", "1h", "--until", "0s", *filters).ok().stdout)
    docker("kill", name).ok()
    assert docker.inspect(name, "State.OOMKilled") == "true"


@pytest.mark.guest
def test_exec_exits_with_the_status(docker: Docker) -> None:
    name = docker.start()
    done = docker("exec", name, "sh", "-c", "echo in; exit 5").exited(5)
    assert done.stdout == "in\n"


def test_exec_as_a_user_in_a_directory(docker: Docker) -> None:
    name = docker.start()
    options = ("--user", "1000", "--workdir", "/tmp", "--env", "A=b")  # noqa: S108
    done = docker("exec", *options, name, "sh", "-c", "id -u; pwd; echo $A").ok()
    assert done.words == ["1000", "/tmp", "b"]  # noqa: S108


def test_exec_on_a_terminal(docker: Docker) -> None:
    name = docker.start()
    with docker.on_terminal("exec", "-it", name, "sh", "-c", "tty; read x; exit 4") as terminal:
        terminal.expect("/dev/pts/0\n")
        terminal.send("\n")
        terminal.finish().exited(4)


@pytest.mark.parametrize("program", ["nosuch", "/etc"])
def test_exec_of_what_cannot_be_executed_is_126(docker: Docker, program: str) -> None:
    name = docker.start()
    docker("exec", name, program).exited(126).said("OCI runtime exec failed")


def test_exec_privileged(docker: Docker) -> None:
    name = docker.start()
    line = docker("exec", "--privileged", name, "grep", "CapEff", STATUS).ok().words[1]
    assert int(line, 16) > capabilities(docker)


def test_exec_many_at_once(docker: Docker) -> None:
    name = docker.start()
    words = [("exec", name, "sh", "-c", f"exit {number}") for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert [done.status for done in pool.map(lambda w: docker(*w), words)] == list(range(8))


def test_logs(docker: Docker) -> None:
    name = docker.start("sh", "-c", "echo out; echo err >&2")
    docker("wait", name).ok()
    done = docker("logs", name).ok()
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_top(docker: Docker) -> None:
    name = docker.start("sh", "-c", "sleep 1000 & exec sleep 1000")
    wait_until(lambda: docker("top", name).ok().stdout.count("sleep 1000") == 2)


@pytest.mark.guest
def test_stats(docker: Docker) -> None:
    name = docker.start()
    done = docker("stats", "--no-stream", "--format", "{{json .}}", name).ok()
    assert json.loads(done.stdout)["Name"] == name


@pytest.mark.guest
def test_pause_and_unpause(docker: Docker) -> None:
    name = docker.start()
    docker("pause", name).ok()
    assert docker.inspect(name, "State.Status") == "paused"
    docker("exec", name, "true").exited(1).said("is paused")
    docker("unpause", name).ok()
    docker("exec", name, "true").ok()


@pytest.mark.guest
def test_stop_by_signal(docker: Docker) -> None:
    name = docker.start("sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.05; done")
    docker("exec", name, "true").ok()
    docker("stop", name).ok()
    assert docker.inspect(name, "State.ExitCode") == "6"


def test_stop_kills_after_the_time(docker: Docker) -> None:
    name = docker.start()
    docker("stop", "--time", "1", name).ok()
    assert docker.inspect(name, "State.ExitCode") == "137"


def test_kill_and_start_again(docker: Docker) -> None:
    name = docker.start()
    docker("kill", name).ok()
    assert docker("wait", name).ok().text == "137"
    docker("start", name).ok()
    assert docker.inspect(name, "State.Running") == "true"


def test_restart(docker: Docker) -> None:
    name = docker.start()
    before = docker.inspect(name, "State.Pid")
    docker("restart", "--time", "0", name).ok()
    assert docker.inspect(name, "State.Pid") != before


def test_the_policy_restarts_after_a_failure(docker: Docker) -> None:
    name = docker.start("sh", "-c", "exit 3", options=("--restart", "on-failure:2"))
    wait_until(lambda: docker.inspect(name, "RestartCount") == "2")
    wait_until(lambda: docker.inspect(name, "State.Status") == "exited")
    assert docker.inspect(name, "State.ExitCode") == "3"


def test_a_health_check(docker: Docker) -> None:
    options = ("--health-cmd", "test -e /etc/image", "--health-interval", "1s")
    name = docker.start(options=options)
    wait_until(lambda: docker.inspect(name, "State.Health.Status") == "healthy")


def test_copy_in_and_out(docker: Docker, tmp_path: Path) -> None:
    name = docker.start()
    (tmp_path / "in").write_text("copied")
    docker("cp", str(tmp_path / "in"), f"{name}:/var/data/in").ok()
    assert docker("exec", name, "cat", "/var/data/in").ok().stdout == "copied"


def test_a_bridge_network(docker: Docker) -> None:
    network = f"{docker.prefix}-network"
    docker("network", "create", network).ok()
    try:
        name = docker.start(options=("--network", network))
        done = docker.run("ping", "-c1", name, options=("--network", network))
        done.ok().said("1 packets received")
    finally:
        docker.clean_up()
        docker("network", "rm", network).ok()


@pytest.mark.guest
def test_remove_by_force_leaves_nothing(docker: Docker) -> None:
    name = docker.start()
    identity = docker.inspect(name, "Id")
    cgroup = CGROUPS / "docker" / identity
    if cgroup_driver() == "systemd":
        cgroup = CGROUPS / "system.slice" / f"docker-{identity}.scope"
    state = docker.dockerd.directory / "run" / "runtime-runc" / "moby" / identity
    assert (cgroup.exists(), state.exists()) == (True, True)
    docker("rm", "--force", name).ok()
    assert (cgroup.exists(), state.exists()) == (False, False)
