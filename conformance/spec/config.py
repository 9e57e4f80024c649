"""bundle.md, and of config.md the root, annotations and unknown properties."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from conformance.spec.bundle import Bundle
from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.case import Case

Change = Callable[[Bundle], object]


def create_as_it_is(case: Case, bundle: Bundle, what: str) -> None:
    """Fails unless create of a bundle whose files the test arranged itself is an error."""
    done = case.runtime.call("create", "--bundle", str(bundle.path), bundle.container_id)
    if done.ok:
        case.runtime.call("delete", "--force", bundle.container_id)
    expect(not done.ok, f"create accepted {what}")


@statement("bundle.md/container-format/config.json", "a bundle without config.json is an error")
def bundle_needs_config(case: Case) -> None:
    create_as_it_is(case, case.bundle(), "a bundle without config.json")


@statement("bundle.md/container-format/config-in-root", "config.json must be in the bundle's root")
def config_is_in_root(case: Case) -> None:
    bundle = case.bundle()
    bundle.write()
    (bundle.path / "config.json").rename(bundle.rootfs / "config.json")
    create_as_it_is(case, bundle, "a config.json in rootfs")


@statement(
    "bundle.md/container-format/config-is-json", "a config.json that is not JSON is an error"
)
def config_is_json(case: Case) -> None:
    bundle = case.bundle()
    for text in ("", "{", "[]", '"x"', "null", "{} {}"):
        (bundle.path / "config.json").write_text(text, encoding="ascii")
        create_as_it_is(case, bundle, f"the config.json {text!r}")


@statement("config.md/root/relative", "a relative root.path counts from the bundle")
def root_relative_to_bundle(case: Case) -> None:
    bundle = case.bundle()
    bundle.rootfs.rename(bundle.path / "other")
    bundle.config["root"]["path"] = "other"
    case.observe(bundle)


@statement("config.md/root/absolute", "an absolute root.path is taken as it is")
def root_absolute(case: Case) -> None:
    bundle = case.bundle()
    bundle.rootfs.rename(case.directory / "elsewhere")
    bundle.config["root"]["path"] = str(case.directory / "elsewhere")
    case.observe(bundle)


@statement("config.md/root/exists", "root.path must be a directory that exists")
def root_exists(case: Case) -> None:
    for path in ("missing", "config.json"):
        bundle = case.bundle()
        bundle.config["root"]["path"] = path
        case.refuses(bundle, f"root.path {path}")


@statement("config.md/root/readonly", "with root.readonly the root file system is read-only")
def root_readonly(case: Case) -> None:
    bundle = case.bundle()
    bundle.config["root"]["readonly"] = True
    report = case.observe(bundle, "create=/mnt/file", "mkdir=/directory")
    for verb, target in (("create", "/mnt/file"), ("mkdir", "/directory")):
        expect_equal(report.errno(verb, target), errno.EROFS, f"errno of {verb}")


@statement("config.md/root/readonly-default", "without root.readonly it is writable")
def root_writable(case: Case) -> None:
    case.observe(case.bundle(), "create=/file").succeeded("create", "/file")


@statement(
    "config.md/annotations/unknown", "unknown annotation keys are ignored, empty values are valid"
)
def annotations_unknown(case: Case) -> None:
    bundle = case.bundle()
    bundle.config["annotations"] = {"org.opencontainers.unknown": "x", "com.example.empty": ""}
    case.observe(bundle)


def unknown(name: str, change: Change) -> None:
    @statement(f"config.md/extensibility/{name}", f"an unknown property in {name} is ignored")
    def check(case: Case) -> None:
        bundle = case.bundle()
        change(bundle)
        case.observe_program(bundle)


EXTRA = {"x-unknown": {"nested": [1, None, "text"]}, "org.example.unknown": 1.5}
unknown("top", lambda b: b.config.update(EXTRA))
unknown("root", lambda b: b.config["root"].update(EXTRA))
unknown("process", lambda b: b.process.update(EXTRA))
unknown("user", lambda b: b.process["user"].update(EXTRA))
unknown("capabilities", lambda b: b.process["capabilities"].update({"x-unknown": ["CAP_KILL"]}))
unknown("mounts", lambda b: b.config["mounts"][0].update(EXTRA))
unknown("linux", lambda b: b.linux.update(EXTRA))
unknown("namespaces", lambda b: b.linux["namespaces"][0].update(EXTRA))
unknown("resources", lambda b: b.linux.update(resources=dict(EXTRA)))
unknown("hooks", lambda b: b.config.update(hooks={"x-unknown": []}))
