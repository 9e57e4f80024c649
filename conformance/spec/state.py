"""runtime.md: the state that the state operation returns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.case import Case


@statement("runtime.md/state/schema", "the state holds the required properties, of the right types")
def state_follows_schema(case: Case) -> None:
    state = case.container().created().state()
    wanted = {"ociVersion": str, "id": str, "status": str, "pid": int, "bundle": str}
    for key, kind in wanted.items():
        value = state.get(key)
        expect(isinstance(value, kind), f"{key} is {value!r}, wanted a {kind.__name__}")
    annotations = state.get("annotations") or {}
    expect(isinstance(annotations, dict), f"annotations are {annotations!r}")


@statement("runtime.md/state/ociVersion", "ociVersion is a version of the specification")
def state_has_version(case: Case) -> None:
    version = str(case.container().created().state().get("ociVersion"))
    numbers = version.split("-", maxsplit=1)[0].split("+", maxsplit=1)[0].split(".")
    expect(len(numbers) == 3 and all(n.isdigit() for n in numbers), f"ociVersion is {version!r}")


@statement("runtime.md/state/id", "id is the container's id")
def state_has_id(case: Case) -> None:
    container = case.container().created()
    expect_equal(container.state().get("id"), container.id, "id")


@statement(
    "runtime.md/state/bundle", "bundle is the absolute path, also where create got a relative one"
)
def state_has_absolute_bundle(case: Case) -> None:
    container = case.container()
    container.bundle.write()
    relative = container.bundle.path.name
    done = case.runtime.call("create", "--bundle", relative, container.id, cwd=case.directory)
    expect(done.ok, f"create with a relative bundle path failed: {done.brief}")
    container.exists = True
    expect_equal(container.state().get("bundle"), str(container.bundle.path), "bundle")


@statement("runtime.md/state/annotations", "annotations are those of the config")
def state_has_annotations(case: Case) -> None:
    bundle = case.bundle()
    bundle.config["annotations"] = {"com.example.key": "value", "com.example.empty": ""}
    state = case.container(bundle).created().state()
    expect_equal(state.get("annotations"), bundle.config["annotations"], "annotations")


@statement("runtime.md/state/no-annotations", "without annotations the property is absent or empty")
def state_without_annotations(case: Case) -> None:
    state = case.container().created().state()
    expect(state.get("annotations", {}) == {}, f"annotations are {state.get('annotations')!r}")


@statement("runtime.md/state/status-created", "after create the status is created")
def status_is_created(case: Case) -> None:
    expect_equal(case.container().created().status, "created", "the status")


@statement("runtime.md/state/status-running", "while the program runs the status is running")
def status_is_running(case: Case) -> None:
    expect_equal(case.blocked().status, "running", "the status")


@statement("runtime.md/state/status-stopped", "once the process has exited the status is stopped")
def status_is_stopped(case: Case) -> None:
    expect_equal(case.stopped().status, "stopped", "the status")


@statement("runtime.md/state/status-killed", "a container killed while created is stopped")
def status_after_kill(case: Case) -> None:
    container = case.container().created()
    os.kill(container.pid, 9)
    expect_equal(container.wait().status, "stopped", "the status")


def names_process(pid: int, rootfs: Path) -> bool:
    """True if `pid` is a process whose root is the container's."""
    return os.path.samefile(f"/proc/{pid}/root/probe", rootfs / "probe")


@statement("runtime.md/state/pid-created", "pid is the container process while created")
def pid_while_created(case: Case) -> None:
    container = case.container().created()
    expect(names_process(container.pid, container.bundle.rootfs), "pid is another process")


@statement("runtime.md/state/pid-running", "pid is the container process while running")
def pid_while_running(case: Case) -> None:
    container = case.blocked()
    expect(names_process(container.pid, container.bundle.rootfs), "pid is another process")
    command = Path(f"/proc/{container.pid}/cmdline").read_bytes()
    expect_equal(command, b"/probe\0block\0", "the command line of pid")


@statement("runtime.md/query-state/no-id", "state without an id is an error")
def state_needs_id(case: Case) -> None:
    expect(not case.runtime.call("state").ok, "state without an id succeeded")


@statement("runtime.md/query-state/missing", "state of a container that does not exist is an error")
def state_of_missing(case: Case) -> None:
    expect(case.container().status is None, "state of a missing container succeeded")


@statement("runtime.md/scope/other-container", "operations on one container leave others alone")
def containers_are_apart(case: Case) -> None:
    first, second = case.blocked(), case.container().created()
    pid = first.pid
    second.kill("KILL")
    second.wait().deleted()
    seen: tuple[Any, ...] = (first.status, first.pid)
    expect_equal(seen, ("running", pid), "the other container")
