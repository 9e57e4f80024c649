"""What a runtime in Python must see to, and one in C need not: docs/python.md has the list.

Some of it only the process itself can see, just before it becomes the program: variants of pyoci,
with a few lines more, tell it on stderr.
"""

from __future__ import annotations

import ctypes
import json
import platform
import resource
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyoci.linux.consts import SYSCALLS
from tests.support.containers import Container, MakeContainer, wait_until
from tests.support.variants import Launcher, build_variant

# --- P1: imports

# In the process, inside the container: a module that nobody has imported before.
LATE_IMPORT = """

_find_program = find_program


def find_program(name, search_path):
    import pyoci_test_hostile

    return _find_program(name, search_path)
"""
UNSEALED = "\n\ndef seal():\n    pass\n"
HOSTILE = "import posix\nposix.mkdir('/tmp/taken')\n"


def read_search_path(runtime: Path) -> list[str]:
    """Where its interpreter looks for modules, and where pyoci's own are."""
    launcher = Launcher(runtime)
    code = "import sys; print(*sys.path, sep='\\n')"
    command = [str(launcher.interpreter), launcher.options, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [path for path in said.splitlines() if path and not path.endswith(".zip")]


def make_hostile_image(container: MakeContainer, runtime: Path) -> Container:
    """A container whose image has the module wherever the interpreter could look for it."""
    c = container("true")
    for directory in [*read_search_path(runtime), str(Launcher(runtime).library)]:
        path = c.bundle.rootfs / directory.lstrip("/") / "pyoci_test_hostile.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HOSTILE)
    c.bundle.config["root"]["readonly"] = False
    c.bundle.write()
    return c


@pytest.mark.smoke
@pytest.mark.parametrize("command", ["run", "exec"])
def test_p1_code_of_the_image_is_not_imported(
    pyoci: Path, container: MakeContainer, tmp_path: Path, command: str
) -> None:
    c = make_hostile_image(container, pyoci)
    late = build_variant(pyoci, tmp_path / "late", {"engine/execute": LATE_IMPORT})
    done = use_program(c, late, command)
    assert "import of pyoci_test_hostile after the import system was sealed" in done
    assert not (c.bundle.rootfs / "tmp" / "taken").exists()


@pytest.mark.parametrize("command", ["run", "exec"])
def test_p1_control_without_the_seal_it_is(
    pyoci: Path, container: MakeContainer, tmp_path: Path, command: str
) -> None:
    c = make_hostile_image(container, pyoci)
    additions = {"engine/execute": LATE_IMPORT, "engine/process_steps": UNSEALED}
    use_program(c, build_variant(pyoci, tmp_path / "open", additions), command)
    assert (c.bundle.rootfs / "tmp" / "taken").exists()


def use_program(c: Container, runtime: Path, command: str) -> str:
    """Run the container, or a program in it, by this runtime; what it says on stderr."""
    if command == "run":
        c.runtime = runtime
        return c.run().stderr
    c.bundle.config["process"]["args"] = ["sleep", "1000"]
    c.bundle.write()
    c.run_detached().ok()
    c.runtime = runtime
    return c.exec("true").stderr


# --- the process just before execve, from inside

WATCH_SEAL = """

_seal = seal


def seal():
    _seal()
    sys.pyoci_test_modules = set(sys.modules)
"""
WATCH_EXECVE = """

_execve = Execution.execve


def _tell_and_execve(self):
    import gc, sys
    from pyoci import jsonio

    told = {
        "modules": sorted(set(sys.modules) - sys.pyoci_test_modules),
        "gc": gc.isenabled(),
        "threads": len(posix.listdir("/proc/self/task")),
        "files": [repr(o) for o in gc.get_objects() if is_open_file(o)],
        "path": [*sys.path, *sys.path_hooks, *sys.path_importer_cache],
        "environment": sorted([name.decode() for name in posix.environ]),
        "maps": open_and_read("/proc/self/maps"),
    }
    posix.write(2, jsonio.dumps(told).encode() + b"\\n")
    _execve(self)


def is_open_file(found):
    return type(found).__name__ == "FileIO" and found.fileno() > 2


def open_and_read(path):
    fd = posix.open(path, posix.O_RDONLY)
    text = b""
    while part := posix.read(fd, 65536):
        text += part
    posix.close(fd)
    return text.decode()


Execution.execve = _tell_and_execve
"""

# Whatever init does only for some configs, as far as one config can have it.
EVERYTHING: dict[str, Any] = {
    "hostname": "name",
    "process": {
        "user": {"uid": 1000, "gid": 1000, "umask": 0o27, "additionalGids": [5]},
        "env": ["PATH=/bin", "LD_PRELOAD=/lib/hostile.so", "PYTHONPATH=/tmp", "TERM=ü"],
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}],
        "scheduler": {"policy": "SCHED_OTHER", "nice": 1},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
        "oomScoreAdj": 900,
    },
    "linux": {
        "sysctl": {"net.ipv4.ip_forward": "0"},
        "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
    },
    "hooks": {
        "createContainer": [{"path": "/bin/true"}],
        "startContainer": [{"path": "/bin/true"}],
    },
}


def add_copied_tmpfs(config: dict[str, Any]) -> None:
    options = ["tmpcopyup", "size=64k"]
    mount = {"destination": "/home", "type": "tmpfs", "source": "tmpfs", "options": options}
    config["mounts"].append(mount)


# Of the second start, where the kernel lets no interpreter be hidden (docs/interpreter.md): it has
# no PR_SET_MM_MAP without CONFIG_CHECKPOINT_RESTORE, with which this file comes, too.
MARKS = () if Path("/proc/sys/kernel/ns_last_pid").exists() else ("PYOCI_RESTARTED",)


@pytest.fixture
def telling(pyoci: Path, tmp_path: Path) -> Path:
    """A pyoci whose processes tell what they are just before they become the program."""
    additions = {"engine/process_steps": WATCH_SEAL, "engine/execute": WATCH_EXECVE}
    return build_variant(pyoci, tmp_path / "telling", additions)


def tell(container: MakeContainer, telling: Path, command: str) -> dict[str, Any]:
    """What the process of this command tells."""
    c = container("sleep", "1000", mutate=add_copied_tmpfs, **EVERYTHING)
    c.runtime = telling
    if command == "create":
        c.create().ok()
        c.start().ok()
        wait_until(lambda: c.read_stderr().endswith("\n"))
        return dict(json.loads(c.read_stderr()))
    c.run_detached()
    options = ("--user", "user:user", "--additional-gids", "7", "--cap", "CAP_KILL")
    said = c.exec("/bin/true", options=options).stderr
    return dict(json.loads(said))


@pytest.mark.smoke
@pytest.mark.parametrize("command", ["create", "exec"])
def test_the_process_before_it_becomes_the_program(
    container: MakeContainer, telling: Path, command: str
) -> None:
    told = tell(container, telling, command)
    assert told["modules"] == [], "P1: imported after the seal"
    assert told["path"] == [], "P1: where imports are looked for"
    assert told["gc"] is False, "P5: a collection may run finalizers of main's"
    assert told["threads"] == 1, "P5"
    assert told["files"] == [], "P5: file objects, which close a number that means another file"
    # LC_CTYPE the interpreter may set for itself (PEP 538).
    assert set(told["environment"]) - {"LC_CTYPE"} == {"PATH", *MARKS}, (
        "P4, P17: the caller's, never the container's"
    )
    mapped = {line.split()[-1] for line in told["maps"].splitlines() if len(line.split()) > 5}
    assert not any("hostile" in path for path in mapped), "P17"
    assert not any(path.endswith("libnss_files.so.2") for path in mapped), "P1: NSS"


def test_no_file_is_opened_for_code_after_pivot_root(
    pyoci: Path, container: MakeContainer, tmp_path: Path
) -> None:
    """Not even to word a failure, whatever the interpreter has lazily (P1, P9)."""
    c = container("/no/such/program", mutate=add_copied_tmpfs, **EVERYTHING)
    trace = tmp_path / "trace"
    calls = "trace=open,openat,openat2,pivot_root"
    command = ["strace", "-f", "-o", str(trace), "-e", calls, *c.program, "create"]
    done = c.run_command([*command, "--bundle", str(c.bundle.path), c.id])
    done.failed("no such file or directory")
    lines = trace.read_text().splitlines()
    (pivot,) = [line for line in lines if " pivot_root(" in line]
    init = pivot.split()[0]
    after = [line for line in lines[lines.index(pivot) :] if line.split()[0] == init]
    paths = [line.split('"')[1] for line in after if '"' in line]
    assert paths, "init opens passwd and others"
    suffixes = (".py", ".pyc", ".so", ".code", ".so.2", ".so.6", "locale-archive", "nsswitch.conf")
    assert [path for path in paths if path.endswith(suffixes)] == []


# --- P6: signals

LIBRARYS_SIGNALS = (32, 33)  # which no C library lets a program set
SIG_IGN = 1


def ignore_everything() -> None:
    """As a careless caller: all that can be ignored is, even what the C library keeps."""
    for settable in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(settable, signal.SIG_IGN)
    call = SYSCALLS[platform.machine()]["rt_sigaction"]
    action = ctypes.create_string_buffer(SIG_IGN.to_bytes(8, "little") + bytes(24))
    for number in LIBRARYS_SIGNALS:
        assert ctypes.CDLL(None).syscall(call, number, action, None, 8) == 0
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def read_signals(text: str) -> set[int]:
    lines = [line.split(":\t") for line in text.splitlines()]
    return {int(value, 16) for name, value in lines if name in ("SigBlk", "SigIgn", "SigCgt")}


def test_p6_the_caller_would_leave_all_ignored() -> None:
    """The reason for the next: if this fails, it proves nothing."""
    command = ["grep", "SigIgn", "/proc/self/status"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, preexec_fn=ignore_everything
    )
    assert int(done.stdout.split()[1], 16) & 0b11 << 31 == 0b11 << 31


@pytest.mark.smoke
def test_p6_a_program_has_the_default_signals(pyoci: Path, container: MakeContainer) -> None:
    c = container("cat", "/proc/self/status")
    done = c.run(preexec_fn=ignore_everything).ok()
    assert read_signals(done.stdout) == {0}


def test_p6_so_has_one_of_exec(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    done = c.exec("cat", "/proc/self/status", preexec_fn=ignore_everything).ok()
    assert read_signals(done.stdout) == {0}


@pytest.mark.parametrize("kind", ["createRuntime", "poststart", "poststop"])
def test_p6_hooks_of_a_caller_that_waits_for_nobody(
    pyoci: Path, container: MakeContainer, kind: str
) -> None:
    """With SIGCHLD ignored the kernel reaps children at once, and their status is lost."""
    good, bad = {"path": "/bin/true"}, {"path": "/bin/false"}
    c = container("true", hooks={kind: [good, bad]})
    done = c.run(preexec_fn=ignore_everything)
    if kind == "poststop":  # it only warns
        done.ok()
    else:
        done.failed(f"error running {kind} hook #1")
    c.assert_gone()


def test_p6_an_interrupted_create_says_nothing_and_leaves_nothing(
    pyoci: Path, container: MakeContainer, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    script = f"touch {ready}; exec sleep 1000"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}
    c = container("true", hooks={"createRuntime": [hook]})
    with c.stderr_path.open("wb") as stderr:
        process = c.spawn("create", "--bundle", str(c.bundle.path), c.id, stderr=stderr)
    wait_until(ready.exists)
    process.send_signal(signal.SIGINT)
    assert (process.wait(), c.read_stderr()) == (130, "")
    c.assert_gone()


# --- P9: uncaught exceptions

ODD = {
    "long": 'raise ValueError("x" * 10**6)',
    "lines": 'raise ValueError("one\\ntwo\\x1b[31m\\0 \\ud800")',
    "bytes": 'raise ValueError(b"\\xff\\xfe".decode("utf-8", "surrogateescape"))',
    "endless": "return find_program(name, search_path)",
    "memory": "raise MemoryError",
    "interrupt": "raise KeyboardInterrupt",
    "exit": "raise SystemExit(0)",
    "generator": "raise GeneratorExit",
    "no words": (
        "class Bad(Exception):\n        def __str__(self):\n            raise self\n    raise Bad"
    ),
    "ends": "posix._exit(0)",
    "killed": "posix.kill(posix.getpid(), 9)",
    "aborts": "posix.abort()",
}


@pytest.mark.parametrize("command", ["run", "create", "exec"])
@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_p9_whatever_happens_in_the_process_is_one_line(
    pyoci: Path, container: MakeContainer, tmp_path: Path, body: str, command: str
) -> None:
    addition = f"\n\ndef find_program(name, search_path):\n    {body}\n"
    odd = build_variant(pyoci, tmp_path / "odd", {"engine/execute": addition})
    c = container("sleep", "1000")
    if command == "exec":
        c.run_detached().ok()
    c.runtime = odd
    if command == "exec":
        done = c.exec("true")
        assert done.rc == 255
        assert c.status == "running"
    else:
        done = c.run() if command == "run" else c.create()
        assert done.rc == 1
        c.assert_gone()
    assert 1 <= len(done.stderr.splitlines()) <= 2
    assert done.stderr.startswith(f"pyoci: {command} {c.id}: ")
    assert len(done.stderr) < 10_000
    assert "Traceback" not in done.stderr
    assert done.stderr.removesuffix("\n").replace("\n", "").isprintable()


# --- P16: what we change for ourselves

ATTRIBUTES = ("limits", "timerslack_ns", "coredump_filter", "personality", "oom_score_adj")


def test_p16_the_program_has_the_callers_attributes(pyoci: Path, container: MakeContainer) -> None:
    """But for those that the config sets, and none of ours."""
    script = f"for name in {' '.join(ATTRIBUTES)}; do cat /proc/self/$name; done; ulimit -l"

    def limit() -> None:
        hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        wanted = 64 << 10 if hard == resource.RLIM_INFINITY else min(64 << 10, hard)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (wanted, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 1 << 20))
        Path("/proc/self/coredump_filter").write_text("0x1")

    config = {"process": {"rlimits": [], "args": ["sh", "-c", script]}}
    c = container(mutate=lambda made: made["process"].update(config["process"]))
    found = c.run(preexec_fn=limit).ok().stdout
    own = subprocess.run(
        ["/bin/busybox", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limit,
    )
    assert "200" in own.stdout
    assert found.splitlines() == own.stdout.splitlines()
    c.bundle.config["process"]["args"] = ["sleep", "1000"]
    c.bundle.write()
    c.run_detached(preexec_fn=limit).ok()
    again = c.exec("sh", "-c", script, preexec_fn=limit).ok().stdout
    assert again.splitlines() == own.stdout.splitlines()


# --- P17: the container's environment


@pytest.mark.parametrize("word", ["LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME"])
def test_p17_we_never_run_with_the_containers_environment(
    pyoci: Path, container: MakeContainer, word: str
) -> None:
    c = container("sleep", "1000", process={"env": ["PATH=/bin", f"{word}=/hostile"]})
    c.create().ok()
    assert word.encode() not in Path(f"/proc/{c.pid}/environ").read_bytes()
    c.start().ok()
    wait_until(lambda: word.encode() in Path(f"/proc/{c.pid}/environ").read_bytes())
