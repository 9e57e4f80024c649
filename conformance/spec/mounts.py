"""config.md, mounts: order, places, kinds and sources. The options have a module of their own."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case


def data_directory(case: Case, name: str = "data") -> Path:
    """A directory on the host with a file of the same name."""
    directory = case.directory / name
    directory.mkdir()
    (directory / name).write_text(name, encoding="ascii")
    return directory


@statement(
    "config.md/mounts/order-nested", "mounts are made in the listed order: one below another"
)
def nested_in_order(case: Case) -> None:
    bundle = case.bundle()
    bundle.mount("/mnt", "tmpfs", "tmpfs")
    bundle.bind(data_directory(case), "/mnt/below", "bind")
    case.observe(bundle, "read=/mnt/below/data").succeeded("read", "/mnt/below/data")


@statement(
    "config.md/mounts/order-covering", "mounts are made in the listed order: the later one covers"
)
def later_covers(case: Case) -> None:
    bundle = case.bundle()
    for name in ("first", "second"):
        bundle.bind(data_directory(case, name), "/mnt", "bind")
    report = case.observe(bundle, "list=/mnt")
    expect_equal(report.succeeded("list", "/mnt")["names"], ["second"], "the files at /mnt")


@statement("config.md/mounts/order-hiding", "a parent listed after its child hides the child")
def parent_hides(case: Case) -> None:
    bundle = case.bundle()
    bundle.bind(data_directory(case), "/mnt/below", "bind")
    bundle.mount("/mnt", "tmpfs", "tmpfs")
    report = case.observe(bundle, "list=/mnt")
    expect_equal(report.succeeded("list", "/mnt")["names"], [], "the files at /mnt")


@statement("config.md/mounts/destination-relative", "a relative destination counts from /")
def relative_destination(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["cwd"] = "/etc"
    bundle.mount("mnt", "tmpfs", "tmpfs")
    expect_equal(case.observe(bundle).mount_at("/mnt").kind, "tmpfs", "what is mounted at /mnt")


@statement(
    "config.md/mounts/source-relative", "a relative source of a bind mount counts from the bundle"
)
def relative_source(case: Case) -> None:
    bundle = case.bundle()
    (bundle.path / "data").mkdir()
    (bundle.path / "data/file").touch()
    bundle.bind("data", "/mnt", "bind")
    case.observe(bundle, "stat=/mnt/file").succeeded("stat", "/mnt/file")


@statement("config.md/mounts/bind-file", "a file can be bind-mounted")
def bind_file(case: Case) -> None:
    bundle = case.bundle()
    (bundle.rootfs / "etc/file").touch()
    bundle.bind(data_directory(case) / "data", "/etc/file", "bind")
    report = case.observe(bundle, "read=/etc/file")
    expect_equal(report.succeeded("read", "/etc/file")["data"], "data", "the file's content")


@statement(
    "config.md/mounts/bind-by-option", "bind or rbind in the options makes a bind mount of any type"
)
def bind_by_option(case: Case) -> None:
    for kind, option in (("tmpfs", "bind"), ("none", "rbind"), ("bind", "bind")):
        bundle = case.bundle()
        bundle.mount("/mnt", kind, str(data_directory(case, f"d-{kind}")), option)
        case.observe(bundle, f"stat=/mnt/d-{kind}").succeeded("stat", f"/mnt/d-{kind}")


KINDS = {
    "proc": ("proc", "/proc", ()),
    "tmpfs": ("tmpfs", "/mnt", ()),
    "sysfs": ("sysfs", "/sys", ("nosuid", "noexec", "nodev", "ro")),
    "devpts": ("devpts", "/dev/pts", ("newinstance", "ptmxmode=0666", "mode=0620")),
    "mqueue": ("mqueue", "/dev/mqueue", ("nosuid", "noexec", "nodev")),
}


def kind_of_mount(name: str, kind: str, point: str, options: tuple[str, ...]) -> None:
    @statement(f"config.md/mounts/type-{name}", f"a mount of type {name}")
    def check(case: Case) -> None:
        bundle = case.bundle()
        if not any(entry["destination"] == point for entry in bundle.config["mounts"]):
            bundle.mount(point, kind, kind, *options)
        expect_equal(case.observe(bundle).mount_at(point).kind, kind, f"what is mounted at {point}")


for kind_name, (kernel_kind, mount_point, mount_options) in KINDS.items():
    kind_of_mount(kind_name, kernel_kind, mount_point, mount_options)


@statement("config.md/mounts/type-cgroup", "a mount of type cgroup shows the container's cgroups")
def cgroup_mount(case: Case) -> None:
    bundle = case.bundle()
    bundle.namespace("cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
    mounts = case.observe(bundle).mounts
    kinds = {m.kind for m in mounts if m.point.startswith("/sys/fs/cgroup")}
    expect(bool(kinds & {"cgroup", "cgroup2"}), f"below /sys/fs/cgroup are {kinds}")


@statement("config.md/mounts/data", "options that are not flags reach the file system")
def data_options(case: Case) -> None:
    bundle = case.bundle()
    bundle.mount("/mnt", "tmpfs", "tmpfs", "size=64k", "nr_inodes=77")
    seen = case.observe(bundle).mount_at("/mnt").super_options
    expect({"size=64k", "nr_inodes=77"} <= seen, f"/mnt has {sorted(seen)}")


@statement("config.md/mounts/data-mode", "so does the mode of a tmpfs, whatever it is mounted over")
def data_mode(case: Case) -> None:
    bundle = case.bundle()
    bundle.mount("/mnt", "tmpfs", "tmpfs", "mode=0710")
    seen = case.observe(bundle, "stat=/mnt").succeeded("stat", "/mnt")
    expect_equal(stat.S_IMODE(seen["mode"]), 0o710, "the mode of /mnt")


@statement("config.md/mounts/unknown-option", "an option that the file system refuses is an error")
def unknown_option(case: Case) -> None:
    bundle = case.bundle()
    bundle.mount("/mnt", "tmpfs", "tmpfs", "no-such-option")
    case.refuses(bundle, "an unknown option of tmpfs")


def mapped_mount(case: Case, *options: str, **mappings: object) -> Bundle:
    """A bundle with a bind mount that has these options and mappings."""
    bundle = case.bundle()
    source = data_directory(case, f"d{len(case.containers)}")
    bundle.mount("/mnt", "none", str(source), *options, **mappings)
    return bundle


MAPPING = [{"containerID": 0, "hostID": 4000, "size": 1000}]


@statement(
    "config.md/mounts/idmap-without-mappings",
    "idmap without mappings or user namespace is an error",
)
def idmap_without_mappings(case: Case) -> None:
    case.refuses(mapped_mount(case, "bind", "idmap"), "idmap without any mapping")
    case.refuses(mapped_mount(case, "rbind", "ridmap"), "ridmap without any mapping")


@statement(
    "config.md/mounts/mappings-together", "uidMappings without gidMappings, or so, are an error"
)
def mappings_go_together(case: Case) -> None:
    for key in ("uidMappings", "gidMappings"):
        bundle = mapped_mount(case, "bind", "idmap", **{key: MAPPING})
        case.refuses(bundle, f"a mount with only {key}")


@statement("config.md/mounts/idmap", "a claimed idmap mount has the given mapping", level="CLAIMED")
def idmap(case: Case) -> None:
    case.claims("linux", "mountExtensions", "idmap", "enabled")
    bundle = mapped_mount(case, "bind", "idmap", uidMappings=MAPPING, gidMappings=MAPPING)
    os.chown(case.directory / "d0/d0", 5, 6)
    seen = case.observe(bundle, "stat=/mnt/d0").succeeded("stat", "/mnt/d0")
    expect_equal((seen["uid"], seen["gid"]), (4005, 4006), "the owner of the file")
