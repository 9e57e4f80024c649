"""exec: one more process in a container, what it is made of, and what of the host it can reach."""

from __future__ import annotations

import array
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import (
    GROUP,
    PATIENCE,
    Bundle,
    Config,
    Container,
    MakeContainer,
    Result,
    make_config,
    read_children,
    reap_children,
    wait_until,
)

SLEEP = ("sleep", "1000")
LIST_FDS = "for fd in /proc/self/fd/*; do echo ${fd##*/} $(readlink $fd); done"
READ_NAMESPACES = "for n in pid net ipc uts mnt cgroup user; do readlink /proc/self/ns/$n; done"
CAP_KILL, CAP_SYS_ADMIN = 5, 21
FAILED = 255

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")


@pytest.fixture
def running(container: MakeContainer) -> Iterator[Callable[..., Container]]:
    """Makes a running container that only waits; overrides as for `container`."""
    made: list[Container] = []

    def make(**options: Any) -> Container:  # noqa: ANN401
        c = container(*(() if "bundle" in options else SLEEP), **options)
        c.run_detached().ok()
        made.append(c)
        return c

    yield make
    for c in made:
        for pid in processes(c).intersection(read_children()) - {c.pid}:
            end(pid)


def end(pid: int) -> None:
    """Kill and reap a detached process: unreaped ones keep the end of a pid namespace waiting."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def processes(c: Container) -> set[int]:
    """What is in the cgroup of the container and below it."""
    files = c.cgroup.glob("**/cgroup.procs")
    return {int(pid) for file in files for pid in file.read_text().split()}


def shell(c: Container, script: str, *options: str, **settings: Any) -> str:  # noqa: ANN401
    """What a shell in the container prints."""
    return c.exec("sh", "-c", script, options=options, **settings).ok().stdout


def status_of(c: Container, *options: str) -> dict[str, str]:
    """/proc/self/status of an exec'd process."""
    text = c.exec("cat", "/proc/self/status", options=options).ok().stdout
    return {line.partition(":\t")[0]: line.partition(":\t")[2] for line in text.splitlines()}


def write_process(c: Container, *args: str, **members: Any) -> str:  # noqa: ANN401
    """A file for --process."""
    path = c.directory / "process.json"
    process = {"args": list(args), "cwd": "/", "env": ["PATH=/bin"], **members}
    path.write_text(json.dumps(process))
    return str(path)


# --- in the foreground


@pytest.mark.smoke
def test_streams_and_status_are_the_process(running: Callable[..., Container]) -> None:
    c = running()
    data = bytes(range(256)) * 1000
    done = subprocess.run(
        [*c.program, "exec", c.id, "sh", "-c", "cat; echo error >&2; exit 7"],
        input=data,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, data, b"error\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_signal_is_128_and_its_number(
    running: Callable[..., Container], number: signal.Signals
) -> None:
    assert running().exec("sh", "-c", f"kill -{int(number)} $$").rc == 128 + number


def test_signals_are_forwarded(running: Callable[..., Container]) -> None:
    c = running()
    script = "trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.01; done"
    process = c.spawn("exec", c.id, "sh", "-c", script, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.read() == b"got it\n"
    assert process.wait(PATIENCE) == 3


def test_it_has_a_session_of_its_own(running: Callable[..., Container]) -> None:
    # pid, name, state, parent, group, session: with the caller's it could type into its terminal.
    pid, _, _, _, group, session = shell(running(), "exec cat /proc/self/stat").split()[:6]
    assert pid == group == session


# --- detached


def test_detached_it_runs_on_as_a_child_of_the_callers(running: Callable[..., Container]) -> None:
    c = running()
    pid_file = c.directory / "pid"
    c.call_detached("exec", "--detach", "--pid-file", str(pid_file), c.id, *SLEEP).ok()
    raw = pid_file.read_text()
    assert raw.isdigit()
    pid = int(raw)
    assert processes(c) == {c.pid, pid}
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\0"
    # The tests are subreapers: an orphan comes to us.
    assert f"PPid:\t{os.getpid()}\n" in Path(f"/proc/{pid}/status").read_text()
    end(pid)


def test_in_the_foreground_there_is_a_pid_file_too(running: Callable[..., Container]) -> None:
    c = running()
    pid_file = c.directory / "pid"
    process = c.spawn("exec", "--pid-file", str(pid_file), c.id, *SLEEP)
    wait_until(pid_file.exists)
    pid = int(pid_file.read_text())
    assert f"PPid:\t{process.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    os.kill(pid, signal.SIGTERM)
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM


def test_detached_a_program_that_is_not_there_is_an_error(
    running: Callable[..., Container],
) -> None:
    c = running()
    pid_file = c.directory / "pid"
    done = c.exec("nosuch", options=("--detach", "--pid-file", str(pid_file)))
    done.failed('exec: "nosuch": executable file not found in $PATH', rc=FAILED)
    assert not pid_file.exists()
    assert processes(c) == {c.pid}


def test_a_pid_file_that_cannot_be_written_ends_the_process(
    running: Callable[..., Container],
) -> None:
    c = running()
    done = c.exec(*SLEEP, options=("--detach", "--pid-file", "/nosuch/pid"))
    done.failed("write pid file /nosuch/pid", "ENOENT", rc=FAILED)
    wait_until(lambda: processes(c) == {c.pid})


def test_a_pidfd_is_sent(running: Callable[..., Container]) -> None:
    c = running()
    path = c.directory / "pidfd.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        c.call_detached("exec", "--detach", "--pidfd-socket", str(path), c.id, *SLEEP).ok()
        connection, _ = listener.accept()
        with connection:
            data, messages, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(64))
    assert data == b"setns"
    ((_, _, raw),) = messages
    (pidfd,) = array.array("i", raw)
    try:
        info = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
        (pid,) = processes(c) - {c.pid}
        assert f"Pid:\t{pid}\n" in info
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)
    os.waitpid(pid, 0)


# --- statuses


def test_a_created_container_has_execs(container: MakeContainer) -> None:
    c = container(*SLEEP)
    c.create().ok()
    assert c.exec("cat", "/etc/group").ok().stdout == GROUP
    assert c.status == "created"
    c.start().ok()


def test_a_stopped_container_has_none(container: MakeContainer) -> None:
    c = container("true")
    c.run_detached().ok()
    c.wait_status("stopped")
    c.exec("true").failed("cannot exec in a stopped container", rc=FAILED)


def test_a_missing_container(container: MakeContainer) -> None:
    container("true").exec("true").failed("container does not exist", rc=FAILED)


def test_a_paused_container_has_none_unless_told(running: Callable[..., Container]) -> None:
    c = running()
    c.freeze()
    text = "cannot exec in a paused container (use --ignore-paused to override)"
    c.exec("true").failed(text, rc=FAILED)
    process = c.spawn("exec", "--ignore-paused", c.id, "sh", "-c", "exit 5")
    wait_until(lambda: len(processes(c)) == 2)
    assert c.status == "paused"  # nothing is locked while it waits
    (c.cgroup / "cgroup.freeze").write_text("0")
    assert process.wait(PATIENCE) == 5


def test_what_its_runtime_left_alone_does_not_run(running: Callable[..., Container]) -> None:
    c = running()
    c.freeze()
    script = "touch /dev/shm/done"
    process = c.spawn("exec", "--ignore-paused", c.id, "sh", "-c", script)
    wait_until(lambda: len(processes(c)) == 2)
    process.kill()
    process.wait()
    (c.cgroup / "cgroup.freeze").write_text("0")
    wait_until(lambda: processes(c) == {c.pid})
    reap_children({c.pid})
    assert c.exec("stat", "/dev/shm/done").rc == 1  # noqa: S108


def test_many_at_once(running: Callable[..., Container]) -> None:
    c = running()
    spawned = [c.spawn("exec", c.id, "sh", "-c", f"exit {number}") for number in range(12)]
    assert [process.wait(PATIENCE) for process in spawned] == list(range(12))
    assert processes(c) == {c.pid}


# --- what cannot be executed

REFUSED_PROGRAMS: dict[tuple[str, ...], str] = {
    ("nosuch",): 'exec: "nosuch": executable file not found in $PATH',
    ("/nosuch",): 'exec: "/nosuch": stat /nosuch: no such file or directory',
    ("/etc",): 'exec: "/etc": is a directory: permission denied',
    ("/etc/passwd",): 'exec: "/etc/passwd": permission denied',
    (): "exec args cannot be empty",
}


def test_a_program_that_cannot_be_run(pyoci: Path, running: Callable[..., Container]) -> None:
    c = running()
    for args, text in REFUSED_PROGRAMS.items():
        c.exec(*args).failed(f"exec {c.id}: {text}", rc=FAILED)
        assert processes(c) == {c.pid}


def test_a_failure_is_one_entry_in_the_log(running: Callable[..., Container]) -> None:
    c = running()
    log = ("--log", str(c.log_path), "--log-format", "json")
    c.call(*log, "exec", c.id, "nosuch").failed("executable file not found in $PATH", rc=FAILED)
    (entry,) = [json.loads(line) for line in c.log_path.read_text().splitlines()]
    assert entry["level"] == "error"
    assert "executable file not found in $PATH" in entry["msg"]


REFUSED_OPTIONS: list[tuple[tuple[str, ...], str, int]] = [
    (("--user", "4294967296"), "--user", 1),
    (("--user", "0:"), "--user", 1),
    (("--additional-gids", "x"), "--additional-gids", 1),
    (("--env", "NOVALUE"), "--env", 1),
    (("--cap", "CAP_NONE"), "--cap", 1),
    (("--cgroup", "memory:/x"), "--cgroup", 1),
    (("--preserve-fds", "-1"), "--preserve-fds", 1),
    (("--nosuch",), "flag provided but not defined: -nosuch", 1),
    # With AppArmor because the profile is not loaded, without it because of that.
    (("--apparmor", "p"), "`/proc/thread-self/attr/apparmor/exec`: the ", FAILED),
    (("--process-label", "l"), "process.selinuxLabel: cannot write `/proc/thread-self/", FAILED),
    (("--cwd", "relative"), "process.cwd: cwd must be an absolute path", FAILED),
    (("--cwd", "/nosuch"), "change directory to /nosuch", FAILED),
    (("--cgroup", "nosuch"), "open cgroup", FAILED),
    (("--process", "/nosuch"), "JSON specification file nosuch not found", FAILED),
]


def test_options_that_cannot_be_followed(pyoci: Path, running: Callable[..., Container]) -> None:
    c = running()
    for options, text, status in REFUSED_OPTIONS:
        c.exec("true", options=options).failed(text, rc=status)
        assert processes(c) == {c.pid}


# --- what the process is made of


def test_environment_and_directory(running: Callable[..., Container]) -> None:
    c = running(process={"env": ["PATH=/bin", "A=1", "B=1"]})
    c.environment |= {"SECRET": "of the caller"}
    options = ("--env", "A=2", "-e", "C=a=b", "--cwd", "/tmp")  # noqa: S108
    found = shell(c, "pwd; exec cat /proc/self/environ", *options)
    directory, _, environment = found.partition("\n")
    assert directory == "/tmp"  # noqa: S108
    entries = set(environment.split("\0")) - {"", "PWD=/tmp", "SHLVL=1", "OLDPWD=/"}
    assert entries == {"PATH=/bin", "A=2", "B=1", "C=a=b", "HOME=/root"}


def test_it_is_made_from_what_the_container_was_created_with(
    running: Callable[..., Container],
) -> None:
    c = running(process={"env": ["PATH=/bin", "OF=create"]})
    c.bundle.config["process"]["env"] = ["PATH=/nowhere", "OF=today"]
    c.bundle.write()
    assert shell(c, "echo $OF") == "create\n"


def test_it_is_in_all_namespaces_of_the_container(running: Callable[..., Container]) -> None:
    c = running()
    names = ("pid", "net", "ipc", "uts", "mnt", "cgroup", "user")
    wanted = [os.readlink(f"/proc/{c.pid}/ns/{name}") for name in names]
    assert shell(c, READ_NAMESPACES).split() == wanted


def test_it_is_in_the_cgroup_of_the_container(running: Callable[..., Container]) -> None:
    c = running()
    pid_file = c.directory / "pid"
    options = ("--detach", "--pid-file", str(pid_file))
    c.call_detached("exec", *options, c.id, *SLEEP).ok()
    (c.cgroup / "below" / "more").mkdir(parents=True)
    c.call_detached("exec", "--detach", "--cgroup", "/below/./more", c.id, *SLEEP).ok()
    assert str(c.pid) in (c.cgroup / "cgroup.procs").read_text().split()
    assert pid_file.read_text() in (c.cgroup / "cgroup.procs").read_text().split()
    assert len((c.cgroup / "below" / "more" / "cgroup.procs").read_text().split()) == 1


def test_no_cgroup_is_outside_of_the_containers(running: Callable[..., Container]) -> None:
    c = running()
    for path in ("../../..", "../../" + c.cgroup.parent.name):
        options = ("--detach", "--cgroup", path)
        c.exec("true", options=options).failed("--cgroup: must not lead upwards by ..")
    c.exec("true", options=("--cgroup", "nothing")).failed(f"{c.cgroup}/nothing", rc=FAILED)


@needs_strace
def test_a_container_that_has_moved_down_in_its_cgroup(
    pyoci: Path, running: Callable[..., Container]
) -> None:
    c = running()
    lower = c.cgroup / "init"
    lower.mkdir()
    (lower / "cgroup.procs").write_text(str(c.pid))
    # What the kernel says where the cgroup above has handed its controllers on.
    inject = "inject=clone3:error=EBUSY:when=1"
    trace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=clone3", "-e", inject]
    done = c.run_command([*trace, *c.program, "exec", c.id, "cat", "/proc/self/cgroup"])
    assert f"{c.cgroup.name}/init\n" in done.ok().stdout


@pytest.mark.parametrize(
    ("options", "uid", "gid", "groups"),
    [
        ((), 5, 6, [7, 8]),
        (("--user", "0"), 0, 6, [7, 8]),
        (("--user", "1"), 1, 6, [7, 8]),  # CVE-2026-30892: not 0
        (("--user", "1000:1001"), 1000, 1001, [7, 8]),
        (("-u", "1:1", "-g", "9", "--additional-gids", "10"), 1, 1, [7, 8, 9, 10]),
    ],
)
def test_user_by_number(
    running: Callable[..., Container],
    options: tuple[str, ...],
    uid: int,
    gid: int,
    groups: list[int],
) -> None:
    c = running(process={"user": {"uid": 5, "gid": 6, "additionalGids": [7, 8]}})
    found = status_of(c, *options)
    assert found["Uid"].split() == [str(uid)] * 4
    assert found["Gid"].split() == [str(gid)] * 4
    assert sorted(map(int, found["Groups"].split())) == groups


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("user", "uid=1000(user) gid=1000(user) groups=50(more)"),
        ("user:more", "uid=1000(user) gid=50(more)"),
        ("user:7", "uid=1000(user) gid=7"),
        ("1000:more", "uid=1000(user) gid=50(more)"),
        ("12345", "uid=12345 gid=0(root)"),
    ],
)
def test_user_by_name(
    pyoci: Path, running: Callable[..., Container], word: str, found: str
) -> None:
    c = running()
    etc = c.bundle.rootfs / "etc"
    (etc / "group").write_text(f"{GROUP}more:x:50:nobody,user\n")
    (etc / "passwd").write_text((etc / "passwd").read_text() + "12345:x:0:0::/:/bin/sh\n")
    assert c.exec("id", options=("--user", word)).ok().stdout == f"{found}\n"


def test_home_is_the_users(running: Callable[..., Container]) -> None:
    c = running()
    assert shell(c, "echo $HOME", "--user", "1000") == "/home/user\n"
    assert shell(c, "echo $HOME") == "/root\n"


def test_nobody_is_not_root(pyoci: Path, running: Callable[..., Container]) -> None:
    c = running()
    for word in ("nobody", "user:nobody", "1000:nobody", "-1", "1_0"):
        done = c.exec("id", options=(f"--user={word}",))
        done.failed("no matching entries in", rc=FAILED)


def replace_by_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")  # the host's would have daemon


def replace_by_fifo(path: Path) -> None:
    os.mkfifo(path)


def replace_by_device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 9))


def replace_by_endless(path: Path) -> None:
    path.write_text("x" * (1 << 20) + "\ndaemon:x:0:0::/:\n")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (replace_by_link, "not a regular file"),
        (replace_by_fifo, "not a regular file"),
        (replace_by_device, "not a regular file"),
        (replace_by_endless, "larger than"),
        (Path.mkdir, "not a regular file"),
        (lambda path: None, "no matching entries"),
        (lambda path: path.write_text("daemon:x:4294967296:0::/:\n"), "no valid id"),
    ],
    ids=["link", "fifo", "device", "endless", "directory", "missing", "wrapping"],
)
def test_files_of_the_image_are_not_trusted(
    pyoci: Path, running: Callable[..., Container], change: Callable[[Path], object], text: str
) -> None:
    c = running()
    path = c.bundle.rootfs / "etc" / "passwd"
    path.unlink()
    change(path)
    c.exec("id", options=("--user", "daemon")).failed(text, rc=FAILED)
    assert processes(c) == {c.pid}


def capabilities_of(c: Container, *options: str) -> dict[str, int]:
    found = status_of(c, *options)
    return {name: int(value, 16) for name, value in found.items() if name.startswith("Cap")}


def test_capabilities_are_the_containers_and_more_if_asked_for(
    running: Callable[..., Container],
) -> None:
    names = ["CAP_KILL"]
    sets = dict.fromkeys(("bounding", "effective", "permitted"), names)
    c = running(process={"capabilities": sets})
    kill = 1 << CAP_KILL
    assert capabilities_of(c) == {
        "CapInh": 0,
        "CapPrm": kill,
        "CapEff": kill,
        "CapBnd": kill,
        "CapAmb": 0,
    }
    both = kill | 1 << CAP_SYS_ADMIN
    assert capabilities_of(c, "--cap", "CAP_SYS_ADMIN") == {
        "CapInh": 0,
        "CapPrm": both,
        "CapEff": both,
        "CapBnd": both,
        "CapAmb": 0,
    }
    # Another user has what it may get back, and nothing of it in hand.
    assert capabilities_of(c, "-u", "1000", "-c", "CAP_SYS_ADMIN") == {
        "CapInh": 0,
        "CapPrm": 0,
        "CapEff": 0,
        "CapBnd": both,
        "CapAmb": 0,
    }


def test_no_new_privileges(running: Callable[..., Container]) -> None:
    c = running(process={"noNewPrivileges": False})
    assert status_of(c)["NoNewPrivs"] == "0"
    assert status_of(c, "--no-new-privs")["NoNewPrivs"] == "1"


@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_the_containers_filter_is_in_force(
    running: Callable[..., Container], no_new_privileges: bool
) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    c = running(
        process={"noNewPrivileges": no_new_privileges},
        linux={"seccomp": profile},
    )
    done = c.exec("mkdir", "/tmp/x")  # noqa: S108
    assert "Operation not supported" in done.stderr
    assert status_of(c)["Seccomp"] == "2"
    assert not int(status_of(c)["CapEff"], 16) >> CAP_SYS_ADMIN & 1


def test_limits_umask_and_oom_score(running: Callable[..., Container]) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())
    process = {
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}],
        "user": {"uid": 0, "gid": 0, "umask": 0o77},
        "oomScoreAdj": min(own + 50, 1000),
    }
    c = running(process=process)
    script = "ulimit -Sn; ulimit -Hn; umask; cat /proc/self/oom_score_adj"
    assert shell(c, script).split() == ["77", "88", "0077", str(process["oomScoreAdj"])]


def test_it_has_a_session_keyring_of_its_own(running: Callable[..., Container]) -> None:
    c = running(linux={"maskedPaths": []})
    assert f"_ses.{c.id}" in shell(c, "cat /proc/keys")


# --- a process file


def test_a_process_file_says_all(running: Callable[..., Container]) -> None:
    c = running()
    file = write_process(
        c,
        *("sh", "-c", "id -u; pwd; echo $ONLY; cat /proc/self/oom_score_adj; ulimit -n"),
        cwd="/tmp",  # noqa: S108
        env=["PATH=/bin", "ONLY=this"],
        user={"uid": 1000, "gid": 1000},
        oomScoreAdj=1000,
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 55, "hard": 66}],
    )
    for option in (("--process", file), (f"-p={file}",)):
        found = c.exec(options=option).ok().stdout
        assert found.split() == ["1000", "/tmp", "this", "1000", "55"]  # noqa: S108


def test_options_change_what_a_process_file_says(running: Callable[..., Container]) -> None:
    c = running()
    file = write_process(c, "false", env=["PATH=/bin", "A=1"], user={"uid": 5, "gid": 5})
    options = ("-p", file, "-e", "A=2", "-u", "7")
    assert shell(c, "echo $A; id -u", *options) == "2\n7\n"


def test_cpus_of_a_process_file(pyoci: Path, running: Callable[..., Container]) -> None:
    c = running()
    cpu = str(min(os.sched_getaffinity(0)))
    file = write_process(
        c,
        *("grep", "Cpus_allowed_list", "/proc/self/status"),
        execCPUAffinity={"initial": cpu, "final": cpu},
    )
    assert c.exec(options=("-p", file)).ok().stdout.split() == ["Cpus_allowed_list:", cpu]


WRONG_PROCESSES: list[tuple[object, str]] = [
    ({"cwd": "/", "args": "sh"}, "process.args: expected an array"),
    ({"cwd": "/", "args": []}, "exec args cannot be empty"),
    ({"args": ["sh"]}, "process.cwd: required, but missing"),
    ({"cwd": "/", "args": ["sh"], "user": {"uid": 2**32, "gid": 0}}, "process.user.uid"),
    ({"cwd": "/", "args": ["sh"], "user": {"uid": 2**32 - 1, "gid": 0}}, "process.user.uid"),
    ({"cwd": "/", "args": ["sh"], "apparmorProfile": "p"}, "process.apparmorProfile"),
    ({"cwd": "/", "args": ["sh"], "env": ["X"]}, "process.env[0]"),
    ([], "process: expected an object"),
    (None, "process: expected an object"),
]


def test_a_process_file_that_is_wrong(pyoci: Path, running: Callable[..., Container]) -> None:
    c = running()
    file = c.directory / "process.json"
    for content, text in WRONG_PROCESSES:
        file.write_text(json.dumps(content))
        c.exec(options=("-p", str(file))).failed(text, rc=FAILED)
        assert processes(c) == {c.pid}


def test_a_fifo_for_a_process_file_holds_nobody_up(
    pyoci: Path, running: Callable[..., Container]
) -> None:
    c = running()
    os.mkfifo(c.directory / "fifo")
    c.exec(options=("-p", str(c.directory / "fifo"))).failed("not a regular file", rc=FAILED)


# --- descriptors


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[int]:
    """A descriptor that a careless caller lets its children inherit: a directory of the host."""
    directory = tmp_path / "secret"
    directory.mkdir()
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(fd, True)
    yield fd
    os.close(fd)


def list_fds(text: str) -> dict[int, str]:
    """What LIST_FDS printed, but for the descriptor of the directory that it lists."""
    lines = [line.split(" ", 1) for line in text.splitlines()]
    return {int(line[0]): line[-1] for line in lines if "/proc" not in line[-1] and len(line) == 2}


def exec_with(c: Container, redirections: str, *words: str, env: str = "") -> Result:
    """An exec whose descriptors the shell makes."""
    script = f'{env} exec "$@" {redirections}'
    return c.run_command(["sh", "-c", script, "sh", *c.program, "exec", *words])


def test_descriptors_of_the_caller_stay_outside(
    running: Callable[..., Container], secret: int
) -> None:
    c = running()
    assert set(list_fds(shell(c, LIST_FDS, pass_fds=[secret]))) == {0, 1, 2}


def test_preserved_descriptors_are_passed_and_no_more(running: Callable[..., Container]) -> None:
    c = running()
    redirections = "3</dev/zero 4</dev/zero 5</dev/zero"
    done = exec_with(c, redirections, "--preserve-fds", "2", c.id, "sh", "-c", LIST_FDS)
    found = list_fds(done.ok().stdout)
    assert {fd: what for fd, what in found.items() if fd > 2} == {3: "/dev/zero", 4: "/dev/zero"}


def test_preserved_descriptors_must_be_there(running: Callable[..., Container]) -> None:
    c = running()
    done = exec_with(c, "3</dev/zero 4<&-", "--preserve-fds", "2", c.id, "true")
    done.failed("unable to stat preserved-fd 4", rc=FAILED)


def test_sockets_of_systemd_are_passed(pyoci: Path, running: Callable[..., Container]) -> None:
    c = running()
    script = f'echo "$LISTEN_FDS $LISTEN_PID $$"; {LIST_FDS}'
    env = "LISTEN_PID=$$ LISTEN_FDS=1"
    lines = exec_with(c, "3</dev/zero", c.id, "sh", "-c", script, env=env).ok().stdout
    first, _, rest = lines.partition("\n")
    count, pid, own = first.split()
    assert (count, pid) == ("1", own)
    assert list_fds(rest)[3] == "/dev/zero"


@pytest.mark.parametrize("fd", [3, 5, 7])
def test_no_directory_of_the_host_is_the_working_directory(
    running: Callable[..., Container], secret: int, fd: int
) -> None:
    """CVE-2024-21626."""
    c = running()
    path = f"/proc/self/fd/{fd}"
    done = c.exec("pwd", options=("--cwd", path), pass_fds=[secret])
    done.failed(path, rc=FAILED)


def test_not_even_one_that_is_passed(running: Callable[..., Container], secret: int) -> None:
    c = running()
    words = ("--preserve-fds", "1", "--cwd", "/proc/self/fd/3", c.id, "pwd")
    directory = os.readlink(f"/proc/self/fd/{secret}")
    done = exec_with(c, f"3<{directory}", *words)
    done.failed("current working directory is outside of container", rc=FAILED)


# --- what those inside can see of it

# Prints whatever of another process can be read; what cannot, it does not.
SPY = """
while [ ! -e /tmp/go ]; do sleep 0.05; done
for p in /proc/[0-9]*; do
    [ $p = /proc/1 ] && continue
    echo "saw $p"
    for name in exe cwd root fd/0 fd/1 fd/2 fd/3 fd/4 fd/5; do readlink $p/$name; done
    cat $p/environ $p/maps
done > /tmp/seen 2>/dev/null
touch /tmp/done
exec sleep 1000
"""


def has_runtime(c: Container) -> bool:
    """Whether a process of the container is still the runtime, as the host sees it."""
    for pid in processes(c):
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            # Hidden, or run from a mount of its own (docs/interpreter.md).
            path = os.readlink(f"/proc/{pid}/exe")
            if path == "/" or path.startswith("/memfd:pyoci"):
                return True
    return False


@needs_strace
@pytest.mark.parametrize("uid", [0, 1000])
def test_nobody_inside_can_look_into_the_runtime(
    pyoci: Path, container: MakeContainer, uid: int
) -> None:
    """CVE-2016-9962 and CVE-2019-5736: held where it has no more rights than those inside."""
    c = container(
        *("sh", "-c", SPY),
        process={"user": {"uid": uid, "gid": uid}, "capabilities": None},
        root={"readonly": False},
    )
    c.run_detached().ok()
    own = c.directory / "trace"
    # As long as it takes: it goes on when strace is gone.
    inject = "inject=capset:delay_exit=60000000"
    trace = ["strace", "-f", "-o", str(own), "-e", "trace=capset", "-e", inject]
    command = [*trace, *c.program, "exec", c.id, "true"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=c.environment) as process:
        wait_until(lambda: own.exists() and "capset(" in own.read_text())
        assert has_runtime(c)
        (c.bundle.rootfs / "tmp" / "go").touch()
        wait_until((c.bundle.rootfs / "tmp" / "done").exists)
        assert has_runtime(c), "the spy came too late"
        process.kill()
    wait_until(lambda: not has_runtime(c))
    seen = (c.bundle.rootfs / "tmp" / "seen").read_text(errors="replace")
    assert "saw /proc/" in seen
    assert "python" not in seen
    assert [line for line in seen.splitlines() if line.startswith("/")] == []


@needs_strace
def test_one_clone_and_nothing_is_opened_on_the_way(
    pyoci: Path, running: Callable[..., Container]
) -> None:
    c = running()
    own = c.directory / "trace"
    calls = "trace=clone3,clone,fork,vfork,setns,open,openat,openat2,execve,prctl"
    command = ["strace", "-f", "-o", str(own), "-e", calls, *c.program, "exec", c.id, "true"]
    c.run_command(command).ok()
    lines = own.read_text().splitlines()
    forks = [line for line in lines if any(f" {name}(" in line for name in ("clone", "fork"))]
    assert forks == []
    (clone,) = [line for line in lines if " clone3(" in line]
    assert "CLONE_INTO_CGROUP" in clone
    main = clone.split()[0]
    before = lines[: lines.index(clone)]
    assert any("PR_SET_DUMPABLE, SUID_DUMP_DISABLE" in line for line in before)
    # From clone3 to execve: what the process itself opens.
    child = [line for line in lines if line.split()[0] != main]
    at = next(index for index, line in enumerate(child) if " setns(" in line)
    opened = [line for line in child[at:] if " open" in line]
    end = next(index for index, line in enumerate(child) if " execve(" in line)
    assert end > at
    paths = [line.split('"')[1] for line in opened if '"' in line]
    assert [path for path in paths if path.endswith((".py", ".pyc", ".so"))] == []
    assert [line for line in child[:at] if " open" in line] == []


# --- other kinds of containers


@pytest.fixture
def public_path(test_name: str) -> Iterator[Path]:
    """A directory that the root of a user namespace can reach, as it cannot tmp_path."""
    directory = Path(tempfile.mkdtemp(prefix=test_name))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def test_in_a_user_namespace_root_is_its_own(
    running: Callable[..., Container], applets: Path, test_name: str, public_path: Path
) -> None:
    mapping = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    spaces = [{"type": kind} for kind in ("user", "pid", "ipc", "uts", "network", "mount")]
    linux = {"namespaces": spaces, "uidMappings": mapping, "gidMappings": mapping}
    config = make_config(SLEEP, {"linux": linux})
    config["linux"]["cgroupsPath"] = f"/{test_name}/mapped"
    c = running(bundle=Bundle(public_path, applets, config))
    found = status_of(c)
    assert (found["Uid"].split(), found["Gid"].split()) == (["0"] * 4, ["0"] * 4)
    pid_file = c.directory / "pid"
    options = ("--detach", "--pid-file", str(pid_file), "--user", "5")
    c.call_detached("exec", *options, c.id, *SLEEP).ok()
    assert os.stat(f"/proc/{pid_file.read_text()}").st_uid == 100005
    assert shell(c, READ_NAMESPACES).split()[-1] == os.readlink(f"/proc/{c.pid}/ns/user")


def test_without_a_mount_namespace_its_root_is_the_containers(
    pyoci: Path, running: Callable[..., Container]
) -> None:
    def change(config: Config) -> None:
        config["linux"] |= {"namespaces": [{"type": "ipc"}], "maskedPaths": [], "readonlyPaths": []}
        config["root"]["readonly"] = False
        config["mounts"] = []
        config.pop("hostname")

    c = running(mutate=change)
    (c.bundle.rootfs / "inside").touch()
    assert "inside" in c.exec("ls", "/").ok().stdout.split()
    assert c.exec("ls", "/..").ok().stdout == c.exec("ls", "/").ok().stdout


@pytest.mark.parametrize("kept", ["pid", "ipc", "network", "uts", "cgroup"])
def test_what_is_shared_with_the_host_stays_so(
    running: Callable[..., Container], kept: str
) -> None:
    def change(config: Config) -> None:
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [entry for entry in spaces if entry["type"] != kept]
        if kept == "uts":
            config.pop("hostname")
        if kept in {"pid", "network"}:  # they cannot be mounted anew then, by all kernels
            config["mounts"] = [m for m in config["mounts"] if m["type"] not in {"sysfs"}]

    c = running(mutate=change)
    names = ("pid", "net", "ipc", "uts", "mnt", "cgroup", "user")
    wanted = [os.readlink(f"/proc/{c.pid}/ns/{name}") for name in names]
    assert shell(c, READ_NAMESPACES).split() == wanted
