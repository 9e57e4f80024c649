"""A user namespace whose root may not pass a directory above the rootfs or a bind source.

Main opens both for it. Every bundle of this level lies below a directory of mode 0700.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.containers import MakeContainer
from tests.support.mounts import bind, in_namespace, mount_at, parse_mountinfo, run_in_namespace
from tests.support.user_namespaces import ROOT_ID, mapped


def closed_directory(path: Path, *names: str) -> Path:
    """A directory that only its owner may pass, and in it one with these files."""
    inner = path / "closed" / "inner"
    inner.mkdir(parents=True)
    (path / "closed").chmod(0o700)
    for name in names:
        (inner / name).write_text(name)
    return inner


def test_the_rootfs(container: MakeContainer) -> None:
    c = mapped(container, "sh", "-c", "id -u; touch /made")
    assert c.bundle.path.parent.stat().st_mode & 0o077 == 0
    assert c.run().ok().stdout == "0\n"
    assert (c.bundle.rootfs / "made").stat().st_uid == ROOT_ID


def test_nothing_of_the_host_is_left_below_the_root(container: MakeContainer) -> None:
    c = mapped(container, "cat", "/proc/self/mountinfo")
    c.bundle.config["root"]["readonly"] = True
    c.bundle.write()
    mounts = parse_mountinfo(c.run().ok().stdout)
    assert [m.point for m in mounts if m.point == "/"] == ["/"]
    assert "ro" in mount_at(mounts, "/").options
    assert not [m.point for m in mounts if m.point.startswith(str(c.bundle.path.parent))]


@pytest.mark.parametrize("options", ["bind", "rbind", "bind ro"])
def test_a_bind_source(container: MakeContainer, tmp_path: Path, options: str) -> None:
    source = closed_directory(tmp_path, "found")
    c = mapped(container, "sh", "-c", "cat /mnt/found; touch /mnt/new")
    c.bundle.config["mounts"].append(bind("/mnt", source, options))
    c.bundle.write()
    done = c.run()
    assert done.stdout == "found"
    reason = "Read-only file system" if "ro" in options else "Permission denied"
    assert reason in done.stderr


def test_a_bind_source_that_is_a_file(container: MakeContainer, tmp_path: Path) -> None:
    source = closed_directory(tmp_path, "found") / "found"
    c = mapped(container, "cat", "/etc/passwd")
    c.bundle.config["mounts"].append(bind("/etc/passwd", source))
    c.bundle.write()
    assert c.run().ok().stdout == "found"


def test_a_missing_bind_source(container: MakeContainer, tmp_path: Path) -> None:
    c = mapped(container, "true")
    c.bundle.config["mounts"].append(bind("/mnt", tmp_path / "missing"))
    c.bundle.write()
    # Init is kept from looking by the directory above; what is certain is that it is not mounted.
    c.run().failed("mounts[7]", str(tmp_path / "missing"))


@pytest.mark.parametrize("reachable", [True, False])
def test_what_is_mounted_comes_from_the_host_and_stays_there(
    container: MakeContainer, tmp_path: Path, reachable: bool
) -> None:
    """A later mount of the host's appears inside; one that the container makes is its own."""
    closed_directory(tmp_path)
    place = "/mnt" if reachable else "$D/closed"
    script = (
        "unshare -m true; mount -t tmpfs inside /place/inner && echo mounted;"
        " grep -c /place /proc/self/mountinfo"
    )
    capabilities = ["CAP_SYS_ADMIN"]
    sets = dict.fromkeys(("bounding", "effective", "permitted"), capabilities)
    c = mapped(container, "sh", "-c", script, process={"capabilities": sets})
    source = "/mnt" if reachable else tmp_path / "closed"
    c.bundle.config["mounts"].append(bind("/place", source, "rbind rslave"))
    c.bundle.write()
    prepare = f"mount -t tmpfs -o mode=0755 tmpfs {place}; mkdir {place}/inner"
    prepare += f"; AFTER='grep -c \"{source}/inner\" /proc/self/mountinfo'"
    done = run_in_namespace(c, prepare)
    assert done.stdout.split() == ["mounted", "2", "0"]


def test_hooks_in_the_container_run(container: MakeContainer) -> None:
    """Though they find no mounts at the path of the rootfs: nothing could be mounted there."""
    hook = {"path": "/bin/busybox", "args": ["busybox", "stat", "-c", "%u", "/proc/1"]}
    mapped(container, "true", hooks={"createContainer": [hook]}).run().ok()


def test_no_pivot_says_that_it_takes_a_path(container: MakeContainer) -> None:
    c = mapped(container, "true")
    c.run("--no-pivot").failed(
        "--no-pivot needs a rootfs that root of the user namespace can reach"
    )
    c.assert_gone()


def test_create_and_the_rest(container: MakeContainer) -> None:
    c = mapped(container, "sh", "-c", "echo started; exec sleep 1000")
    c.create().ok()
    c.start().ok()
    c.wait_stdout("started")
    assert c.exec("sh", "-c", "id -u; cat /etc/passwd | head -n 1").ok().stdout == (
        "0\nroot:x:0:0:root:/root:/bin/sh\n"
    )
    assert json.loads(c.call("ps", "--format", "json", c.id).ok().stdout) == [c.pid]
    c.delete("--force").ok()
    c.assert_gone()


def test_locked_flags_are_kept(container: MakeContainer) -> None:
    """What the host has set on the source's mount stays set, and may be said again."""
    c = mapped(container, "grep", "/place", "/proc/self/mountinfo")
    c.bundle.config["mounts"] += [
        bind("/place", "/mnt", options) for options in ("bind", "bind ro")
    ]
    c.bundle.config["mounts"][-1]["destination"] = "/place/again"
    c.bundle.write()
    prepare = "mount -t tmpfs tmpfs /mnt; mkdir -m 755 /mnt/again; chmod 755 /mnt"
    prepare += "; mount -o remount,bind,nosuid,nodev,noexec,noatime,ro /mnt"
    mounts = parse_mountinfo(run_in_namespace(c, prepare).ok().stdout)
    locked = {"ro", "nosuid", "nodev", "noexec", "noatime"}
    assert locked <= mount_at(mounts, "/place").options
    assert locked <= mount_at(mounts, "/place/again").options


@pytest.mark.parametrize("word", ["rw", "suid", "dev", "exec", "strictatime"])
def test_a_locked_flag_cannot_be_taken_away(container: MakeContainer, word: str) -> None:
    c = mapped(container, "true")
    c.bundle.config["mounts"].append(bind("/place", "/mnt", f"bind {word}"))
    c.bundle.write()
    prepare = "mount -t tmpfs -o mode=755,nosuid,nodev,noexec,noatime,ro tmpfs /mnt"
    words = ["run", "--bundle", str(c.bundle.path), c.id]
    done = in_namespace(c, prepare, *words)
    done.failed("mount /mnt on /place", "EPERM", "mounts[7]", "keeps the flags of the mount it is")
