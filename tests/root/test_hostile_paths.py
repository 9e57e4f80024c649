"""Root filesystems made to lead the runtime astray; SECURITY: whatever they hold is untrusted.

Outside lies a canary: whatever happens, nothing of it is changed, and nothing appears in it.
What moves while the runtime looks at it is in test_hostile_races.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Bundle, Config, Container, MakeBundle, MakeContainer
from tests.support.hostile import make_canary, take_picture
from tests.support.mounts import MOUNTINFO, host_mounts, parse_mountinfo

WRITABLE = {"readonly": False}


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host, which must be as it was when the test ends; so must the mounts."""
    path = make_canary(tmp_path)
    picture, mounts = take_picture(path), host_mounts()
    yield path
    assert take_picture(path) == picture
    assert host_mounts() == mounts


def without_dev(config: Config) -> None:
    config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/dev")]


def ways_out(canary: Path, depth: int) -> dict[str, str]:
    """Symlinks that lead to the canary for whoever follows them on the host.

    `depth` is how many directories of the root filesystem the link lies in.
    """
    up = "../" * (depth + 2)  # out of the root filesystem, and out of the bundle
    return {
        "absolute": str(canary),
        "relative": f"{up}canary",
        "far up": f"{'../' * 40}{str(canary).lstrip('/')}",
        "up and down": f"./{up}canary/../canary/sub/..",
        "slashes": f"//{str(canary).lstrip('/')}//",
        "through procfs": f"/proc/self/root{canary}",
        "through cwd": f"/proc/self/cwd/{up}canary",
    }


WAYS = tuple(ways_out(Path("/x"), 0))
PLACES = ("{}", "{}/new", "{}/new/deep", "{}/sub", "{}/empty/new")
TARGETS: dict[str, dict[str, Any]] = {
    "bind": {"source": "source", "options": ["rbind"]},
    "file": {"source": "config.json", "options": ["bind"]},
    "tmpfs": {"type": "tmpfs"},
    "copy-up": {"type": "tmpfs", "options": ["tmpcopyup", "ro"]},
    "nofollow": {"source": "source", "options": ["rbind", "dest-nofollow"]},
    "symlink": {"source": "link", "options": ["bind", "copy-symlink"]},
    "mqueue": {"type": "mqueue"},
}


def prepare(b: Bundle, link: str, target: str) -> None:
    """A root filesystem with this symlink, and sources of mounts."""
    (b.path / "source").mkdir()
    (b.path / "link").symlink_to("/etc/group")
    (b.rootfs / link).parent.mkdir(parents=True, exist_ok=True)
    (b.rootfs / link).symlink_to(target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("way", WAYS)
def test_mounts_through_a_symlink_that_leads_out(
    container: MakeContainer, bundle: MakeBundle, canary: Path, way: str, target: str
) -> None:
    out = ways_out(canary, 1)[way]
    mounts = [TARGETS[target] | {"destination": place.format("/a/link")} for place in PLACES]
    b = bundle("cat", MOUNTINFO, root=WRITABLE, name="bundle")
    prepare(b, "a/link", out)
    for made in mounts if target == "file" else [mounts]:
        # A file ends the path: each on its own.
        b.config["mounts"][7:] = made if isinstance(made, list) else [made]
        b.write()
        done = container(bundle=b).run()
        if done.rc == 0:
            points = [m.point for m in parse_mountinfo(done.stdout)]
            assert not [point for point in points if ".." in point]
        else:
            done.failed("mounts[")


def test_a_symlink_that_leads_out_leads_to_the_same_place_inside(
    container: MakeContainer, canary: Path
) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/link/new", "type": "tmpfs"})

    c = container("cat", MOUNTINFO, root=WRITABLE, mutate=change)
    (c.bundle.rootfs / "link").symlink_to(canary)
    found = parse_mountinfo(c.run().ok().stdout)
    assert f"{canary}/new" in [m.point for m in found]
    assert (c.bundle.rootfs / str(canary).lstrip("/") / "new").is_dir()


@pytest.mark.parametrize(("links", "allowed"), [(40, True), (41, False)])
@pytest.mark.parametrize("end", ["there", "made"])
def test_a_chain_of_symlinks_has_an_end(
    container: MakeContainer, links: int, allowed: bool, end: str
) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/l0", "type": "tmpfs"})

    c = container("true", root=WRITABLE, mutate=change)
    for n in range(links):
        (c.bundle.rootfs / f"l{n}").symlink_to(f"l{n + 1}" if n + 1 < links else "end")
    if end == "there":
        (c.bundle.rootfs / "end").mkdir()
    if allowed:
        c.run().ok()
    else:
        c.run().failed("mounts[7]", "ELOOP")
        assert (c.bundle.rootfs / "end").exists() == (end == "there")


@pytest.mark.parametrize("loop", ["link", "other/../link", "/link/x"])
def test_a_symlink_to_itself(container: MakeContainer, loop: str) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/link/new", "type": "tmpfs"})

    c = container("true", root=WRITABLE, mutate=change)
    (c.bundle.rootfs / "link").symlink_to(loop)
    c.run().failed("mounts[7]", "ELOOP")
    c.assert_gone()


def test_names_that_would_break_a_line(container: MakeContainer, tmp_path: Path) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/link", "type": "tmpfs"})

    c = container("true", root=WRITABLE, mutate=change)
    evil = "x\npyoci: all is well\x1b[2J\u202e"
    (c.bundle.rootfs / "link").symlink_to(evil)
    (c.bundle.rootfs / evil).symlink_to(evil)
    c.run("--no-new-keyring").failed("mounts[7]", "ELOOP")
    log = tmp_path / "log"
    done = c.call(
        "--log", str(log), "--log-format", "json", "run", "--bundle", str(c.bundle.path), c.id
    )
    done.failed("ELOOP")
    assert len(log.read_text().splitlines()) == 1
    assert log.read_text().isascii()


# --- procfs and sysfs


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("way", [*WAYS, "inside", "dangling"])
def test_a_symlink_in_place_of_a_kernel_filesystem_is_refused(
    container: MakeContainer, canary: Path, name: str, way: str
) -> None:
    c = container("true", root=WRITABLE)
    ways = ways_out(canary, 0) | {"inside": "home", "dangling": "nowhere/at/all"}
    (c.bundle.rootfs / name).rmdir()
    (c.bundle.rootfs / name).symlink_to(ways[way])
    c.run().failed(f"mount {'proc' if name == 'proc' else 'sysfs'} on /{name}", "ELOOP")
    c.assert_gone()


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_a_symlink_on_the_way_to_a_kernel_filesystem_is_refused(
    container: MakeContainer, canary: Path, kind: str
) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/link/sub", "type": kind, "source": kind})

    c = container("true", root=WRITABLE, mutate=change)
    (c.bundle.rootfs / "link").symlink_to(canary)
    c.run().failed("mounts[7]", "ELOOP")


def test_a_file_in_place_of_procfs(container: MakeContainer) -> None:
    c = container("true", root=WRITABLE)
    (c.bundle.rootfs / "proc").rmdir()
    (c.bundle.rootfs / "proc").write_text("fake")
    c.run().failed("mount proc on /proc")


def test_a_fake_procfs_gets_none_of_our_writes(container: MakeContainer, canary: Path) -> None:
    def change(config: Config) -> None:
        del config["mounts"][0]
        config["linux"] |= {"maskedPaths": [], "readonlyPaths": []}
        config["linux"]["sysctl"] = {"net.ipv4.ip_default_ttl": "33", "kernel.shmmni": "44"}
        config["process"]["oomScoreAdj"] = 100
        config["process"]["user"]["additionalGids"] = [5]

    c = container("cat", "/proc/sys/net/ipv4/ip_default_ttl", root=WRITABLE, mutate=change)
    fake = c.bundle.rootfs / "proc"
    for name in ("sys/net/ipv4", "sys/kernel", "self/attr", "thread-self/attr", "1"):
        (fake / name).mkdir(parents=True)
    for name in ("sys/net/ipv4/ip_default_ttl", "self/oom_score_adj", "1/oom_score_adj"):
        (fake / name).write_text("fake\n")
    (fake / "self" / "setgroups").write_text("deny\n")
    (fake / "sys" / "kernel" / "shmmni").symlink_to(canary / "file")
    before = take_picture(fake)
    assert c.run().ok().stdout == "fake\n"
    assert take_picture(fake) == before


# --- devices


@pytest.mark.parametrize("way", [*WAYS, "inside"])
def test_a_dev_of_the_image_that_is_a_symlink_is_refused(
    container: MakeContainer, canary: Path, way: str
) -> None:
    c = container("true", root=WRITABLE, mutate=without_dev)
    ways = ways_out(canary, 0) | {"inside": "home"}
    (c.bundle.rootfs / "dev").rmdir()
    (c.bundle.rootfs / "dev").symlink_to(ways[way])
    c.run().failed("/dev/null", "ELOOP")
    c.assert_gone()
    assert [path.name for path in (c.bundle.rootfs / "home").iterdir()] == ["user"]


def test_a_dev_that_is_a_symlink_below_a_mount_on_dev(
    container: MakeContainer, canary: Path
) -> None:
    c = container("sh", "-c", "ls -l /dev/null /dev/ptmx | wc -l; echo x >/dev/null", root=WRITABLE)
    (c.bundle.rootfs / "dev").rmdir()
    (c.bundle.rootfs / "dev").symlink_to(canary)
    assert c.run().ok().stdout == "2\n"


def test_nodes_of_the_image_are_not_followed(container: MakeContainer, canary: Path) -> None:
    def change(config: Config) -> None:
        without_dev(config)
        config["linux"]["devices"] = [{"path": "/dev/sub/x", "type": "c", "major": 1, "minor": 3}]

    for name, text in {"null": "c 1:3", "sub": "ELOOP"}.items():
        c = container("true", root=WRITABLE, mutate=change)
        (c.bundle.rootfs / "dev" / name).symlink_to(canary / name)
        c.run().failed(text)
        c.assert_gone()


def test_links_of_the_image_are_replaced_themselves(container: MakeContainer, canary: Path) -> None:
    c = container("readlink", "/dev/ptmx", root=WRITABLE, mutate=without_dev)
    for name in ("ptmx", "core", "fd", "stdin"):
        (c.bundle.rootfs / "dev" / name).symlink_to(canary / name)
    (c.bundle.rootfs / "dev" / "pts").symlink_to(canary / "dev/pts")
    assert c.run().ok().stdout == "pts/ptmx\n"


def test_a_null_device_of_the_image_masks_nothing(container: MakeContainer, canary: Path) -> None:
    def change(config: Config) -> None:
        without_dev(config)
        source = str(volume)
        config["mounts"].append({"destination": "/dev", "source": source, "options": ["bind"]})
        config["linux"]["maskedPaths"] = ["/etc/passwd"]

    volume = canary.parent / "dev-of-volume"
    volume.mkdir()
    (volume / "null").write_text("unmasked")
    c = container("cat", "/etc/passwd", mutate=change)
    assert c.run().ok().stdout == ""


# --- masked and read-only paths


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["maskedPaths", "readonlyPaths"])
def test_hidden_paths_below_a_symlink_that_leads_out(
    container: MakeContainer, canary: Path, way: str, what: str
) -> None:
    linux = {what: ["/link", "/link/file", "/link/sub", "/link/new"]}
    c = container("echo", "ran", root=WRITABLE, linux=linux)
    (c.bundle.rootfs / "link").symlink_to(ways_out(canary, 0)[way])
    done = c.run()
    if done.rc == 0:
        assert done.stdout == "ran\n"
    else:  # the ways through procfs are magic
        done.failed(f"linux.{what}[", "ELOOP")
        assert "procfs" in way or "cwd" in way


# --- tmpcopyup


def test_copying_up_follows_nothing_and_waits_for_nothing(
    container: MakeContainer, canary: Path
) -> None:
    def change(config: Config) -> None:
        mount = {"destination": "/m", "type": "tmpfs", "options": ["tmpcopyup", "size=64k"]}
        config["mounts"].append(mount)

    script = "readlink /m/directory /m/file /m/sub/up | wc -l; ls -A /m; ls -A /m/sub"
    script += "; echo changed >/m/hard; echo changed >/m/fifo & true"
    c = container("sh", "-c", script, root=WRITABLE, mutate=change)
    image = c.bundle.rootfs / "m"
    (image / "sub").mkdir(parents=True)
    (image / "directory").symlink_to(canary)
    (image / "file").symlink_to(canary / "file")
    (image / "sub" / "up").symlink_to("../../../../canary")
    os.mkfifo(image / "fifo")
    os.mknod(image / "device", 0o020600, os.makedev(509, 1))
    (image / "hard").write_text("image\n")
    done = c.run(timeout=20)
    assert done.stdout.split()[1:] == ["device", "directory", "fifo", "file", "hard", "sub", "up"]
    assert (image / "hard").read_text() == "image\n"


def test_copying_up_a_tree_without_end(container: MakeContainer) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/m", "type": "tmpfs", "options": ["tmpcopyup"]})

    c = container("true", root=WRITABLE, mutate=change)
    deep_fd = os.open(c.bundle.rootfs, os.O_PATH)
    for name in ["m", *["d" * 100] * 300]:
        os.mkdir(name, dir_fd=deep_fd)
        next_fd = os.open(name, os.O_PATH | os.O_DIRECTORY, dir_fd=deep_fd)
        os.close(deep_fd)
        deep_fd = next_fd
    os.close(deep_fd)
    c.run().failed("mounts[7]", "ENAMETOOLONG")
    c.assert_gone()


# --- files that are read


@pytest.mark.parametrize("kind", ["fifo", "link", "device", "directory", "huge"])
def test_a_passwd_that_is_none(container: MakeContainer, canary: Path, kind: str) -> None:
    c: Container = container("sh", "-c", "echo $HOME")
    path = c.bundle.rootfs / "etc" / "passwd"
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        (canary.parent / "passwd").write_text("root:x:0:0::/of/the/host:\n")
        path.symlink_to(canary.parent / "passwd")
    elif kind == "device":
        os.mknod(path, 0o020666, os.makedev(1, 5))
    elif kind == "directory":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    assert c.run(timeout=20).ok().stdout == "/\n"


def test_a_working_directory_that_leads_out(container: MakeContainer, canary: Path) -> None:
    for cwd in ("/link/new/deep", "/link/sub", "/link"):
        c = container("pwd", root=WRITABLE, process={"cwd": cwd})
        (c.bundle.rootfs / "link").symlink_to(canary)
        assert c.run().ok().stdout.startswith(str(canary))
