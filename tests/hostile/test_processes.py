"""Ways into the runtime's own processes, and out of the container by what they carry.

R-FD-1, R-CWD-1 (CVE-2024-21626), R-EXEC-1 (CVE-2016-9962), R-ENV-1, R-KEY-1, R-USER-1 to R-USER-4
(CVE-2016-3697, CVE-2024-40635, CVE-2026-30892), R-CAP-1 (CVE-2022-29162), R-GID-1, R-SYS-1
(CVE-2022-0811), R-CG-1.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, wait_until
from tests.support.hostile import WRITABLE, ran, refused

LONG = ("sleep", "1000")


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[int]:
    """A descriptor that a careless caller lets its children inherit: a directory of the host."""
    directory = tmp_path / "secret"
    directory.mkdir()
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(fd, True)
    yield fd
    os.close(fd)


@pytest.fixture
def running(container: MakeContainer) -> Callable[..., Container]:
    """Starts a container that goes on."""

    def start(*args: str, **overrides: Any) -> Container:  # noqa: ANN401
        c = container(*(args or LONG), **overrides)
        c.run_detached().ok()
        return c

    return start


# --- descriptors


@pytest.mark.parametrize("prefix", ["/proc/self/fd", "/proc/1/fd", "/proc/thread-self/fd"])
def test_no_descriptor_is_a_working_directory_outside(
    container: MakeContainer, secret: int, prefix: str
) -> None:
    for fd in {3, 4, 5, 6, 7, 8, 9, 10, secret}:
        c = container("sh", "-c", "pwd -P; ls -d .. ../..", process={"cwd": f"{prefix}/{fd}"})
        done = c.run(pass_fds=[secret])
        # The container's own root and procfs may be open while it is made; they are no way out.
        if done.rc != 0 or done.stdout.split("\n")[0] not in ("/", "/proc"):
            refused(done, "process.cwd")
        c.assert_gone()


@pytest.mark.parametrize("fd", [3, 5, 7, 9])
def test_nor_that_of_an_exec(running: Callable[..., Container], secret: int, fd: int) -> None:
    c = running()
    path = f"/proc/self/fd/{fd}"
    done = c.exec("pwd", options=("--cwd", path), pass_fds=[secret])
    assert done.rc != 0, done


def test_a_symlink_of_the_image_to_a_descriptor_is_none_either(
    container: MakeContainer, secret: int
) -> None:
    c = container("pwd", root=WRITABLE, process={"cwd": "/work"})
    (c.bundle.rootfs / "work").symlink_to(f"/proc/self/fd/{secret}")
    done = c.run(pass_fds=[secret])
    assert str(c.directory) not in done.stdout, done
    c.assert_gone()


def test_the_program_gets_no_descriptor(container: MakeContainer, secret: int) -> None:
    c = container("sh", "-c", "for fd in /proc/self/fd/*; do readlink $fd; done; true")
    done = c.run(pass_fds=[secret])
    assert done.rc == 0, done
    assert "secret" not in done.stdout


# --- environment, keys


def test_the_environment_of_the_caller_stays_outside(container: MakeContainer) -> None:
    c = container("cat", "/proc/1/environ")
    c.environment["SECRET"] = "of the caller"  # noqa: S105
    assert "SECRET" not in c.run().stdout


def test_nor_does_an_exec_bring_it(running: Callable[..., Container]) -> None:
    c = running()
    c.environment["SECRET"] = "of the caller"  # noqa: S105
    assert "SECRET" not in c.exec("cat", "/proc/self/environ").stdout


@pytest.mark.parametrize("how", ["run", "exec"])
def test_the_session_keyring_is_a_new_one(
    container: MakeContainer, running: Callable[..., Container], how: str
) -> None:
    show = ("cat", "/proc/keys")
    if not Path("/proc/keys").exists():
        pytest.skip("this kernel has no /proc/keys")
    linux: dict[str, list[str]] = {"maskedPaths": []}
    c = running(linux=linux) if how == "exec" else container(*show, linux=linux)
    said = (c.exec(*show) if how == "exec" else c.run()).stdout
    assert f"{c.id}: " in said  # crun's has no prefix


# --- users

UIDS = {
    "0": 0,
    "1000": 1000,
    "1": 1,
    "4294967294": 4294967294,
    "4294967295": None,
    "4294967296": None,
    "18446744073709551616": None,
    "-1": None,
    "0x0": None,
    "1_0": None,
    " 1": None,
    "1 ": None,
    "+1": None,
    "\uff11": None,
    "": 0,
    ":": None,
    "nobody-of-this-name": None,
}


@pytest.mark.parametrize("word", UIDS)
def test_a_user_is_the_one_that_was_named(running: Callable[..., Container], word: str) -> None:
    """Or none: a default is never what is left when a word makes no sense."""
    c = running()
    (c.bundle.rootfs / "etc" / "passwd").write_text("1000:x:0:0::/:\n1:x:0:0::/:\nroot:x:0:0::/:\n")
    done = c.exec("id", "-u", options=("--user", word))
    if UIDS[word] is None:
        assert done.rc != 0, done
    elif ran(done):
        assert done.stdout == f"{UIDS[word]}\n", done


@pytest.mark.parametrize("member", ["uid", "gid"])
@pytest.mark.parametrize("number", [2**32 - 1, 2**32, 2**64, -1, 1.5, True])
def test_ids_of_the_config_do_not_wrap(
    container: MakeContainer, member: str, number: float
) -> None:
    c = container("id", process={"user": {"uid": 0, "gid": 0, member: number}})
    refused(c.run(), f"process.user.{member}")
    c.assert_gone()


@pytest.mark.parametrize("kind", ["fifo", "endless", "link"])
def test_accounts_of_the_image_hold_nobody_up(
    running: Callable[..., Container], canary: Path, kind: str
) -> None:
    c = running()
    for name in ("passwd", "group"):
        path = c.bundle.rootfs / "etc" / name
        path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "endless":
            path.touch()
            os.truncate(path, 1 << 40)
        else:
            path.symlink_to(canary / "passwd")
    (canary.parent / "passwd").write_text("daemon:x:77:77::/:\n")
    done = c.exec("id", "-u", options=("--user", "daemon"), timeout=20)
    assert done.rc != 0, done


def test_groups_of_the_caller_stay_outside(container: MakeContainer) -> None:
    c = container("sh", "-c", "grep Groups: /proc/self/status", process={"user": {"uid": 1000}})
    done = c.run(extra_groups=[4, 24, 27])
    assert done.stdout.split() == ["Groups:"], done


@pytest.mark.parametrize("how", ["run", "exec", "exec --cap"])
def test_nothing_is_inheritable_that_the_config_does_not_say(
    container: MakeContainer, running: Callable[..., Container], how: str
) -> None:
    show = ("grep", "^CapInh\\|^CapAmb", "/proc/self/status")
    sets = ["bounding", "effective", "permitted"]
    capabilities = {name: ["CAP_KILL"] for name in sets} | {"inheritable": [], "ambient": []}
    process = {"capabilities": capabilities}
    if how == "run":
        said = container(*show, process=process).run().stdout
    else:
        options = ("--cap", "CAP_SYS_CHROOT") if "--cap" in how else ()
        said = running(process=process).exec(*show, options=options).stdout
    assert [int(line.split()[1], 16) for line in said.splitlines()] == [0, 0], said


# --- parameters of the kernel, cgroups


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern", "kernel/core_pattern", "net/../kernel/core_pattern",
        "net..kernel.core_pattern", "net.ipv4/../../kernel/core_pattern",
        "kernel.sem/../core_pattern", "vm.swappiness", "fs.mqueue/../protected_fifos",
        "./kernel/core_pattern",
    ],
)  # fmt: skip
def test_parameters_of_the_host_are_refused(container: MakeContainer, name: str) -> None:
    """Were one written after all, it would get the value that it has."""
    key = "core_pattern" if "core_pattern" in name else name.rpartition(".")[2].rpartition("/")[2]
    (found,) = Path("/proc/sys").glob(f"*/{key}")
    c = container("true", linux={"sysctl": {name: found.read_text().strip()}})
    refused(c.run(), "linux.sysctl")
    c.assert_gone()


@pytest.mark.parametrize("up", ["..", "../..", "x/../../..", "./../"])
def test_a_cgroup_stays_below_the_mount(container: MakeContainer, up: str) -> None:
    c = container("true")
    name = c.bundle.config["linux"]["cgroupsPath"]
    c.bundle.config["linux"]["cgroupsPath"] = f"/{up}/{up}/..{name}"
    c.bundle.config["process"]["args"] = ["sleep", "1000"]
    c.bundle.write()
    done = c.run_detached()
    if done.rc == 0:
        line = Path(f"/proc/{c.pid}/cgroup").read_text().rpartition("0::")[2].strip()
        assert line == name
    else:
        refused(done, "linux.cgroupsPath")
    c.delete("--force")
    c.bundle.config["linux"]["cgroupsPath"] = name
    c.assert_gone()


@pytest.mark.parametrize("sub", ["..", "../..", "/..", "x/../../.."])
def test_an_exec_stays_below_the_cgroup(running: Callable[..., Container], sub: str) -> None:
    c = running()
    done = c.exec("true", options=("--cgroup", sub))
    assert done.rc != 0 or sub == "/..", done


# --- those inside, while another joins them

# Looks at every process that comes, and tries to get at what it has open.
HUNTER = """
echo ready
while :; do
    for p in /proc/[0-9]*; do
        case $p in /proc/1|/proc/$$) continue;; esac
        for fd in $p/fd/* $p/cwd $p/root; do
            target=$(readlink $fd 2>/dev/null) || continue
            case $target in /proc*|/dev*|pipe:*|socket:*|anon_inode:*|/|/tmp*|/bin*) ;;
                *) echo "found $fd -> $target";;
            esac
        done
    done
done
"""


def test_those_inside_find_nothing_of_the_host_in_an_exec(
    running: Callable[..., Container], secret: int
) -> None:
    c = running("sh", "-c", HUNTER)
    c.wait_stdout("ready")
    with (c.directory / "output").open("wb") as output:
        for _ in range(12):
            words = [*c.program, "exec", c.id, "true"]
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=c.environment,
                pass_fds=[secret],
                check=False,
                timeout=30,
            )
            assert done.returncode == 0
    wait_until(lambda: c.status == "running")
    found = [line for line in c.read_stdout().splitlines() if "output" not in line]
    assert found == ["ready"]
