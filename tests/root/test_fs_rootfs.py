"""root and linux.rootfsPropagation: what becomes `/`, and what the host sees of it.

config.md, "Root"; config-linux.md, "Rootfs Mount Propagation".
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.containers import Config, Container, MakeContainer
from tests.support.mounts import (
    MOUNTINFO,
    create_in_namespace,
    host_mounts,
    mount_at,
    parse_mountinfo,
    run_in_namespace,
)

TRY_TO_WRITE = 'for d in / /etc /bin /dev /dev/shm /tmp; do touch "$d/new" && echo "$d"; done'
PIVOT = pytest.mark.parametrize("options", [(), ("--no-pivot",)], ids=["pivot_root", "no-pivot"])


@PIVOT
def test_a_readonly_root_has_a_writable_dev(
    container: MakeContainer, options: tuple[str, ...]
) -> None:
    done = container("sh", "-c", f"{TRY_TO_WRITE} 2>/dev/null; true").run(*options).ok()
    assert done.stdout == "/dev\n/dev/shm\n"


@PIVOT
def test_a_writable_root(container: MakeContainer, options: tuple[str, ...]) -> None:
    c = container("sh", "-c", TRY_TO_WRITE, root={"readonly": False})
    assert c.run(*options).ok().stdout == "/\n/etc\n/bin\n/dev\n/dev/shm\n/tmp\n"
    assert (c.bundle.rootfs / "etc" / "new").exists()
    assert not (c.bundle.rootfs / "dev" / "new").exists()


@PIVOT
def test_a_readonly_root_leaves_its_mounts_writable(
    container: MakeContainer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "volume").mkdir()
    mount = {"destination": "/tmp", "source": str(tmp_path / "volume"), "options": ["rbind"]}  # noqa: S108
    c = container("touch", "/tmp/new", mutate=lambda config: config["mounts"].append(mount))  # noqa: S108
    c.run(*options).ok()
    assert (tmp_path / "volume" / "new").exists()


@PIVOT
def test_nothing_of_the_host_is_mounted(container: MakeContainer, options: tuple[str, ...]) -> None:
    found = parse_mountinfo(container("cat", MOUNTINFO).run(*options).ok().stdout)
    top = mount_at(found, "/")
    assert all(m.point == "/" or m.parent_id in {n.mount_id for n in found} for m in found)
    assert top.root.endswith("/rootfs")


@pytest.mark.parametrize("masked", [True, False])
@PIVOT
def test_a_user_namespace_inside_gets_no_procfs_without_masks(
    container: MakeContainer, options: tuple[str, ...], masked: bool
) -> None:
    # The kernel allows it where any procfs of the mount namespace is whole, the old root's too.
    script = "unshare -Urpmf sh -c 'mount -t proc proc /tmp' && echo mounted; true"
    linux: Config = {} if masked else {"maskedPaths": [], "readonlyPaths": []}
    user = {"uid": 1000, "gid": 1000}
    done = container("sh", "-c", script, process={"user": user}, linux=linux).run(*options)
    assert (done.rc, done.stdout) == (0, "" if masked else "mounted\n"), done


def test_no_pivot_leaves_the_hosts_mounts_alone(container: MakeContainer, tmp_path: Path) -> None:
    c = container("true")
    script = "mount --make-rshared /; cat /proc/self/mountinfo >$D/before\n"
    script += "AFTER='cat /proc/self/mountinfo >$D/after'"
    run_in_namespace(c, script, "--no-pivot").ok()
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


# --- where the root filesystem is


def set_root(c: Container, path: str) -> None:
    c.bundle.config["root"]["path"] = path
    c.bundle.write()


@pytest.mark.parametrize("path", ["rootfs", "./rootfs/", "rootfs/../rootfs", "{B}/rootfs", "link"])
def test_ways_to_name_it(container: MakeContainer, path: str) -> None:
    c = container("cat", "/etc/group")
    (c.bundle.path / "link").symlink_to("rootfs")
    set_root(c, path.format(B=c.bundle.path))
    assert c.run(cwd="/").ok().stdout.startswith("root:")


def test_the_bundle_itself(container: MakeContainer) -> None:
    c = container("cat", "/config.json")
    for path in c.bundle.rootfs.iterdir():
        path.rename(c.bundle.path / path.name)
    set_root(c, ".")
    assert '"ociVersion"' in c.run().ok().stdout


@pytest.mark.parametrize("propagation", ["private", "shared"])
@PIVOT
def test_a_tmpfs(container: MakeContainer, propagation: str, options: tuple[str, ...]) -> None:
    c = container("cat", MOUNTINFO)
    script = "mount -t tmpfs rootfs $B/rootfs.new; cp -a $B/rootfs/. $B/rootfs.new\n"
    script += f"mount --make-{propagation} $B/rootfs.new"
    (c.bundle.path / "rootfs.new").mkdir()
    set_root(c, "rootfs.new")
    found = mount_at(parse_mountinfo(run_in_namespace(c, script, *options).ok().stdout), "/")
    assert (found.kind, found.source) == ("tmpfs", "rootfs")
    assert "ro" in found.options


@PIVOT
def test_a_mount_of_its_own_that_is_shared(
    container: MakeContainer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    c = container("true", root={"readonly": False})
    script = "mount --bind $B/rootfs $B/rootfs; mount --make-shared $B/rootfs\n"
    script += "cat /proc/self/mountinfo >$D/before; AFTER='cat /proc/self/mountinfo >$D/after'"
    create_in_namespace(c, script, *options)
    assert c.status == "created"
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


@PIVOT
def test_mounts_inside_it_come_along(container: MakeContainer, options: tuple[str, ...]) -> None:
    c = container("sh", "-c", f"cat /home/user/file; cat {MOUNTINFO}")
    script = "mount -t tmpfs -o nosuid inside $B/rootfs/home/user\n"
    script += "echo from inside >$B/rootfs/home/user/file"
    done = run_in_namespace(c, script, *options).ok()
    assert done.stdout.startswith("from inside\n")
    found = mount_at(parse_mountinfo(done.stdout), "/home/user")
    assert found.options == {"rw", "nosuid", "relatime"}


@pytest.mark.parametrize("kind", ["missing", "file", "loop", "dangling"])
def test_what_is_no_directory_is_refused(container: MakeContainer, kind: str) -> None:
    c = container("true")
    place = c.bundle.path / "place"
    if kind == "file":
        place.touch()
    elif kind != "missing":
        place.symlink_to("place" if kind == "loop" else "/no/such/place")
    set_root(c, "place")
    errno = {"file": "ENOTDIR", "loop": "ELOOP"}.get(kind, "ENOENT")
    c.run().failed(f"{c.bundle.path}/place", errno)
    c.assert_gone()


def test_the_hosts_root(container: MakeContainer) -> None:
    c = container("/bin/cat", MOUNTINFO)
    set_root(c, "/")
    before = host_mounts()
    found = parse_mountinfo(c.run().ok().stdout)
    assert host_mounts() == before
    assert mount_at(found, "/").root == mount_at(before, "/").root
    assert "ro" in mount_at(found, "/").options


# --- propagation

# rootfsPropagation: what the root mount says then, on a host whose mounts are shared.
PROPAGATIONS = {
    "": ["master"],
    "private": [],
    "rprivate": [],
    "slave": ["master"],
    "rslave": ["master"],
    "shared": ["shared"],
    "rshared": ["shared"],
    "unbindable": ["unbindable"],
    "runbindable": ["unbindable"],
}


@pytest.mark.parametrize("options", [(), ("--no-pivot",)], ids=["pivot_root", "no-pivot"])
@pytest.mark.parametrize("word", PROPAGATIONS)
def test_propagation_of_the_root(
    container: MakeContainer, tmp_path: Path, word: str, options: tuple[str, ...]
) -> None:
    linux = {"rootfsPropagation": word} if word else {}
    c = container("cat", MOUNTINFO, linux=linux)
    script = "mount --make-rshared /; cat /proc/self/mountinfo >$D/before\n"
    script += "AFTER='cat /proc/self/mountinfo >$D/after'"
    done = run_in_namespace(c, script, *options).ok()
    assert sorted(mount_at(parse_mountinfo(done.stdout), "/").propagation) == PROPAGATIONS[word]
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


def test_an_unknown_propagation_is_refused(container: MakeContainer) -> None:
    c = container("true", linux={"rootfsPropagation": "everywhere"})
    c.run().failed("rootfsPropagation", "everywhere")
    c.assert_gone()


@pytest.mark.parametrize(
    ("word", "arrives"), [("rslave", True), ("rshared", False), ("rprivate", False)]
)
def test_what_is_mounted_on_the_host_later(
    container: MakeContainer, tmp_path: Path, word: str, arrives: bool
) -> None:
    c = container("true", linux={"rootfsPropagation": word})
    script = "mount --make-rshared /\n"
    script += "AFTER='mount -t tmpfs later $B/rootfs/home; cat /proc/$(cat $D/pid)/mountinfo >$D/x'"
    create_in_namespace(c, script, "--pid-file", f"{tmp_path}/pid")
    found = parse_mountinfo((tmp_path / "x").read_text())
    assert ("later" in {m.source for m in found}) is arrives


@pytest.mark.parametrize("word", ["shared", "slave", "private"])
def test_what_the_container_mounts_stays_inside(
    container: MakeContainer, tmp_path: Path, word: str
) -> None:
    def change(config: Config) -> None:
        admin = {kind: ["CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")}
        config["process"]["capabilities"] = admin

    script = f"mount -t tmpfs inside /home && cat {MOUNTINFO}"
    c = container("sh", "-c", script, mutate=change, linux={"rootfsPropagation": word})
    prepare = "mount --make-rshared /; cat /proc/self/mountinfo >$D/before\n"
    prepare += "AFTER='cat /proc/self/mountinfo >$D/after'"
    found = parse_mountinfo(run_in_namespace(c, prepare).ok().stdout)
    assert mount_at(found, "/home").source == "inside"
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


def test_a_volume_that_is_shared_with_the_host_propagates_both_ways(
    container: MakeContainer, tmp_path: Path
) -> None:
    def change(config: Config) -> None:
        admin = {kind: ["CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")}
        config["process"]["capabilities"] = admin
        volume = {
            "destination": "/m",
            "source": str(tmp_path / "v"),
            "options": ["rbind", "rshared"],
        }
        config["mounts"].append(volume)

    os.makedirs(tmp_path / "v" / "x")
    c = container(
        *("mount", "-t", "tmpfs", "inside", "/m/x"),
        mutate=change,
        linux={"rootfsPropagation": "rshared"},
        root={"readonly": False},
    )
    # The mount that the root filesystem is on is taken out of the propagation, as runc does.
    prepare = "mount --bind $B/rootfs $B/rootfs; mount --make-rshared /\n"
    prepare += "AFTER='cat /proc/self/mountinfo >$D/after'"
    run_in_namespace(c, prepare).ok()
    found = parse_mountinfo((tmp_path / "after").read_text())
    assert mount_at(found, str(tmp_path / "v" / "x")).source == "inside"
