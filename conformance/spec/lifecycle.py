"""runtime.md: what create, start, kill and delete do to a container, and when they must refuse."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec import host
from conformance.spec.report import parse_mountinfo
from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.case import Case


@statement("runtime.md/create/new-container", "create makes a new container")
def create_makes_container(case: Case) -> None:
    container = case.container()
    expect(container.status is None, "the container exists before create")
    expect_equal(container.created().status, "created", "the status after create")


@statement("runtime.md/create/environment", "create applies the properties of config.json")
def create_applies_config(case: Case) -> None:
    bundle = case.bundle()
    bundle.mount("/mnt", "tmpfs", "tmpfs")
    pid = case.container(bundle).created().pid
    mounts = parse_mountinfo(Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8"))
    points = {mount.point for mount in mounts}
    expect({"/proc", "/dev", "/mnt"} <= points, f"mounted in a created container: {points}")
    for kind in ("pid", "net", "ipc", "uts", "mnt"):
        ours, theirs = (Path(f"/proc/{who}/ns/{kind}").readlink() for who in ("self", pid))
        expect(ours != theirs, f"a created container is in the runtime's {kind} namespace")


@statement("runtime.md/create/process-not-run", "create does not run the user's program")
def create_does_not_run(case: Case) -> None:
    container = case.container().created()
    expect(container.wrote_nothing(), "the program had run when create returned")
    expect_equal(container.status, "created", "the status")


@statement("runtime.md/create/config-changes", "config.json changed after create has no effect")
def config_changes_have_no_effect(case: Case) -> None:
    container = case.container().created()
    container.bundle.probe_args("changed")
    container.bundle.config["hostname"] = "changed"
    container.bundle.write()
    report = container.started().report()
    expect_equal(report["argv"], ["/probe"], "argv after config.json was changed")
    expect(report["hostname"] != "changed", "the changed host name was applied")


@statement("runtime.md/create/no-arguments", "create without an id is an error")
def create_needs_id(case: Case) -> None:
    bundle = case.bundle()
    bundle.write()
    done = case.runtime.call("create", "--bundle", str(bundle.path))
    expect(not done.ok, "create without an id succeeded")


@statement("runtime.md/create/no-bundle", "create without a bundle is an error")
def create_needs_bundle(case: Case) -> None:
    done = case.runtime.call("create", f"{case.token}-0", cwd=case.directory)
    expect(not done.ok, "create in a directory without config.json succeeded")


@statement(
    "runtime.md/create/used-id", "create with an id in use is an error, no container is made"
)
def create_refuses_used_id(case: Case) -> None:
    first = case.container().created()
    pid = first.pid
    done = case.runtime.call("create", "--bundle", str(first.bundle.path), first.id)
    expect(not done.ok, "a second create with the same id succeeded")
    expect_equal((first.status, first.pid), ("created", pid), "the first container afterwards")


@statement("runtime.md/create/used-id-stopped", "the id of a stopped container is still in use")
def create_refuses_id_of_stopped(case: Case) -> None:
    first = case.stopped()
    done = case.runtime.call("create", "--bundle", str(first.bundle.path), first.id)
    expect(not done.ok, "create with the id of a stopped container succeeded")
    expect_equal(first.status, "stopped", "the status of the first container")


@statement("runtime.md/create/invalid-id", "create with an invalid id is an error")
def create_refuses_invalid_id(case: Case) -> None:
    bundle = case.bundle()
    bundle.write()
    for container_id in ("", "..", f"../{case.token}", f"{case.token}/x"):
        done = case.runtime.call("create", "--bundle", str(bundle.path), container_id)
        if done.ok:
            case.runtime.call("delete", "--force", container_id)
        expect(not done.ok, f"create accepted the id {container_id!r}")


@statement(
    "runtime.md/create/cannot-apply", "create is an error where a property cannot be applied"
)
def create_refuses_what_it_cannot_apply(case: Case) -> None:
    bundle = case.bundle()
    bundle.mount("/mnt", "no-such-filesystem", "none")
    case.refuses(bundle, "an unknown filesystem type")


@statement("runtime.md/errors/bad-mount", "a failed create leaves things as they were: bad mount")
def failed_mount_leaves_nothing(case: Case) -> None:
    bundle = case.bundle()
    bundle.bind("/does/not/exist", "/mnt", "bind")
    case.refuses(bundle, "a bind mount without source")


@statement("runtime.md/errors/bad-sysctl", "a failed create leaves things as they were: bad sysctl")
def failed_sysctl_leaves_nothing(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["sysctl"] = {"net.core.no_such_file": "1"}
    case.refuses(bundle, "an unknown sysctl")


@statement("runtime.md/errors/bad-hook", "a failed create leaves things as they were: bad hook")
def failed_hook_leaves_nothing(case: Case) -> None:
    bundle = case.bundle()
    bundle.hook("createContainer", "exit=1")
    case.refuses(bundle, "a failing hook")


@statement("runtime.md/start/runs-program", "start runs the user's program")
def start_runs_program(case: Case) -> None:
    container = case.container().created().started()
    expect_equal(container.report()["argv"], ["/probe"], "argv")


@statement("runtime.md/start/no-id", "start without an id is an error")
def start_needs_id(case: Case) -> None:
    expect(not case.runtime.call("start").ok, "start without an id succeeded")


@statement("runtime.md/start/missing", "start of a container that does not exist is an error")
def start_of_missing(case: Case) -> None:
    expect(not case.container().start().ok, "start of a missing container succeeded")


@statement("runtime.md/start/running", "start of a running container is an error without effect")
def start_of_running(case: Case) -> None:
    container = case.blocked()
    pid = container.pid
    expect(not container.start().ok, "start of a running container succeeded")
    expect_equal((container.status, container.pid), ("running", pid), "the container afterwards")
    expect(container.wrote_nothing(), "the program ran again")


@statement("runtime.md/start/stopped", "start of a stopped container is an error without effect")
def start_of_stopped(case: Case) -> None:
    container = case.stopped()
    container.report()
    expect(not container.start().ok, "start of a stopped container succeeded")
    expect_equal(container.status, "stopped", "the status")
    expect(container.wrote_nothing(), "the program ran again")


@statement(
    "runtime.md/start/no-process", "a config without process can be created, start is an error"
)
def start_without_process(case: Case) -> None:
    bundle = case.bundle()
    del bundle.config["process"]
    container = case.container(bundle).created()
    expect(not container.start().ok, "start without process succeeded")


@statement("runtime.md/kill/no-id", "kill without an id is an error")
def kill_needs_id(case: Case) -> None:
    expect(not case.runtime.call("kill").ok, "kill without an id succeeded")


@statement("runtime.md/kill/missing", "kill of a container that does not exist is an error")
def kill_of_missing(case: Case) -> None:
    expect(not case.container().kill("KILL").ok, "kill of a missing container succeeded")


@statement("runtime.md/kill/stopped", "kill of a stopped container is an error without effect")
def kill_of_stopped(case: Case) -> None:
    container = case.stopped()
    expect(not container.kill("KILL").ok, "kill of a stopped container succeeded")
    expect_equal(container.status, "stopped", "the status")


@statement("runtime.md/kill/created", "kill sends the signal to a created container")
def kill_of_created(case: Case) -> None:
    container = case.container().created()
    done = container.kill("KILL")
    expect(done.ok, f"kill of a created container failed: {done.brief}")
    expect_equal(container.wait().status, "stopped", "the status")


def kill_with(name: str, number: int, word: str) -> None:
    @statement(f"runtime.md/kill/signal-{name}", f"kill sends the signal that it was given: {word}")
    def check(case: Case) -> None:
        container = case.blocked()
        done = container.kill(word)
        expect(done.ok, f"kill {word} failed: {done.brief}")
        expect_equal(container.report()["signal"], number, "the signal that arrived")


for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    kill_with(number.name.lower(), int(number), number.name)
kill_with("number-10", 10, "10")


@statement("runtime.md/delete/no-id", "delete without an id is an error")
def delete_needs_id(case: Case) -> None:
    expect(not case.runtime.call("delete").ok, "delete without an id succeeded")


@statement("runtime.md/delete/running", "delete of a running container is an error without effect")
def delete_of_running(case: Case) -> None:
    container = case.blocked()
    pid = container.pid
    expect(not container.delete().ok, "delete of a running container succeeded")
    expect_equal((container.status, container.pid), ("running", pid), "the container afterwards")


@statement("runtime.md/delete/created", "delete of a created container is an error without effect")
def delete_of_created(case: Case) -> None:
    container = case.container().created()
    expect(not container.delete().ok, "delete of a created container succeeded")
    expect_equal(container.status, "created", "the status")


@statement("runtime.md/delete/resources", "delete removes what create made, and the container")
def delete_removes_resources(case: Case) -> None:
    container = case.stopped().deleted()
    expect(container.status is None, "state knows the container after delete")
    left = host.leftovers(case.token, case.directory, case.runtime.root)
    expect(not left, f"left after delete: {', '.join(left)}")


@statement("runtime.md/delete/not-its-own", "delete removes nothing that create did not make")
def delete_keeps_others_resources(case: Case) -> None:
    bundle = case.bundle()
    held = Path(case.hold("net")) / "net"
    source = case.directory / "data"
    case.mount_tmpfs(source)
    (source / "file").write_text("kept", encoding="ascii")
    before = held.readlink()
    bundle.namespace("network", str(held))
    bundle.bind(source, "/mnt", "bind")
    case.observe(bundle)
    expect_equal((source / "file").read_text(encoding="ascii"), "kept", "the bind mount's source")
    expect(any(m.point == str(source) for m in host.own_mounts()), "the host's mount is gone")
    expect_equal(held.readlink(), before, "the joined namespace")
    expect((bundle.rootfs / "probe").exists(), "the root filesystem is gone")
    expect((bundle.path / "config.json").exists(), "config.json is gone")


@statement("runtime.md/delete/not-its-own-cgroup", "delete keeps a cgroup that create did not make")
def delete_keeps_others_cgroup(case: Case) -> None:
    bundle = case.bundle()
    made = [root / bundle.container_id for root in host.hierarchies()]
    for path in made:
        path.mkdir()
    case.observe(bundle)
    gone = [str(path) for path in made if not host.remove_cgroup_if_there(path)]
    expect(not gone, f"removed, though it was there before create: {', '.join(gone)}")
