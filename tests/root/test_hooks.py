"""The six hooks: when, where and with what they run, and what their failure does.

config.md, "POSIX-platform Hooks"; runtime.md, "Lifecycle".
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, wait_exit, wait_until

KINDS = (
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)
OF_CREATE = KINDS[:3]
IN_CONTAINER = ("createContainer", "startContainer")
STATUS = {
    "prestart": ("creating", "created"),  # it is older than `creating`
    "createRuntime": ("creating",),
    "createContainer": ("creating",),
    "startContainer": ("created",),
    "poststart": ("running",),
    "poststop": ("stopped",),
}

Hook = dict[str, Any]


def sh(script: str, **members: Any) -> Hook:  # noqa: ANN401
    """A hook on the host that runs this script."""
    path = {"PATH": os.environ["PATH"]}
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": [f"PATH={path['PATH']}"]}
    return {name: value for name, value in (hook | members).items() if value is not None}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file that hooks write to, wherever they run: it is bound into the container."""
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def hooked(container: MakeContainer, notes: Path) -> Any:  # noqa: ANN401
    """Makes a container with these hooks; /notes inside is `notes`."""

    def make(*args: str, **hooks: list[Hook]) -> Container:
        def add_notes(config: dict[str, Any]) -> None:
            mount = {"destination": "/notes", "type": "bind", "source": str(notes)}
            config["mounts"].append(mount | {"options": ["bind"]})

        c = container(*(args or ("true",)), hooks=hooks, mutate=add_notes)
        (c.bundle.rootfs / "notes").touch()
        return c

    return make


def place(kind: str, notes: Path) -> str:
    """How a hook of this kind names the file: only startContainer's see the container's root."""
    return "/notes" if kind == "startContainer" else str(notes)


def note(kind: str, notes: Path, text: str) -> Hook:
    return sh(f"echo {text} >>{place(kind, notes)}")


def live(c: Container) -> None:
    """Create, start, wait for its end, delete."""
    c.create().ok()
    pid = c.pid
    c.start().ok()
    wait_exit(pid)
    c.delete().ok()


# --- when


@pytest.mark.smoke
def test_hooks_run_in_order(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    hooks = {kind: [note(kind, notes, f"{kind}-{n}") for n in (0, 1)] for kind in KINDS}
    c = hooked("sh", "-c", "echo program >>/notes", **hooks)
    c.create().ok()
    created = [f"{kind}-{n}" for kind in OF_CREATE for n in (0, 1)]
    assert notes.read_text().split() == created
    pid = c.pid
    c.start().ok()
    wait_exit(pid)
    lines = notes.read_text().split()[len(created) :]
    assert lines[:2] == ["startContainer-0", "startContainer-1"]
    # Those of poststart run beside the program.
    assert [line for line in lines[2:] if line != "program"] == ["poststart-0", "poststart-1"]
    assert "program" in lines[2:]
    before = len(notes.read_text().split())
    c.delete().ok()
    assert notes.read_text().split()[before:] == ["poststop-0", "poststop-1"]
    c.assert_gone()


def test_run_runs_all_of_them(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    hooks = {kind: [note(kind, notes, kind)] for kind in KINDS}
    c = hooked("true", **hooks)
    c.run().ok()
    assert notes.read_text().split() == list(KINDS)
    c.assert_gone()


def test_poststart_runs_once_the_program_does(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    script = f"cat /proc/$(cat {notes}.pid)/cmdline | tr '\\0' ' ' >{notes}"
    c = hooked("sleep", "1000", poststart=[sh(script)])
    c.create("--pid-file", f"{notes}.pid").ok()
    c.start().ok()
    assert notes.read_text() == "sleep 1000 "


def test_poststop_runs_when_nothing_is_left(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    c = hooked("true")
    script = f"for d in {c.cgroup} {c.state_directory}; do test -e $d || echo gone >>{notes}; done"
    c.bundle.config["hooks"] = {"poststop": [sh(script)]}
    c.bundle.write()
    live(c)
    assert notes.read_text() == "gone\ngone\n"


# --- where, and with what


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_gets_the_state(hooked: Any, notes: Path, kind: str) -> None:  # noqa: ANN401
    hook = sh(f"cat >{place(kind, notes)}")
    c = hooked("true", **{kind: [hook]})
    c.bundle.config["annotations"] = {"org.example.key": "value"}
    c.bundle.write()
    c.create().ok()
    pid = c.pid
    c.start().ok()
    wait_exit(pid)
    c.delete().ok()
    state = json.loads(notes.read_text())
    assert state["id"] == c.id
    assert state["bundle"] == str(c.bundle.path)
    assert state["annotations"] == {"org.example.key": "value"}
    assert state["status"] in STATUS[kind]
    assert state["ociVersion"]
    # Inside, init is process 1; a stopped container has none.
    expected = {"poststop": 0, "createContainer": 1, "startContainer": 1}.get(kind, pid)
    assert state.get("pid", 0) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_runs_in_the_namespaces_of_its_kind(
    hooked: Any,  # noqa: ANN401
    notes: Path,
    kind: str,
) -> None:
    hook = sh(f"readlink /proc/self/ns/mnt >{place(kind, notes)}")
    live(hooked("true", **{kind: [hook]}))
    outside = os.readlink("/proc/self/ns/mnt")
    assert (notes.read_text().strip() != outside) == (kind in IN_CONTAINER)


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_the_path_of_a_hook_is_the_hosts_before_pivot_root(
    hooked: Any,  # noqa: ANN401
    notes: Path,
    kind: str,
) -> None:
    hook = sh(f"test -e {notes} && echo found >{notes}")
    live(hooked("true", **{kind: [hook]}))
    assert notes.read_text() == "found\n"


@pytest.mark.parametrize("kind", ["createRuntime", "poststart", "poststop"])
def test_hooks_of_the_host_run_in_the_bundle(
    pyoci: Path,
    hooked: Any,  # noqa: ANN401
    notes: Path,
    kind: str,
) -> None:
    c = hooked("true", **{kind: [sh(f"pwd >{notes}")]})
    live(c)
    assert notes.read_text().strip() == str(c.bundle.path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_environment_of_a_hook_is_its_own(
    hooked: Any,  # noqa: ANN401
    notes: Path,
    kind: str,
) -> None:
    env = ["ONE=1", "TWO=a=b", "ONE=last"]
    hook = sh(f"cat /proc/self/environ >{place(kind, notes)}", env=[*env, "PATH=/bin:/usr/bin"])
    c = hooked("true", **{kind: [hook]})
    c.environment["SECRET"] = "of the caller"  # noqa: S105
    live(c)
    found = {entry for entry in notes.read_text().split("\0") if entry[:3] in ("ONE", "TWO", "SEC")}
    assert found == {"ONE=last", "TWO=a=b"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_without_environment_gets_nothing_of_the_callers(
    pyoci: Path,
    hooked: Any,  # noqa: ANN401
    notes: Path,
    kind: str,
) -> None:
    hook = sh(f"/bin/cat /proc/self/environ >{place(kind, notes)}", env=None)
    c = hooked("true", **{kind: [hook]})
    c.environment["SECRET"] = "of the caller"  # noqa: S105
    live(c)
    assert "SECRET" not in notes.read_text()


def test_the_arguments_of_a_hook_are_its_own(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    script = f"tr '\\0' '|' </proc/$$/cmdline >{notes}"
    hook = sh(script) | {"args": ["a name", "-c", script, "x", "", "y z"]}
    live(hooked("true", createRuntime=[hook]))
    assert notes.read_text() == f"a name|-c|{script}|x||y z|"


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "poststart", "poststop"])
def test_a_hook_inherits_no_descriptor(
    hooked: Any,  # noqa: ANN401
    notes: Path,
    kind: str,
) -> None:
    c = hooked("true", **{kind: [sh(f"ls /proc/self/fd >{notes}")]})
    read_fd, write_fd = os.pipe()
    os.set_inheritable(write_fd, True)
    c.create(pass_fds=[write_fd]).ok()
    pid = c.pid
    c.start(pass_fds=[write_fd]).ok()
    wait_exit(pid)
    c.delete(pass_fds=[write_fd]).ok()
    os.close(read_fd)
    os.close(write_fd)
    assert notes.read_text().split() == ["0", "1", "2", "3"]  # the last is the listed directory


def test_a_hook_has_default_signals(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    c = hooked("true", createRuntime=[sh(f"grep Sig /proc/self/status >{notes}")])
    c.run().ok()
    found = dict(line.split(":\t") for line in notes.read_text().splitlines())
    assert int(found["SigBlk"], 16) == 0
    # 32 and 33 are the C library's own: its posix_spawn(3) ignores them for the child.
    assert int(found["SigIgn"], 16) & ~(3 << 31) == 0


# --- stdin, stdout, stderr


@pytest.mark.parametrize("script", ["true", "exec <&-; true", "head -c 1 >/dev/null"])
def test_a_hook_need_not_read_the_state(hooked: Any, script: str) -> None:  # noqa: ANN401
    c = hooked("echo", "ran", createRuntime=[sh(script)])
    c.bundle.config["annotations"] = {"org.example.much": "x" * 300_000}  # more than a pipe holds
    c.bundle.write()
    done = c.run()
    assert (done.rc, done.stdout, done.stderr) == (0, "ran\n", "")


def test_the_output_of_a_hook_stays_out_of_ours(hooked: Any) -> None:  # noqa: ANN401
    c = hooked("true", createRuntime=[sh("echo out; echo err >&2; head -c 300000 /dev/zero")])
    assert c.run().ok().stdout == ""


def test_a_grandchild_that_keeps_the_pipes_holds_nobody_up(
    hooked: Any,  # noqa: ANN401
    notes: Path,
) -> None:
    c = hooked("true", createRuntime=[sh(f"sleep 1000 & echo $! >{notes}")])
    c.run().ok()
    orphan = int(notes.read_text())
    os.kill(orphan, 9)
    wait_exit(orphan)
    c.assert_gone()


# --- failure

FAIL = "echo some output; echo some error >&2; exit 7"


@pytest.mark.smoke
@pytest.mark.parametrize("kind", OF_CREATE)
def test_create_fails_with_its_hooks(hooked: Any, notes: Path, kind: str) -> None:  # noqa: ANN401
    hooks = {kind: [note(kind, notes, "first"), sh(FAIL), note(kind, notes, "third")]}
    c = hooked("sh", "-c", "echo program >>/notes", **hooks)
    c.create().failed(
        f"error running {kind} hook #1: exit status 7, stdout: some output, stderr: some error"
    )
    assert notes.read_text() == "first\n"
    c.assert_gone()


@pytest.mark.parametrize("kind", [*OF_CREATE, "startContainer"])
def test_run_fails_with_hooks_too(hooked: Any, notes: Path, kind: str) -> None:  # noqa: ANN401
    c = hooked("sh", "-c", "echo program >>/notes", **{kind: [sh(FAIL)]})
    c.run().failed(f"error running {kind} hook #0: exit status 7")
    assert notes.read_text() == ""
    c.assert_gone()


def test_poststop_follows_a_create_that_failed_in_a_hook(
    pyoci: Path,
    hooked: Any,  # noqa: ANN401
    notes: Path,
) -> None:
    hooks = {"createRuntime": [sh(FAIL)], "poststop": [note("poststop", notes, "poststop")]}
    hooked("true", **hooks).create().failed("createRuntime")
    assert notes.read_text() == "poststop\n"


def test_a_failing_start_hook_destroys_the_container(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    c = hooked("sh", "-c", "echo program >>/notes", startContainer=[sh(FAIL)])
    c.create().ok()
    pid = c.pid
    c.start().failed("error running startContainer hook #0: exit status 7", "some error")
    wait_exit(pid)
    assert notes.read_text() == ""
    c.assert_gone()


def test_a_failing_poststart_hook_destroys_the_container(
    pyoci: Path,
    hooked: Any,  # noqa: ANN401
) -> None:
    c = hooked("sleep", "1000", poststart=[sh(FAIL)])
    c.create().ok()
    pid = c.pid
    c.start().failed("error running poststart hook #0: exit status 7")
    wait_exit(pid)
    c.assert_gone()
    c.run().failed("error running poststart hook #0")
    c.assert_gone()


def test_a_failing_poststop_hook_is_only_logged(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    hooks = {"poststop": [sh(FAIL), note("poststop", notes, "second")]}
    c = hooked("true", **hooks)
    c.create().ok()
    c.call("--log", str(c.log_path), "delete", c.id).ok()
    assert "hook #0: exit status 7" in c.log_path.read_text()
    assert notes.read_text() == "second\n"
    c.assert_gone()


@pytest.mark.parametrize(
    ("hook", "text"),
    [
        ({"path": "/no/such/hook"}, "/no/such/hook: ENOENT (no such file or directory)"),
        ({"path": "/etc/passwd"}, "/etc/passwd: EACCES (permission denied)"),
        (sh("kill -9 $$"), "signal 9"),
    ],
    ids=["missing", "not executable", "killed"],
)
def test_a_hook_that_does_not_run_fails(pyoci: Path, hooked: Any, hook: Hook, text: str) -> None:  # noqa: ANN401
    c = hooked("true", createRuntime=[hook])
    c.create().failed(f"error running createRuntime hook #0: {text}")
    c.assert_gone()


@pytest.mark.parametrize("path", ["relative", "", "./x"])
def test_the_path_of_a_hook_must_be_absolute(hooked: Any, path: str) -> None:  # noqa: ANN401
    c = hooked("true", poststop=[{"path": path}])
    c.create().failed("hooks.poststop[0].path")
    c.assert_gone()


# --- the time limit


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer"])
def test_a_hook_that_takes_too_long_is_killed_with_all_it_started(
    hooked: Any,  # noqa: ANN401
    notes: Path,
    kind: str,
) -> None:
    script = f"sleep 1000 & echo $! >{place(kind, notes)}; sleep 1000"
    c = hooked("true", **{kind: [sh(script, timeout=1)]})
    c.run().failed(f"error running {kind} hook #0", "hook ran past specified timeout of 1.0s")
    if kind == "createRuntime":  # the others have pids of the container, and end with it
        grandchild = int(notes.read_text())
        wait_exit(grandchild)
    c.assert_gone()


def test_a_hook_within_its_time_is_left_alone(hooked: Any) -> None:  # noqa: ANN401
    c = hooked("true", createRuntime=[sh("cat >/dev/null", timeout=60)])
    c.run().ok()


# --- a hook that uses the runtime


@pytest.mark.parametrize("kind", ["createRuntime", "poststart"])
def test_a_hook_may_ask_for_the_state(hooked: Any, notes: Path, kind: str) -> None:  # noqa: ANN401
    c = hooked("sleep", "1000")
    words = " ".join([*c.program, "state", c.id])
    c.bundle.config["hooks"] = {kind: [sh(f"{words} >{notes} 2>&1")]}
    c.bundle.write()
    c.create().ok()
    c.start().ok()
    assert json.loads(notes.read_text())["status"] in STATUS[kind]


def test_a_poststart_hook_may_kill_and_another_delete(hooked: Any, notes: Path) -> None:  # noqa: ANN401
    c = hooked("sleep", "1000")
    program = " ".join(c.program)
    script = f"{program} kill {c.id} KILL; {program} delete --force {c.id}"
    c.bundle.config["hooks"] = {"poststart": [sh(f"({script}) >{notes} 2>&1")]}
    c.bundle.write()
    c.create().ok()
    c.start().ok()
    assert notes.read_text() == ""
    c.assert_gone()


def test_a_container_can_be_deleted_while_a_hook_of_create_runs(
    pyoci: Path,
    hooked: Any,  # noqa: ANN401
    notes: Path,
) -> None:
    c = hooked("true", createRuntime=[sh(f"echo $$ >{notes}; exec sleep 1000")])
    words = ("create", "--bundle", str(c.bundle.path), c.id)
    process = c.spawn(*words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until(notes.read_text)
    assert c.status == "creating"
    c.start().failed("cannot start a container in the creating state")
    c.kill("KILL").failed("cannot kill a container in the creating state")
    c.delete().failed("that is not stopped: creating")
    c.delete("--force").ok()
    os.kill(int(notes.read_text()), 9)
    assert process.stderr is not None
    message = process.stderr.read().decode()
    assert process.wait() == 1
    assert len(message.splitlines()) == 1, message
    c.assert_gone()
