"""The interpreter's own file: whatever a container does, it does not get to write to it.

The class of CVE-2019-5736. What is attacked is a copy of the interpreter. Each attack is also made
on a control, pyoci without the protecting call, where it must succeed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.spec.toolchain import NoCompilerError
from tests.support.child import in_user_namespace
from tests.support.containers import Container, MakeContainer, reap_children, wait_until
from tests.support.interpreter import (
    CALLS,
    NO_MEMORY_FILE,
    NO_MOUNT,
    NO_PRCTL,
    Refusal,
    Victim,
    build_hunter,
    build_loader,
    can_hide,
    refuse_calls,
)

pytestmark = pytest.mark.skipif(
    platform.machine() not in CALLS, reason="the attacks have no system calls for this machine"
)

needs_hiding = pytest.mark.skipif(
    not can_hide(), reason="the kernel is built without CONFIG_CHECKPOINT_RESTORE"
)
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

STRONG = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_KILL"]
HELD = dict.fromkeys(("bounding", "permitted", "effective"), STRONG)


@pytest.fixture
def victim(pyoci: Path, tmp_path: Path) -> Victim:
    return Victim(pyoci, tmp_path / "host")


@pytest.fixture
def hostile(container: MakeContainer, victim: Victim) -> MakeContainer:
    """Makes containers of a hostile image, on the victim; `runtime` of each can be replaced."""
    try:
        hunter, loader = build_hunter(), build_loader()
    except NoCompilerError as error:
        pytest.skip(str(error))

    def make(*args: str, **options: object) -> Container:
        made = container(*args, root={"readonly": False}, process={"capabilities": HELD})
        assert options == {}
        made.runtime = victim.protected
        for source, name in ((hunter, "/bin/hunter"), (loader, victim.read_loader())):
            path = made.bundle.rootfs / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
            path.chmod(0o755)
        made.bundle.add_script("script", "#!/proc/self/exe\n")
        # A cgroup mount is made by the call that NO_MOUNT refuses.
        mounts = made.bundle.config["mounts"]
        made.bundle.config["mounts"] = [m for m in mounts if m["type"] != "cgroup"]
        made.bundle.write()
        return made

    return make


def stop(c: Container) -> None:
    """Have the hunters in the container end, and reap those that an `exec --detach` left us.

    The container's process 1 ends only when all of them are gone.
    """
    (c.bundle.rootfs / "stop").touch()
    wait_until(lambda: "hunter\n" not in read_names(c))
    reap_children({process.pid for process in c.spawned})


def read_names(c: Container) -> list[str]:
    """The names of the processes of the container; those that have just ended are left out."""
    names = []
    with contextlib.suppress(FileNotFoundError):  # the cgroup
        for pid in (c.cgroup / "cgroup.procs").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                names.append(Path(f"/proc/{pid}/comm").read_text())
    return names


# --- run by the container itself

PROGRAMS = pytest.mark.parametrize("program", ["/proc/self/exe", "/script"])


@needs_hiding
@pytest.mark.smoke
@PROGRAMS
def test_a_container_cannot_run_the_interpreter(
    victim: Victim, hostile: MakeContainer, program: str
) -> None:
    c = hostile(program)
    c.run_detached().failed(f'exec: "{program}"', "exec format error")
    c.assert_gone()
    c.run().failed(f'exec: "{program}"', "exec format error")
    c.create().ok()
    c.start().failed(f'exec: "{program}"', "exec format error")
    assert not victim.is_overwritten()


@PROGRAMS
def test_control_a_detached_container_overwrites_it(
    victim: Victim, hostile: MakeContainer, program: str
) -> None:
    c = hostile(program)
    c.runtime = victim.control
    c.run_detached().ok()
    c.wait_stdout(f"holds {victim.inode}\n")
    c.wait_stdout("wrote\n")
    assert victim.is_overwritten()


def test_control_a_created_container_overwrites_it(victim: Victim, hostile: MakeContainer) -> None:
    c = hostile("/proc/self/exe")
    c.runtime = victim.control
    c.create().ok()
    c.start().ok()
    c.wait_stdout("wrote\n")
    assert victim.is_overwritten()


def test_control_a_container_in_the_foreground_holds_it(
    victim: Victim, hostile: MakeContainer
) -> None:
    c = hostile("/proc/self/exe")
    c.runtime = victim.control
    with c.stdout_path.open("wb") as stdout:
        process = c.spawn_run(stdout=stdout)
    # Written to it can be when this `run` has ended: by a process that outlives it, or another's.
    c.wait_stdout(f"holds {victim.inode}\n")
    stop(c)
    process.wait()


@needs_hiding
def test_an_exec_cannot_run_the_interpreter(victim: Victim, hostile: MakeContainer) -> None:
    c = hostile("sleep", "1000")
    c.run_detached().ok()
    done = c.exec("/proc/self/exe", options=("--detach",))
    done.failed("exec format error", rc=255)
    c.exec("/script").failed("exec format error", rc=255)
    assert not victim.is_overwritten()


def test_control_an_exec_overwrites_it(victim: Victim, hostile: MakeContainer) -> None:
    c = hostile("sleep", "1000")
    c.runtime = victim.control
    c.run_detached().ok()
    c.call_detached("exec", "--detach", c.id, "/proc/self/exe").ok()
    c.wait_stdout("wrote\n")
    stop(c)
    assert victim.is_overwritten()


@needs_hiding
@pytest.mark.parametrize("protects", [True, False], ids=["protected", "control"])
def test_it_is_no_dynamic_loader(victim: Victim, hostile: MakeContainer, protects: bool) -> None:
    """A program of the image that asks for /proc/self/exe as its loader (PT_INTERP)."""
    c = hostile("/program")
    own = b"/proc/self/exe\0"
    image = victim.python.read_bytes()
    loader = victim.read_loader().encode() + b"\0"
    assert len(own) <= len(loader)
    program = c.bundle.rootfs / "program"
    program.write_bytes(image.replace(loader, own.ljust(len(loader), b"\0"), 1))
    program.chmod(0o755)
    if protects:
        c.run().failed('exec: "/program"')
    else:
        c.runtime = victim.control
        assert "exec:" not in c.run().stderr  # it has got as far as running, and crashing


# --- found by others in the container


@needs_hiding
@pytest.mark.parametrize("detached", [True, False], ids=["detached", "foreground"])
def test_a_hunter_does_not_get_it_from_an_exec(
    victim: Victim, hostile: MakeContainer, detached: bool
) -> None:
    c = hostile("/bin/hunter", "hunt", str(victim.inode))
    c.run_detached().ok()
    c.wait_stdout("hunting\n")
    options = ("--detach",) if detached else ()
    for _ in range(40):
        c.call_detached("exec", *options, c.id, "/bin/true").ok()
        reap_children(set())
    stop(c)
    c.wait_status("stopped")
    assert c.read_stdout() == "hunting\nsaw the runtime indeed, wrote to it 0 times\n"
    assert not victim.is_overwritten()


def test_control_a_hunter_gets_it_from_an_exec(victim: Victim, hostile: MakeContainer) -> None:
    c = hostile("/bin/hunter", "hunt", str(victim.inode))
    c.runtime = victim.control
    c.run_detached().ok()
    c.wait_stdout("hunting\n")

    def is_found() -> bool:
        c.call_detached("exec", c.id, "/bin/true")
        return f"holds {victim.inode}\n" in c.read_stdout()

    wait_until(is_found)
    c.wait_stdout("wrote\n")
    assert victim.is_overwritten()


@needs_hiding
@pytest.mark.parametrize("protects", [True, False], ids=["protected", "control"])
def test_a_hunter_and_an_init_that_waits(
    victim: Victim, hostile: MakeContainer, protects: bool
) -> None:
    c = hostile("sleep", "1000")
    if not protects:
        c.runtime = victim.control
    c.create().ok()
    c.call_detached("exec", "--detach", c.id, "/bin/hunter", "hunt", str(victim.inode)).ok()
    c.wait_stdout("hunting\n")
    if protects:
        stop(c)
        c.wait_stdout("saw the runtime indeed, wrote to it 0 times\n")
        assert not victim.is_overwritten()
    else:
        c.wait_stdout(f"holds {victim.inode}\n")
        c.start().ok()
        c.wait_stdout("wrote\n")
        assert victim.is_overwritten()
        stop(c)


@needs_hiding
def test_every_process_of_ours_is_hidden(victim: Victim, hostile: MakeContainer) -> None:
    """main in the foreground too: a container without a pid namespace sees it."""
    c = hostile("sleep", "1000")
    main = c.spawn_run()
    wait_until(lambda: c.state_directory.exists() and c.status == "running")
    assert os.readlink(f"/proc/{main.pid}/exe") == "/memfd:pyoci (deleted)"
    c.kill("KILL").ok()
    main.wait()
    c.create().ok()
    assert os.readlink(f"/proc/{c.pid}/exe") == "/memfd:pyoci (deleted)"
    maps = Path(f"/proc/{c.pid}/maps").read_text()
    assert str(victim.python) not in maps


@needs_strace
def test_init_is_not_dumpable_from_its_birth_on_where_others_see_it(
    victim: Victim, hostile: MakeContainer
) -> None:
    """In a pid namespace that it joins."""
    other = hostile("sleep", "1000")
    other.run_detached().ok()
    c = hostile("true")
    for namespace in c.bundle.config["linux"]["namespaces"]:
        if namespace["type"] == "pid":
            namespace["path"] = f"/proc/{other.pid}/ns/pid"
    c.bundle.write()
    trace = c.directory / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=prctl,clone3", *c.program, "run"]
    c.run_command([*command, "--bundle", str(c.bundle.path), c.id]).ok()
    lines = trace.read_text().splitlines()
    (clone,) = [line for line in lines if " clone3(" in line]
    before = lines[: lines.index(clone)]
    assert any("PR_SET_DUMPABLE, SUID_DUMP_DISABLE" in line for line in before)


# --- where the kernel does not let us hide it


@pytest.mark.parametrize("refused", [NO_PRCTL, NO_MEMORY_FILE], ids=["prctl", "memfd"])
def test_a_read_only_mount_is_the_second_choice(
    victim: Victim, hostile: MakeContainer, refused: Refusal
) -> None:
    c = hostile("/proc/self/exe")
    refuse = functools.partial(refuse_calls, refused)
    c.run_detached(preexec_fn=refuse).ok()
    c.wait_stdout(f"holds {victim.inode}\n")
    c.wait_stdout("cannot open: Read-only file system\n")
    assert not victim.is_overwritten()


def test_a_sealed_copy_is_the_third_choice(victim: Victim, hostile: MakeContainer) -> None:
    c = hostile("/proc/self/exe")
    c.run_detached(preexec_fn=functools.partial(refuse_calls, NO_PRCTL, NO_MOUNT)).ok()
    c.wait_stdout("holds ")
    c.wait_stdout("cannot write: Operation not permitted\n")
    assert f"holds {victim.inode}\n" not in c.read_stdout()
    assert not victim.is_overwritten()


@pytest.mark.parametrize("refused", [(NO_PRCTL,), (NO_PRCTL, NO_MOUNT)], ids=["mount", "copy"])
def test_a_hunter_finds_nothing_to_write_to_either(
    victim: Victim, hostile: MakeContainer, refused: tuple[Refusal, ...]
) -> None:
    c = hostile("/bin/hunter", "hunt", str(victim.inode))
    refuse = functools.partial(refuse_calls, *refused)
    c.run_detached(preexec_fn=refuse).ok()
    c.wait_stdout("hunting\n")
    for _ in range(10):
        c.call_detached("exec", c.id, "/bin/true", preexec_fn=refuse).ok()
    stop(c)
    c.wait_status("stopped")
    assert "wrote\n" not in c.read_stdout()
    assert not victim.is_overwritten()


def test_what_is_started_again_is_called_as_before(victim: Victim, hostile: MakeContainer) -> None:
    c = hostile("sh", "-c", 'cat; echo "$*"; exit 7', "sh", "", "a b", "ü", "*")
    c.runtime = victim.protected
    refuse = functools.partial(refuse_calls, NO_PRCTL)
    words = [*c.program, "run", "--bundle", ".", "--preserve-fds", "1", c.id]
    command = ["sh", "-c", 'echo input | "$@" 3</dev/zero', "sh", *words]
    done = c.run_command(command, preexec_fn=refuse, cwd=c.bundle.path)
    assert (done.stdout, done.stderr, done.rc) == ("input\n a b ü *\n", "", 7)


@pytest.mark.parametrize("marked", [False, True], ids=["", "marked"])
def test_without_any_protection_there_is_no_container(
    victim: Victim, hostile: MakeContainer, marked: bool
) -> None:
    running = hostile("sleep", "1000")
    running.run_detached().ok()
    c = hostile("/proc/self/exe")
    if marked:  # a caller's odd environment: there is no protection for the asking
        c.environment |= {"PYOCI_RESTARTED": "1"}
        running.environment |= {"PYOCI_RESTARTED": "1"}
    refuse = functools.partial(refuse_calls, NO_PRCTL, NO_MOUNT, NO_MEMORY_FILE)
    texts = (f"cannot keep containers from writing to {victim.python}", "hide it: ")
    c.create(preexec_fn=refuse).failed(*texts)
    c.run(preexec_fn=refuse).failed(*texts)
    running.exec("true", preexec_fn=refuse).failed(*texts, rc=255)
    c.assert_gone()
    running.delete("--force", preexec_fn=refuse).ok()  # which needs none


@needs_hiding
def test_a_mark_in_the_environment_does_not_switch_it_off(
    victim: Victim, hostile: MakeContainer
) -> None:
    c = hostile("/proc/self/exe")
    c.environment |= {"PYOCI_RESTARTED": "1"}
    c.run_detached().failed("exec format error")
    assert not victim.is_overwritten()


# --- who is not root

USER = 1000
ASK = """
import posix, sys
sys.path.append({library!r})
from pyoci.engine.protect import protect_interpreter
protect_interpreter(lambda level, text: print(level, text))
print(posix.readlink("/proc/self/exe"))
"""


@pytest.fixture
def users(pyoci: Path, test_name: str) -> Iterator[Victim]:
    """A victim that an ordinary user can reach."""
    with tempfile.TemporaryDirectory(prefix=test_name) as name:
        Path(name).chmod(0o755)
        yield Victim(pyoci, Path(name) / "host")


def ask(victim: Victim, *refusals: Refusal, within: tuple[str, ...] = ()) -> list[str]:
    """What an ordinary user's pyoci warns of, and what it runs in the end."""

    def become_user() -> None:
        refuse_calls(*refusals)
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)

    script = ASK.format(library=str(victim.directory / "readable"))
    command = [*within, str(victim.python), victim.options, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, preexec_fn=become_user
    )
    return done.stdout.splitlines()


@pytest.fixture
def readable(users: Victim) -> Victim:
    """The same, with modules of its own: the checkout may be in a directory of root's."""
    shutil.copytree(users.library, users.directory / "readable")
    return users


def test_a_user_cannot_write_to_roots_interpreter_anyway(readable: Victim) -> None:
    assert ask(readable, NO_MEMORY_FILE) == [str(readable.python)]


@pytest.mark.parametrize("how", ["owner", "group", "others"])
def test_an_interpreter_that_users_can_write_to_is_copied(readable: Victim, how: str) -> None:
    make_writable(readable.python, how)
    assert ask(readable) == ["/memfd:pyoci-interpreter (deleted)"]


@pytest.mark.parametrize("how", ["owner", "group", "others"])
def test_where_that_is_impossible_there_is_a_warning(readable: Victim, how: str) -> None:
    make_writable(readable.python, how)
    (warning, path) = ask(readable, NO_MEMORY_FILE)
    assert warning.startswith(f"warning containers may write to {readable.python}: ")
    assert "EACCES" in warning
    assert path == str(readable.python)


@pytest.mark.parametrize(
    ("flag", "path"),
    [("-Urm", "/memfd:pyoci (deleted)"), ("-Ur", "/memfd:pyoci-interpreter (deleted)")],
    ids=["with its own mounts", "without"],
)
@needs_hiding
def test_the_root_of_a_user_namespace(readable: Victim, flag: str, path: str) -> None:
    """Rootless Podman calls us so."""
    in_user_namespace(lambda: None)  # or it skips
    assert ask(readable, within=("unshare", flag)) == [path]


def make_writable(path: Path, how: str) -> None:
    if how == "owner":
        os.chown(path, USER, USER)
    else:
        path.chmod({"group": 0o775, "others": 0o757}[how])


# --- the interpreter, afterwards

# Everything that might have been lost: data that C code and the linker know, heaps, handlers.
SELF_CHECK = """
import sys
sys.path.append({library!r})
from pyoci.engine.protect import hide_executable
marker, table = object(), {{n: str(n) for n in range(1000)}}
hide_executable()
import ctypes, gc, json, os, posix, re, signal, threading, time
pairs = json.loads(json.dumps(table)).items()
assert table == {{int(name): value for name, value in pairs}}
assert re.findall(r"[0-9]+", "a1b22") == ["1", "22"]
try:
    1 / 0
except ZeroDivisionError as error:
    assert str(error) == "division by zero"
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
os.kill(os.getpid(), signal.SIGUSR1)
assert seen == [1]
thread = threading.Thread(target=lambda: seen.append(2))
thread.start()
thread.join()
assert seen == [1, 2]
assert sorted(range(1000), key=lambda n: -n)[0] == 999
blocks = [bytes(100_000) for _ in range(100)] + [bytearray(10_000_000)]
gc.collect()
pid = os.fork()
if not pid:
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
assert callback(41) == 42
assert float("1.5") * 2 == 3.0 and f"{{10**30:,}}".count(",") == 10
assert posix.readlink("/proc/self/exe") == "/memfd:pyoci (deleted)"
print("whole")
"""


def run_self_check(victim: Victim) -> subprocess.CompletedProcess[str]:
    script = SELF_CHECK.format(library=str(victim.library))
    command = [str(victim.python), victim.options, "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_hiding
@pytest.mark.smoke
def test_the_interpreter_is_whole_afterwards(victim: Victim) -> None:
    for _ in range(10):
        done = run_self_check(victim)
        assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")


@needs_hiding
@pytest.mark.slow
@pytest.mark.smoke
def test_two_thousand_times(victim: Victim, hostile: MakeContainer) -> None:
    for _ in range(500):
        done = run_self_check(victim)
        assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")
    c = hostile("true")
    for _ in range(500):
        c.run().ok()
    c.bundle.config["process"]["args"] = ["sleep", "100000"]
    c.bundle.write()
    for _ in range(250):
        c.create().ok()
        c.delete().ok()
    c.run_detached().ok()
    for _ in range(750):
        c.exec("true").ok()
