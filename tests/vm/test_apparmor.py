"""AppArmor for real: profiles that the kernel enforces on what create, run and exec start."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, wait_until

# Everything is allowed but for a file: what is tested is whether the profile is there at all.
RULES = """
    file, capability, network, mount, umount, pivot_root, signal, ptrace, unix, change_profile,
    deny {denied} rwklx,
"""
# Which profile, and whether it binds.
LOOK = "cat /proc/self/attr/current; cat /file 2>/dev/null || echo denied"
ALL_IDS = [{"containerID": 0, "hostID": 0, "size": 65536}]
USER_NAMESPACE = {"uidMappings": ALL_IDS, "gidMappings": ALL_IDS}
PODMAN = re.compile("`/proc/[a-z0-9-].+/attr.*/exec`")

Load = Callable[..., str]


def parser(option: str, text: str) -> None:
    subprocess.run(
        ["apparmor_parser", option, "--skip-cache"], input=text, text=True, check=True,
        capture_output=True,
    )  # fmt: skip


@pytest.fixture
def load(test_name: str) -> Iterator[Load]:
    """Loads a profile: load("inner", flags="complain", denied="/x"); gives its name."""
    loaded: list[str] = []

    def load(name: str, flags: str = "attach_disconnected", denied: str = "/file") -> str:
        attachment = f" {name}" if name.startswith("/") else ""
        full = f"{test_name}-{name.rpartition('/')[2]}"
        rules = RULES.replace("{denied}", denied)
        text = f"profile {full}{attachment} flags=({flags}) {{{rules}}}\n"
        parser("--add", text)
        loaded.append(text)
        return full

    yield load
    for text in loaded:
        parser("--remove", text)


def prepare(c: Container) -> Container:
    """The file that profiles refuse."""
    (c.bundle.rootfs / "file").write_text("told\n")
    (c.bundle.rootfs / "other").write_text("told\n")
    return c


def look(make: MakeContainer, profile: str, **overrides: Any) -> Container:  # noqa: ANN401
    """A container that tells its label, and whether it could read the file."""
    process = {"apparmorProfile": profile, **overrides.pop("process", {})}
    return prepare(make("sh", "-c", LOOK, process=process, **overrides))


@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_run(pyoci: Path, container: MakeContainer, load: Load, no_new_privileges: bool) -> None:
    name = load("p")
    c = look(container, name, process={"noNewPrivileges": no_new_privileges})
    assert c.run().ok().stdout == f"{name} (enforce)\ndenied\n"


def test_create_and_start(pyoci: Path, container: MakeContainer, load: Load) -> None:
    name = load("p")
    c = look(container, name)
    c.create().ok()
    c.start().ok()
    c.wait_status("stopped")
    assert c.read_stdout() == f"{name} (enforce)\ndenied\n"


def test_without_a_profile_nothing_binds(pyoci: Path, container: MakeContainer) -> None:
    assert look(container, "").run().ok().stdout == "unconfined\ntold\n"


def test_another_user_without_capabilities(
    pyoci: Path, container: MakeContainer, load: Load
) -> None:
    name = load("p")
    process = {"user": {"uid": 1000, "gid": 1000}, "capabilities": None}
    assert look(container, name, process=process).run().ok().stdout == f"{name} (enforce)\ndenied\n"


def test_complain(pyoci: Path, container: MakeContainer, load: Load) -> None:
    name = load("p", flags="complain", denied="/nothing")
    assert look(container, name).run().ok().stdout == f"{name} (complain)\ntold\n"


@pytest.mark.parametrize("kinds", [("user", "pid", "ipc", "network", "mount"), ("user", "mount")])
@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_a_user_namespace(
    pyoci: Path,
    container: MakeContainer,
    load: Load,
    kinds: tuple[str, ...],
    no_new_privileges: bool,
) -> None:
    """Also without a pid namespace, where the kernel gives a procfs of our own to nobody."""
    name = load("p")
    linux = {"namespaces": [{"type": kind} for kind in kinds], **USER_NAMESPACE}
    mounts = None
    if "pid" not in kinds:  # nor is there one for the container
        bind = {"type": "bind", "source": "/proc", "options": ["rbind"]}
        mounts = [{"destination": "/proc", **bind}]
        linux |= {"maskedPaths": None, "readonlyPaths": None}
    process = {"noNewPrivileges": no_new_privileges}
    members = {} if mounts is None else {"mounts": mounts}
    c = look(container, name, linux=linux, process=process, hostname=None, **members)
    assert c.run().ok().stdout == f"{name} (enforce)\ndenied\n"


def test_unconfined_keeps_profiles_off_that_wait_for_a_program(
    pyoci: Path, container: MakeContainer, load: Load
) -> None:
    name = load("/opt/waited-for")
    for profile, label in (("", f"{name} (enforce)"), ("unconfined", "unconfined")):
        c = prepare(container("/opt/waited-for", process={"apparmorProfile": profile or None}))
        c.bundle.add_script("/opt/waited-for", "#!/bin/sh\ncat /proc/self/attr/current\n")
        assert c.run().ok().stdout == f"{label}\n"


# --- exec


@pytest.fixture
def running(pyoci: Path, container: MakeContainer, load: Load) -> tuple[Container, str]:
    """A container under a profile."""
    name = load("p")
    c = prepare(container("sleep", "1000", process={"apparmorProfile": name}))
    c.run_detached().ok()
    return c, name


def test_exec_is_confined_as_the_container(running: tuple[Container, str]) -> None:
    c, name = running
    assert c.exec("sh", "-c", LOOK).ok().stdout == f"{name} (enforce)\ndenied\n"
    quiet = c.exec("sh", "-c", LOOK, options=("--no-new-privs", "--user", "1000"))
    assert quiet.ok().stdout == f"{name} (enforce)\ndenied\n"


def test_exec_with_another_profile(running: tuple[Container, str], load: Load) -> None:
    c, _ = running
    other = load("q", denied="/other")
    words = ("sh", "-c", LOOK)
    assert c.exec(*words, options=("--apparmor", other)).ok().stdout == f"{other} (enforce)\ntold\n"
    free = c.exec(*words, options=("--apparmor", "unconfined"))
    assert free.ok().stdout == "unconfined\ntold\n"


@pytest.mark.parametrize("own", [False, True])
def test_exec_of_a_process_file(
    running: tuple[Container, str],
    load: Load,
    tmp_path: Path,
    own: bool,
) -> None:
    """What the file says, or else what the container has."""
    c, name = running
    other = load("q", denied="/other")
    process = {"args": ["sh", "-c", LOOK], "cwd": "/", "env": ["PATH=/bin"]}
    if own:
        process["apparmorProfile"] = other
    file = tmp_path / "process.json"
    file.write_text(json.dumps(process))
    said = c.call("exec", "--process", str(file), c.id).ok().stdout
    assert said == (f"{other} (enforce)\ntold\n" if own else f"{name} (enforce)\ndenied\n")


def test_exec_with_a_profile_that_is_not_loaded(running: tuple[Container, str]) -> None:
    c, _ = running
    failed = c.exec("true", options=("--apparmor", "no-such-profile"), timeout=60)
    failed.failed("the profile no-such-profile is not loaded", rc=255)
    assert PODMAN.search(failed.stderr)


# --- hooks


def test_hooks(pyoci: Path, container: MakeContainer, load: Load, tmp_path: Path) -> None:
    """Those of the host's side are the host's programs; the container's is confined."""
    name = load("p")
    written = {kind: tmp_path / kind for kind in ("createRuntime", "createContainer")}
    script = "cat /proc/self/attr/current >"
    hooks: dict[str, Any] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"{script} {path}"], "env": ["PATH=/bin"]}]
        for kind, path in written.items()
    }
    inner = ["sh", "-c", f"{script} /tmp/start; cat /file || echo denied >> /tmp/start"]
    hooks["startContainer"] = [{"path": "/bin/sh", "args": inner}]
    c = look(container, name, hooks=hooks, root={"readonly": False})
    c.run_detached().ok()
    c.wait_status("stopped")
    assert {kind: path.read_text() for kind, path in written.items()} == dict.fromkeys(
        written, "unconfined\n"
    )
    started = (c.bundle.rootfs / "tmp" / "start").read_text()
    assert started == f"{name} (enforce)\ndenied\n"
    assert c.read_stdout() == f"{name} (enforce)\ndenied\n"


# --- pyoci under a profile itself


def run_confined(c: Container, profile: str) -> Any:  # noqa: ANN401
    words = ("run", "--bundle", str(c.bundle.path), c.id)
    return c.run_command(["aa-exec", "-p", profile, "--", *c.program, *words])


def test_no_new_privileges_adds_to_the_profile_of_ours(
    pyoci: Path, container: MakeContainer, load: Load
) -> None:
    """The kernel takes no other; with both no more is allowed than before."""
    outer, inner = load("outer", denied="/nothing"), load("inner")
    c = look(container, inner, process={"noNewPrivileges": True})
    label, read = run_confined(c, outer).ok().stdout.splitlines()
    assert set(label.removesuffix(" (enforce)").split("//&")) == {outer, inner}
    assert read == "denied"


def test_otherwise_it_takes_its_place(pyoci: Path, container: MakeContainer, load: Load) -> None:
    outer, inner = load("outer"), load("inner", denied="/other")
    c = look(container, inner, process={"noNewPrivileges": False})
    assert run_confined(c, outer).ok().stdout == f"{inner} (enforce)\ntold\n"


def test_unconfined_is_refused_where_it_cannot_be(
    pyoci: Path, container: MakeContainer, load: Load
) -> None:
    outer = load("outer")
    c = look(container, "unconfined", process={"noNewPrivileges": True})
    run_confined(c, outer).failed("EPERM (operation not permitted)")


# --- what cannot be


def test_a_profile_that_is_not_loaded(pyoci: Path, container: MakeContainer) -> None:
    c = look(container, "no-such-profile")
    failed = c.create().failed(
        "init: apply AppArmor profile no-such-profile",
        "the profile no-such-profile is not loaded",
        "(process.apparmorProfile)",
        "apparmor_parser -r",
    )
    assert PODMAN.search(failed.stderr)
    # Podman and Docker would take these words for a program that is missing.
    assert "no such file or directory" not in failed.stderr
    c.assert_gone()


def test_a_false_procfs_is_not_written_to(
    pyoci: Path, container: MakeContainer, load: Load, tmp_path: Path
) -> None:
    """R-PROC-2, R-PROC-3: /proc of a mount namespace that is joined may be anybody's."""
    name = load("p")
    log = tmp_path / "ready"
    fake = "/proc/thread-self/attr/apparmor"
    script = f"mount -t tmpfs none /proc && mkdir -p {fake} && touch {fake}/exec && echo >{log}"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    with subprocess.Popen(
        [*command, f"{script}; read line; exec cat {fake}/exec"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        wait_until(log.exists)
        namespaces = [{"type": "mount", "path": f"/proc/{owner.pid}/ns/mnt"}, {"type": "pid"}]
        c = look(container, name, linux={"namespaces": namespaces}, hostname=None)
        said = c.run()
        written, _ = owner.communicate(b"\n")
    assert said.ok().stdout == f"{name} (enforce)\ndenied\n"
    assert written == b""
