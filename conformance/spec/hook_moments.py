"""When each hook is called (config.md), and what a failing one leads to (runtime.md, lifecycle)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec import host
from conformance.spec.hooks import KINDS, add_hook, hook_reports, kinds_that_ran, run_with_hook
from conformance.spec.report import Mount, parse_mountinfo
from conformance.spec.verdicts import FailedError, expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case
    from conformance.spec.container import Container

AT_CREATE = ("prestart", "createRuntime", "createContainer")
AT_START = ("startContainer", "poststart")
SLOW = "spend=200"  # milliseconds


def bundle_with_all_hooks(case: Case) -> Bundle:
    """Each hook reports its own name."""
    bundle = case.bundle()
    for kind in KINDS:
        add_hook(bundle, kind, kind, *([SLOW] if kind == "startContainer" else []))
    return bundle


@statement(
    "runtime.md/lifecycle/hooks-at-create", "create calls prestart, createRuntime, createContainer"
)
def hooks_at_create(case: Case) -> None:
    bundle = bundle_with_all_hooks(case)
    case.container(bundle).created()
    expect_equal(kinds_that_ran(bundle), list(AT_CREATE), "the hooks that ran within create")


@statement("runtime.md/lifecycle/hooks-at-start", "start calls startContainer, then poststart")
def hooks_at_start(case: Case) -> None:
    bundle = bundle_with_all_hooks(case)
    container = case.container(bundle).created()
    before = len(kinds_that_ran(bundle))
    container.started()
    expect_equal(kinds_that_ran(bundle)[before:], list(AT_START), "the hooks that ran within start")


@statement("runtime.md/lifecycle/hooks-at-delete", "delete calls poststop")
def hooks_at_delete(case: Case) -> None:
    bundle = bundle_with_all_hooks(case)
    container = case.container(bundle).created().started().wait()
    before = len(kinds_that_ran(bundle))
    container.deleted()
    expect_equal(kinds_that_ran(bundle)[before:], ["poststop"], "the hooks that ran within delete")


@statement("config.md/hooks/prestart-first", "prestart hooks are called before createRuntime hooks")
def prestart_comes_first(case: Case) -> None:
    bundle = case.bundle()
    add_hook(bundle, "createRuntime", "createRuntime")
    add_hook(bundle, "prestart", "prestart")
    case.container(bundle).created()
    expect_equal(kinds_that_ran(bundle), ["prestart", "createRuntime"], "the order")


@statement(
    "config.md/hooks/createContainer-last", "createContainer hooks come after createRuntime's"
)
def create_container_comes_last(case: Case) -> None:
    bundle = case.bundle()
    add_hook(bundle, "createContainer", "createContainer")
    add_hook(bundle, "createRuntime", "createRuntime")
    case.container(bundle).created()
    expect_equal(kinds_that_ran(bundle), ["createRuntime", "createContainer"], "the order")


def root_of(mounts: list[Mount]) -> tuple[str, str]:
    """What is mounted on / : (device, root within it)."""
    found = [(m.device, m.root) for m in mounts if m.point == "/"]
    return found[-1]


def for_each_create_hook(kind: str) -> None:
    @statement(f"config.md/hooks/{kind}-namespaces-made", f"{kind} hooks find the namespaces made")
    def made(case: Case) -> None:
        report, process = run_with_hook(case, kind)
        if kind == "createContainer":
            return expect_equal(report.namespace("mnt"), process.namespace("mnt"), "mnt")
        seen = report["state_pid_namespaces"]
        for ns in ("ipc", "mnt", "net", "pid", "uts"):
            expect_equal(seen[ns], process.namespace(ns), f"the {ns} namespace of the state's pid")
        return None

    @statement(f"config.md/hooks/{kind}-before-pivot", f"{kind} hooks are called before pivot_root")
    def before_pivot(case: Case) -> None:
        report, _ = run_with_hook(case, kind)
        key = "mountinfo" if kind == "createContainer" else "state_pid_mountinfo"
        seen = root_of(parse_mountinfo(report[key] or ""))
        expect_equal(seen, root_of(host.own_mounts()), "the root file system at that moment")


for each in AT_CREATE:
    for_each_create_hook(each)


@statement("config.md/hooks/startContainer-before", "startContainer hooks come before the program")
def start_container_comes_before(case: Case) -> None:
    bundle = case.bundle()
    add_hook(bundle, "startContainer", "hook")
    bundle.probe_args("-o", "/out/log", "program")
    case.container(bundle).created().started().wait()
    expect_equal(kinds_that_ran(bundle)[:2], ["hook", "program"], "the order")


@statement("config.md/hooks/startContainer-root", "startContainer hooks see the container's root")
def start_container_sees_root(case: Case) -> None:
    report, process = run_with_hook(case, "startContainer")
    expect_equal(root_of(report.mounts), root_of(process.mounts), "the hook's root file system")


@statement("config.md/hooks/poststart-after", "poststart hooks come after the program was executed")
def poststart_comes_after(case: Case) -> None:
    bundle = case.bundle()
    bundle.probe_args("block")
    command = bundle.path / "command"
    add_hook(bundle, "startContainer", SLOW)  # where start does not wait, this shows it
    add_hook(bundle, "poststart", f"read={command}")
    container = case.container(bundle).created()
    # What the hook finds here is the program's after execve, the runtime's before.
    command.symlink_to(f"/proc/{container.pid_at_create}/cmdline")
    container.started()
    reports = [report for report in hook_reports(bundle) if SLOW not in report["argv"]]
    expect_equal(len(reports), 1, "the number of poststart hooks that ran by the end of start")
    seen = reports[0].succeeded("read", str(command))["data"]
    expect_equal(seen, "/probe\0block\0", "the container process's command line within the hook")


@statement(
    "config.md/hooks/poststop-after", "poststop hooks are called after the container is deleted"
)
def poststop_comes_after(case: Case) -> None:
    bundle = case.bundle()
    paths = [str(root / bundle.container_id) for root in host.hierarchies()]
    add_hook(bundle, "poststop", *(f"stat={path}" for path in paths))
    container = case.container(bundle).created()
    there = [path for path in paths if Path(path).exists()]
    expect(bool(there), "the container has no cgroup at its cgroupsPath")
    container.started().wait().deleted()
    report = hook_reports(bundle)[0]
    left = [path for path in there if report.errno("stat", path) == 0]
    expect(not left, f"there while the poststop hook ran: {', '.join(left)}")


# -- failing hooks ------------------------------------------------------------------------------


def run_failing(case: Case, kind: str) -> tuple[Container, bool, Bundle]:
    """A life in which a hook fails, up to that point: (container, was it an error, bundle)."""
    bundle = case.bundle()
    bundle.probe_args("block")
    add_hook(bundle, kind, kind, status="1")
    add_hook(bundle, "poststop", "poststop")
    container = case.container(bundle)
    created = container.create()
    if kind in AT_CREATE:
        return container, not created.ok, bundle
    if not created.ok:
        raise FailedError(f"create failed: {created.brief}")
    started = container.start()
    container.exited(2.0)  # a runtime whose start does not wait for the hook shows the outcome late
    return container, not started.ok, bundle


def for_each_failing_hook(kind: str) -> None:
    operation = "create" if kind in AT_CREATE else "start"

    @statement(
        f"runtime.md/lifecycle/{kind}-fails-error", f"{operation} fails where a {kind} hook does"
    )
    def is_error(case: Case) -> None:
        _, failed, bundle = run_failing(case, kind)
        expect(kind in kinds_that_ran(bundle), f"the {kind} hook did not run within {operation}")
        expect(failed, f"{operation} succeeded although a {kind} hook failed")

    @statement(
        f"runtime.md/lifecycle/{kind}-fails-stopped", f"a failing {kind} hook stops the container"
    )
    def is_stopped(case: Case) -> None:
        container, _, _ = run_failing(case, kind)
        seen = container.status
        expect(seen in {None, "stopped"}, f"the container is {seen}")

    @statement(
        f"runtime.md/lifecycle/{kind}-fails-destroyed",
        f"a failing {kind} hook leads to the container's destruction",
    )
    def is_destroyed(case: Case) -> None:
        container, _, _ = run_failing(case, kind)
        expect_equal(container.status, None, "the container's status")

    @statement(
        f"runtime.md/lifecycle/{kind}-fails-poststop",
        f"after a failing {kind} hook the poststop hooks are called",
    )
    def poststop_runs(case: Case) -> None:
        _, _, bundle = run_failing(case, kind)
        expect_equal(kinds_that_ran(bundle), [kind, "poststop"], "the hooks that ran")


for each in (*AT_CREATE, *AT_START):
    for_each_failing_hook(each)


@statement(
    "runtime.md/lifecycle/poststop-fails",
    "after a failing poststop hook the others are still called",
)
def failing_poststop_goes_on(case: Case) -> None:
    bundle = case.bundle()
    add_hook(bundle, "poststop", "first", status="1")
    add_hook(bundle, "poststop", "second")
    container = case.container(bundle).created().started().wait()
    done = container.delete()
    expect_equal(kinds_that_ran(bundle), ["first", "second"], "the poststop hooks that ran")
    expect(done.ok, f"delete failed: {done.brief}")
    expect_equal(container.status, None, "the status after delete")
