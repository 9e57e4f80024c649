"""The container process: what it is made of (config.md, "Process"; config-linux.md, "Seccomp")."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit

NOBODY = {"uid": 1000, "gid": 1000}
SETS = ("bounding", "permitted", "effective", "inheritable", "ambient")
FIELDS = {"bounding": "Bnd", "permitted": "Prm", "effective": "Eff"}
FIELDS |= {"inheritable": "Inh", "ambient": "Amb"}
CAP_CHOWN, CAP_KILL, CAP_NET_RAW, CAP_SYS_ADMIN = 0, 5, 13, 21


def read_status(c: Container) -> dict[str, str]:
    """/proc/self/status of the container process; it must run `cat /proc/self/status`."""
    lines = [line.partition(":\t") for line in c.run().ok().stdout.splitlines()]
    return {name: value for name, _, value in lines}


def status(container: MakeContainer, **process: Any) -> dict[str, str]:  # noqa: ANN401
    return read_status(container("cat", "/proc/self/status", process=process))


# --- environment


@pytest.mark.smoke
def test_the_environment_is_the_configs_and_no_more(container: MakeContainer) -> None:
    env = ["PATH=/bin", "HOME=/x", "ONE=1", "EMPTY=", "WITH=a=b", "SPACE= a ", "Ü=ö", "QUOTE='\""]
    c = container("cat", "/proc/self/environ", process={"env": env})
    c.environment |= {"SECRET": "of the caller", "LANG": "C"}
    assert c.run().ok().stdout.split("\0")[:-1] == env


def test_the_last_of_several_values_wins(container: MakeContainer) -> None:
    env = ["PATH=/no", "A=1", "HOME=/x", "A=2", "PATH=/bin", "A=3"]
    c = container("cat", "/proc/self/environ", process={"env": env})
    found = c.run().ok().stdout.split("\0")[:-1]
    assert sorted(found) == ["A=3", "HOME=/x", "PATH=/bin"]


@pytest.mark.parametrize(
    ("uid", "home"), [(0, "/root"), (1000, "/home/user"), (4711, "/")], ids=["root", "user", "none"]
)
def test_home_comes_from_the_containers_passwd(
    container: MakeContainer, uid: int, home: str
) -> None:
    c = container("sh", "-c", "echo $HOME", process={"user": {"uid": uid, "gid": 0}})
    assert c.run().ok().stdout == f"{home}\n"


def test_a_fifo_for_passwd_holds_nobody_up(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "echo $HOME")
    passwd = c.bundle.rootfs / "etc" / "passwd"
    passwd.unlink()
    os.mkfifo(passwd)
    assert c.run().ok().stdout == "/\n"


def test_passwd_is_not_followed_to_the_host(pyoci: Path, container: MakeContainer) -> None:
    c = container("sh", "-c", "echo $HOME")
    passwd = c.bundle.rootfs / "etc" / "passwd"
    passwd.unlink()
    passwd.symlink_to("/etc/passwd-of-the-container")
    assert c.run().ok().stdout == "/\n"


# --- ids


def test_the_user_is_the_configs(container: MakeContainer) -> None:
    user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 7, 4711]}
    found = status(container, user=user)
    assert found["Uid"].split() == ["1000"] * 4
    assert found["Gid"].split() == ["1001"] * 4
    assert sorted(map(int, found["Groups"].split())) == [5, 7, 4711]


def test_groups_of_the_caller_stay_outside(container: MakeContainer) -> None:
    c = container("cat", "/proc/self/status")
    words = ["run", "--bundle", str(c.bundle.path), c.id]
    done = c.run_command([*c.program, *words], extra_groups=[3, 4, 5]).ok()
    assert "Groups:\t \n" in done.stdout or "Groups:\t\n" in done.stdout


@pytest.mark.parametrize(("given", "found"), [(None, "0022"), (0o77, "0077"), (0, "0000")])
def test_umask(container: MakeContainer, given: int | None, found: str) -> None:
    user = {"uid": 0, "gid": 0} | ({} if given is None else {"umask": given})
    c = container("sh", "-c", "umask", process={"user": user})
    old = os.umask(0o27)
    try:
        assert c.run().ok().stdout == f"{found}\n"
    finally:
        os.umask(old)


# --- capabilities


def caps_of(found: dict[str, str]) -> dict[str, int]:
    return {name: int(found[f"Cap{field}"], 16) for name, field in FIELDS.items()}


def test_each_set_of_capabilities_is_the_configs(container: MakeContainer) -> None:
    given = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_ADMIN"],
        "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
        "effective": ["CAP_CHOWN", "CAP_KILL"],
        "inheritable": ["CAP_KILL"],
        "ambient": ["CAP_KILL"],
    }
    # As root the kernel gives a program all that is bounded, so look as somebody else.
    found = caps_of(status(container, capabilities=given, user=NOBODY))
    assert found == {
        "bounding": 1 << CAP_CHOWN | 1 << CAP_KILL | 1 << CAP_NET_RAW | 1 << CAP_SYS_ADMIN,
        "permitted": 1 << CAP_KILL,
        "effective": 1 << CAP_KILL,
        "inheritable": 1 << CAP_KILL,
        "ambient": 1 << CAP_KILL,
    }


def test_root_has_what_is_bounded(container: MakeContainer) -> None:
    names = ["CAP_CHOWN", "CAP_KILL"]
    given = dict.fromkeys(("bounding", "permitted", "effective"), names)
    found = caps_of(status(container, capabilities=given))
    both = 1 << CAP_CHOWN | 1 << CAP_KILL
    assert found == {
        "bounding": both,
        "permitted": both,
        "effective": both,
        "inheritable": 0,
        "ambient": 0,
    }


@pytest.mark.parametrize("given", [None, {}, {name: [] for name in SETS}])
def test_without_capabilities_there_are_none(
    container: MakeContainer, given: dict[str, list[str]] | None
) -> None:
    def set_capabilities(config: dict[str, Any]) -> None:
        config["process"].pop("capabilities")
        if given is not None:
            config["process"]["capabilities"] = given

    c = container("cat", "/proc/self/status", mutate=set_capabilities)
    assert set(caps_of(read_status(c)).values()) == {0}


def test_another_user_without_ambient_has_none(container: MakeContainer) -> None:
    found = caps_of(status(container, user=NOBODY))
    assert found["permitted"] == found["effective"] == found["ambient"] == 0
    assert found["bounding"] != 0


def test_an_unknown_capability_goes_to_the_log_only(container: MakeContainer) -> None:
    sets = ("bounding", "permitted", "effective")
    given = {name: ["CAP_KILL", "CAP_OF_TOMORROW"] for name in sets}
    c = container("true", process={"capabilities": given})
    c.call("--log", str(c.log_path), "run", "--bundle", str(c.bundle.path), c.id).ok()
    assert "CAP_OF_TOMORROW" in c.log_path.read_text()


# --- limits and flags


def test_rlimits_are_set_and_the_others_kept(container: MakeContainer) -> None:
    rlimits = [
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_STACK", "soft": 1 << 20, "hard": 1 << 23},
    ]
    c = container("cat", "/proc/self/limits", process={"rlimits": rlimits})
    lines = [line.split("  ") for line in c.run().ok().stdout.splitlines()]
    found = {line[0]: [word.strip() for word in line[1:] if word.strip()] for line in lines}
    assert found["Max open files"][:2] == ["100", "200"]
    assert found["Max core file size"][:2] == ["0", "0"]
    assert found["Max stack size"][:2] == [str(1 << 20), str(1 << 23)]
    own = Path("/proc/self/limits").read_text()
    assert " ".join(found["Max msgqueue size"]) in " ".join(own.split())


@pytest.mark.parametrize("wanted", [True, False])
def test_no_new_privileges(container: MakeContainer, wanted: bool) -> None:
    assert status(container, noNewPrivileges=wanted)["NoNewPrivs"] == str(int(wanted))


def test_oom_score_can_be_raised(container: MakeContainer) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())
    wanted = min(own + 100, 1000)
    c = container("cat", "/proc/self/oom_score_adj", process={"oomScoreAdj": wanted})
    assert c.run().ok().stdout == f"{wanted}\n"


def test_oom_score_is_the_callers_unless_set(container: MakeContainer) -> None:
    c = container("cat", "/proc/self/oom_score_adj")
    assert c.run().ok().stdout == Path("/proc/self/oom_score_adj").read_text()


def test_the_process_has_a_keyring_of_its_own(container: MakeContainer) -> None:
    c = container("cat", "/proc/keys", linux={"maskedPaths": []})
    assert f"_ses.{c.id}" in c.run().ok().stdout


def test_the_process_can_keep_the_keyring_of_the_caller(container: MakeContainer) -> None:
    c = container("cat", "/proc/keys", linux={"maskedPaths": []})
    assert f"_ses.{c.id}" not in c.run("--no-new-keyring").ok().stdout


def test_signals_are_as_for_any_new_program(container: MakeContainer) -> None:
    def be_careless() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGRTMIN, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})

    c = container("cat", "/proc/self/status")
    found = dict(
        line.split(":\t") for line in c.run(preexec_fn=be_careless).ok().stdout.splitlines()
    )
    assert {name: int(found[name], 16) for name in ("SigBlk", "SigIgn", "SigCgt")} == {
        "SigBlk": 0,
        "SigIgn": 0,
        "SigCgt": 0,
    }


def test_signals_of_a_created_container_are_too(container: MakeContainer) -> None:
    c = container("cat", "/proc/self/status")
    c.create(preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})).ok()
    c.start().ok()
    c.wait_stdout("SigCgt")
    found = dict(line.split(":\t") for line in c.read_stdout().splitlines())
    assert int(found["SigBlk"], 16) == int(found["SigIgn"], 16) == 0


# --- the working directory


def test_cwd(container: MakeContainer) -> None:
    assert container("pwd", process={"cwd": "/home/user"}).run().ok().stdout == "/home/user\n"


def test_a_missing_cwd_is_made(container: MakeContainer) -> None:
    c = container("sh", "-c", "pwd", process={"cwd": "/a/b/c"}, root={"readonly": False})
    assert c.run().ok().stdout == "/a/b/c\n"
    assert (c.bundle.rootfs / "a/b/c").stat().st_uid == 0


def test_a_cwd_that_only_the_user_may_enter(container: MakeContainer) -> None:
    c = container("pwd", process={"cwd": "/home/user", "user": NOBODY})
    (c.bundle.rootfs / "home/user").chmod(0o700)
    assert c.run().ok().stdout == "/home/user\n"


def test_a_file_is_no_cwd(container: MakeContainer) -> None:
    c = container("pwd", process={"cwd": "/etc/passwd"})
    c.run().failed("not a directory")
    c.assert_gone()


@pytest.mark.parametrize("cwd", ["relative", "", "."])
def test_cwd_must_be_absolute(container: MakeContainer, cwd: str) -> None:
    c = container("pwd", process={"cwd": cwd})
    c.run().failed("process.cwd")
    c.assert_gone()


# --- looking the program up


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("missing", 'exec: "missing": executable file not found in $PATH'),
        ("/missing", 'exec: "/missing": stat /missing: no such file or directory'),
        ("/etc/passwd/x", 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory'),
        ("/etc", 'exec: "/etc": is a directory: permission denied'),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied'),
        ("", 'exec: "": executable file not found in $PATH'),
    ],
)
def test_create_says_why_a_program_cannot_be_run(
    container: MakeContainer, program: str, text: str
) -> None:
    c = container(program)
    c.create().failed(text)
    c.assert_gone()


def test_a_name_is_looked_for_along_the_path(container: MakeContainer) -> None:
    c = container("tool", "x", process={"env": ["PATH=/missing:/etc/passwd:/one:/two:/three"]})
    c.bundle.add_script("one/tool", "not executable", mode=0o644)
    (c.bundle.rootfs / "two").mkdir()
    (c.bundle.rootfs / "two" / "tool").mkdir()
    c.bundle.add_script("three/tool", "#!/bin/sh\necho found $0 $1\n")
    assert c.run().ok().stdout == "found /three/tool x\n"


def test_what_the_path_has_but_may_not_be_run_is_told(container: MakeContainer) -> None:
    c = container("tool", process={"env": ["PATH=/one:/missing"]})
    c.bundle.add_script("one/tool", "", mode=0o644)
    c.create().failed('exec: "tool": permission denied')


def test_the_user_must_be_allowed_to_run_it(container: MakeContainer) -> None:
    c = container("/tool", process={"user": NOBODY})
    c.bundle.add_script("tool", "#!/bin/sh\n", mode=0o700)
    c.create().failed('exec: "/tool": permission denied')
    c.assert_gone()


def test_a_missing_interpreter_is_named(pyoci: Path, container: MakeContainer) -> None:
    c = container("/script")
    c.bundle.add_script("script", "#!/no/such/interpreter -x\necho\n")
    c.create().failed("/no/such/interpreter", "no such file or directory")
    c.assert_gone()


def test_a_file_that_is_no_program_is_an_error_of_start(container: MakeContainer) -> None:
    c = container("/data")
    c.bundle.add_script("data", "\0\1\2\3 no program\n")
    c.create().ok()
    pid = c.pid
    c.start().failed('exec: "/data"', "exec format error")
    wait_exit(pid)
    assert c.status == "stopped"
    c.delete().ok()
    c.run().failed('exec: "/data"', "exec format error")
    c.assert_gone()


def test_arguments_are_passed_as_they_are(container: MakeContainer) -> None:
    args = ["a b", "", "$HOME", "*", "'\"", "ü", "\t\n"]
    c = container("sh", "-c", 'for a; do printf "%s|" "$a"; done', "sh", *args)
    assert c.run().ok().stdout == "".join(f"{arg}|" for arg in args)


# --- seccomp


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_a_seccomp_filter_is_in_force(
    container: MakeContainer,
    no_new_privileges: bool,
) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
    }
    c = container(
        "sh",
        "-c",
        "grep Seccomp: /proc/self/status; grep CapEff /proc/self/status; mkdir /tmp/x",
        process={"noNewPrivileges": no_new_privileges},
        linux={"seccomp": profile},
    )
    done = c.run()
    assert done.stdout.startswith("Seccomp:\t2\n"), done
    # CAP_SYS_ADMIN, which loading it takes, is gone again.
    assert int(done.stdout.split()[-1], 16) >> CAP_SYS_ADMIN & 1 == 0
    assert "not supported" in done.stderr.lower()
    assert done.rc == 1


def test_without_a_profile_there_is_no_filter(container: MakeContainer) -> None:
    assert (
        status(container)["Seccomp"]
        == Path("/proc/self/status").read_text().partition("Seccomp:\t")[2].split()[0]
    )


# --- no process


def test_without_a_process_start_fails_softly(pyoci: Path, container: MakeContainer) -> None:
    c = container(process=None)
    c.create().ok()
    pid = c.pid
    assert c.status == "created"
    words = ["--log", str(c.log_path), "--log-format", "json", "start", c.id]
    c.call(*words).ok()
    (line,) = c.log_path.read_text().splitlines()
    assert json.loads(line)["level"] == "error"
    assert "process" in json.loads(line)["msg"]
    wait_exit(pid)
    assert c.status == "stopped"
    c.delete().ok()
    c.assert_gone()


def test_init_leads_a_session_of_its_own(container: MakeContainer) -> None:
    """A ^C at the caller's terminal reaches the runtime alone, which forwards it."""
    c = container("sh", "-c", "cat /proc/1/stat")
    fields = c.run().ok().stdout.rpartition(")")[2].split()
    process_group, session = fields[2], fields[3]
    assert (process_group, session) == ("1", "1")
