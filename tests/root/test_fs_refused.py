"""Mounts that are refused, or fail: one line that names the mount, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer
from tests.support.mounts import (
    bind,
    host_mounts,
    in_namespace,
    mount,
    mounts_at,
    run_in_namespace,
    run_mounts,
    with_mounts,
)

# --- procfs


def fake(container: MakeContainer, destination: str, tmp_path: Path) -> Container:
    (tmp_path / "fake").write_text("fake\n")
    return with_mounts(
        container, "cat", destination, mounts=(bind(destination, tmp_path / "fake"),)
    )


@pytest.mark.parametrize("name", ["meminfo", "cpuinfo", "uptime", "sys/kernel/ns_last_pid"])
def test_the_files_of_lxcfs_may_cover_those_of_procfs(
    container: MakeContainer, tmp_path: Path, name: str
) -> None:
    assert fake(container, f"/proc/{name}", tmp_path).run().ok().stdout == "fake\n"


@pytest.mark.parametrize("name", ["version", "sys/kernel/core_pattern", "self/attr/exec", "1"])
def test_nothing_else_may_cover_a_part_of_procfs(
    container: MakeContainer, tmp_path: Path, name: str
) -> None:
    c = fake(container, f"/proc/{name}", tmp_path)
    c.run().failed("mounts[7]", "/proc")
    c.assert_gone()


@pytest.mark.parametrize("place", ["../proc/version", "/link/version", "/x/../proc/./version"])
def test_procfs_is_known_by_what_it_is_not_by_its_path(
    container: MakeContainer, tmp_path: Path, place: str
) -> None:
    c = fake(container, place, tmp_path)
    (c.bundle.rootfs / "link").symlink_to("proc")
    c.run().failed("mounts[7]")
    c.assert_gone()


def test_only_procfs_may_be_mounted_on_proc(container: MakeContainer, tmp_path: Path) -> None:
    (tmp_path / "fake").mkdir()
    for made in (bind("/proc", tmp_path / "fake"), mount("/proc", "tmpfs"), bind("/proc", "/sys")):
        c = with_mounts(container, "true", mounts=(made,))
        c.run().failed("mounts[7]", "proc")
        c.assert_gone()


def test_the_hosts_procfs_may_be_bound_on_proc(container: MakeContainer) -> None:
    c = with_mounts(
        container, "sh", "-c", "cat /proc/1/comm", mounts=(bind("/proc", "/proc", "rbind"),)
    )
    assert c.run().ok().stdout == Path("/proc/1/comm").read_text()


def test_the_hosts_sysfs_may_be_bound_on_sys(container: MakeContainer) -> None:
    found = run_mounts(container, bind("/sys", "/sys", "rbind ro"))
    assert [m.kind for m in mounts_at(found, "/sys")] == ["sysfs", "sysfs"]
    below = [m.point for m in host_mounts() if m.point.startswith("/sys/")]
    assert {m.point for m in found} >= set(below)


# --- failures: one line that names the mount, and nothing is left

BAD_MOUNTS = {
    "unknown type": (mount("/m", "nosuchfs"), ("ENODEV", "nosuchfs")),
    "unknown option": (
        mount("/m", "tmpfs", "none", "nosuch"),
        ("EINVAL", "Unknown parameter 'nosuch'"),
    ),
    "bad value": (mount("/m", "tmpfs", "none", "size=many"), ("EINVAL", "Bad value for 'size'")),
    "option of another type": (mount("/m", "mqueue", "none", "size=1k"), ("EINVAL", "size")),
    "no type": (mount("/m", "", "none"), ("needs a type",)),
    "no source": (mount("/m", "none", "", "rbind"), ("needs a source",)),
    "missing source": (bind("/m", "/no/such/place"), ("ENOENT", "/no/such/place")),
    "no block device": (mount("/m", "ext4", "/dev/null"), ("ENOTBLK",)),
    "no device": (mount("/m", "ext4", "/no/such"), ("ENOENT", "/no/such")),
    "the root": (mount("/", "tmpfs"), ("cannot mount over the root",)),
    "the root, hidden": (mount("/a/..", "tmpfs"), ("cannot mount over the root",)),
    "a file on a directory": (bind("/etc", "config.json"), ("/etc",)),
    "a directory on a file": (bind("/etc/passwd", "."), ("/etc/passwd",)),
    "a filesystem on a file": (mount("/etc/passwd", "tmpfs"), ("/etc/passwd",)),
    "below a file": (mount("/etc/passwd/x", "tmpfs"), ("ENOTDIR",)),
    "newline": (bind("/m", "/no/such\nplace"), ("ENOENT", "\\n")),
}


@pytest.mark.parametrize("case", BAD_MOUNTS)
def test_a_mount_that_cannot_be_made(container: MakeContainer, case: str) -> None:
    made, texts = BAD_MOUNTS[case]
    c = with_mounts(container, "true", mounts=(made,))
    c.run().failed("mounts[7]", *texts)
    c.assert_gone()


def test_a_mount_that_fails_after_others_leaves_none_on_the_host(container: MakeContainer) -> None:
    mounts = (mount("/a", "tmpfs"), mount("/b", "tmpfs"), mount("/c", "nosuchfs"))
    c = with_mounts(container, "true", mounts=mounts)
    before = host_mounts()
    c.create().failed("mounts[9]", "nosuchfs")
    assert host_mounts() == before
    c.assert_gone()


def test_no_mount_reaches_a_host_whose_mounts_are_shared(
    container: MakeContainer, tmp_path: Path
) -> None:
    (tmp_path / "volume").mkdir()
    mounts = (mount("/m", "tmpfs"), bind("/volume", tmp_path / "volume", "rbind rshared"))
    c = with_mounts(container, "true", mounts=mounts)
    script = "mount --make-rshared /; cat /proc/self/mountinfo >$D/before\n"
    script += "AFTER='cat /proc/self/mountinfo >$D/after'"
    run_in_namespace(c, script).ok()
    before, after = [(tmp_path / name).read_text() for name in ("before", "after")]
    assert before == after
    create = ["create", "--bundle", str(c.bundle.path), c.id]
    c.bundle.config["mounts"].append(mount("/c", "nosuchfs"))
    c.bundle.write()
    in_namespace(c, script, *create).failed("nosuchfs")
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
