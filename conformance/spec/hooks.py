"""config.md, POSIX-platform hooks: which program runs, where, with what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec.report import Report, parse_reports
from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case

KINDS = (
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)
IN_CONTAINER = ("createContainer", "startContainer")
NAMESPACES = ("ipc", "mnt", "net", "pid", "uts")
STATUS = {
    "prestart": "creating",
    "createRuntime": "creating",
    "createContainer": "creating",
    "startContainer": "created",
    "poststart": "running",
    "poststop": "stopped",
}


def add_hook(bundle: Bundle, kind: str, *verbs: str, **more: str) -> None:
    """A hook whose report goes to out/log in the root filesystem, which all of them can reach."""
    log = "/out/log" if kind == "startContainer" else str(bundle.rootfs / "out/log")
    bundle.hook(kind, "-o", log, *verbs, f"exit={more.pop('status', '0')}", **more)


def hook_reports(bundle: Bundle) -> list[Report]:
    """What the hooks reported, in the order in which they ran."""
    log = bundle.rootfs / "out/log"
    return parse_reports(log.read_text(encoding="ascii")) if log.exists() else []


def kinds_that_ran(bundle: Bundle) -> list[str]:
    """The word that each reporting hook was given, in order."""
    return [report["argv"][3] for report in hook_reports(bundle)]


def run_with_hook(case: Case, kind: str, *verbs: str) -> tuple[Report, Report]:
    """A whole life with one hook: (the hook's report, the container process's)."""
    bundle = case.bundle()
    add_hook(bundle, kind, *verbs)
    process = case.observe(bundle)
    reports = hook_reports(bundle)
    expect_equal(len(reports), 1, f"the number of runs of the {kind} hook")
    return reports[0], process


def for_each_kind(kind: str) -> None:
    """Registers the statements that hold for every kind of hook."""

    @statement(f"config.md/hooks/{kind}-order", f"{kind} hooks are called in the listed order")
    def order(case: Case) -> None:
        bundle = case.bundle()
        for word in ("first", "second", "third"):
            add_hook(bundle, kind, word)
        case.observe(bundle)
        expect_equal(kinds_that_ran(bundle), ["first", "second", "third"], "the order")

    @statement(f"config.md/hooks/{kind}-state", f"{kind} hooks get the state on standard input")
    def state(case: Case) -> None:
        report, _ = run_with_hook(case, kind)
        seen = report.state
        expect_equal(seen.get("id"), case.containers[0].id, "the state's id")
        expect_equal(seen.get("bundle"), str(case.containers[0].bundle.path), "its bundle")
        expect("ociVersion" in seen, "the state has no ociVersion")

    @statement(f"config.md/hooks/{kind}-status", f"{kind} hooks see the status {STATUS[kind]}")
    def status(case: Case) -> None:
        report, _ = run_with_hook(case, kind)
        expect_equal(report.state.get("status"), STATUS[kind], "the state's status")

    place = "container" if kind in IN_CONTAINER else "runtime"

    @statement(f"config.md/hooks/{kind}-namespace", f"{kind} hooks run in the {place} namespace")
    def namespace(case: Case) -> None:
        report, process = run_with_hook(case, kind)
        for ns in NAMESPACES:
            ours = str(Path(f"/proc/self/ns/{ns}").readlink())
            wanted = process.namespace(ns) if place == "container" else ours
            expect_equal(report.namespace(ns), wanted, f"the hook's {ns} namespace")

    where = "container" if kind == "startContainer" else "runtime"

    @statement(
        f"config.md/hooks/{kind}-path", f"{kind} hooks' path is one of the {where} namespace"
    )
    def path(case: Case) -> None:
        bundle = case.bundle()
        if where == "container":
            bundle.add_probe("bin/only-inside")
            bundle.hook(kind, "-o", "/out/log", "x", path="/bin/only-inside")
        else:
            add_hook(bundle, kind, "x")  # the probe's host path, which the container lacks
        case.observe(bundle)
        expect_equal(kinds_that_ran(bundle), ["x"], "the hooks that ran")

    @statement(
        f"config.md/hooks/{kind}-relative", f"{kind} hooks with a relative path are an error"
    )
    def relative(case: Case) -> None:
        bundle = case.bundle()
        bundle.hook(kind, path="bin/probe")
        case.refuses(bundle, f"a relative path of a {kind} hook", at_start=True)


for each in KINDS:
    for_each_kind(each)


@statement("config.md/hooks/args", "a hook's args are its argv")
def hook_args(case: Case) -> None:
    report, _ = run_with_hook(case, "createRuntime", "a b", "", "c=")
    log = str(case.containers[0].bundle.rootfs / "out/log")
    expect_equal(report["argv"], ["probe", "-o", log, "a b", "", "c=", "exit=0", "stdin"], "argv")


@statement("config.md/hooks/env", "a hook's env is its environment")
def hook_env(case: Case) -> None:
    bundle = case.bundle()
    log = str(bundle.rootfs / "out/log")
    bundle.hook("createRuntime", "-o", log, env=["ONE=1", "TWO=2 2"])
    case.observe(bundle)
    expect_equal(sorted(hook_reports(bundle)[0]["env"]), ["ONE=1", "TWO=2 2"], "the environment")


@statement("config.md/hooks/timeout-zero", "a timeout that is not greater than zero is an error")
def hook_timeout_zero(case: Case) -> None:
    for seconds in (0, -1):
        bundle = case.bundle()
        bundle.hook("createRuntime", timeout=seconds)
        case.refuses(bundle, f"a hook's timeout {seconds}", at_start=True)


@statement("config.md/hooks/timeout", "a hook that runs past its timeout is aborted: create fails")
def hook_timeout(case: Case) -> None:
    bundle = case.bundle()
    bundle.hook("createRuntime", "-o", str(bundle.rootfs / "out/log"), "block", timeout=1)
    case.refuses(bundle, "a hook that never ends")
    expect_equal(len(hook_reports(bundle)), 1, "the number of hooks that ran")


@statement("config.md/hooks/path-required", "a hook without path is an error", level="REQUIRED")
def hook_path_required(case: Case) -> None:
    bundle = case.bundle()
    bundle.config["hooks"] = {"createRuntime": [{"args": ["probe"]}]}
    case.refuses(bundle, "a hook without path")
