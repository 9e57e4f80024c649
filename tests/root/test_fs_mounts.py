"""mounts[]: every type, where they land, in what order, and what happens when one cannot be made.

config.md, "Mounts".
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Config, MakeContainer
from tests.support.mounts import (
    MOUNTINFO,
    WRITABLE,
    bind,
    mount,
    mount_at,
    mounts_at,
    parse_mountinfo,
    run_mounts,
    with_mounts,
)

# --- the types


@pytest.mark.smoke
def test_the_default_mounts(container: MakeContainer) -> None:
    found = parse_mountinfo(container("cat", MOUNTINFO).run().ok().stdout)
    said = {m.point: (m.kind, set(m.options)) for m in found}
    assert "ro" in said["/"][1]
    assert said["/proc"] == ("proc", {"rw", "relatime"})
    assert said["/dev"] == ("tmpfs", {"rw", "nosuid"})
    assert said["/dev/pts"] == ("devpts", {"rw", "nosuid", "noexec", "relatime"})
    assert said["/dev/shm"] == ("tmpfs", {"rw", "nosuid", "nodev", "noexec", "relatime"})  # noqa: S108
    assert said["/dev/mqueue"] == ("mqueue", {"rw", "nosuid", "nodev", "noexec", "relatime"})
    assert said["/sys"] == ("sysfs", {"ro", "nosuid", "nodev", "noexec", "relatime"})
    cgroup = {"ro", "nosuid", "nodev", "noexec", "relatime"}
    assert said["/sys/fs/cgroup"] == ("cgroup2", cgroup)
    assert mount_at(found, "/dev").superblock >= {"size=65536k", "mode=755"}
    assert mount_at(found, "/dev/pts").superblock >= {"gid=5", "mode=620", "ptmxmode=666"}
    assert mount_at(found, "/dev/mqueue").source == "mqueue"


def test_mounts_are_made_in_the_order_of_the_config(
    container: MakeContainer, tmp_path: Path
) -> None:
    (tmp_path / "volume" / "inner").mkdir(parents=True)
    found = run_mounts(
        container,
        mount("/m", "tmpfs", "first"),
        bind("/m/volume", tmp_path / "volume"),
        mount("/m/volume/inner", "tmpfs", "second"),
        mount("/n/deep", "tmpfs", "third"),
        mount("/n", "tmpfs", "fourth"),
    )
    ours = [m for m in found if m.point.startswith(("/m", "/n"))]
    # The last one covers the one before.
    assert [m.point for m in ours] == ["/m", "/m/volume", "/m/volume/inner", "/n/deep", "/n"]
    parents = {m.mount_id: m.point for m in found}
    assert [parents[m.parent_id] for m in ours] == ["/", "/m", "/m/volume", "/", "/"]


def test_a_filesystem_gets_its_source_and_its_own_options(container: MakeContainer) -> None:
    found = run_mounts(
        container,
        mount("/m/named", "tmpfs", "a name", "size=64k mode=711 nr_inodes=7"),
        mount("/m/nameless", "tmpfs"),
        mount("/m/one-word", "tmpfs", "none", "size=64k,mode=711"),
    )
    named = mount_at(found, "/m/named")
    assert named.source == "a name"
    assert named.superblock >= {"size=64k", "mode=711", "nr_inodes=7"}
    assert mount_at(found, "/m/nameless").source == "tmpfs"
    assert mount_at(found, "/m/one-word").superblock >= {"size=64k", "mode=711"}


def test_overlay(container: MakeContainer, tmp_path: Path) -> None:
    # Together longer than fsconfig(2) takes, with a character that separates options.
    layers = [tmp_path / f"{'layer, ' * 12}{n}" for n in range(4)]
    for layer in (*layers, tmp_path / "upper", tmp_path / "work"):
        layer.mkdir()
    for n, layer in enumerate(layers):
        (layer / f"from-{n}").touch()
    lower = ":".join(str(layer).replace(",", "\\,") for layer in layers)
    options = [f"lowerdir={lower}", f"upperdir={tmp_path}/upper", f"workdir={tmp_path}/work"]
    overlay = mount("/m", "overlay", "overlay") | {"options": [*options, "ro", "nosuid"]}
    c = with_mounts(container, "sh", "-c", f"ls /m; cat {MOUNTINFO}", mounts=(overlay,))
    said = c.run().ok().stdout
    assert said.splitlines()[:4] == ["from-0", "from-1", "from-2", "from-3"]
    found = parse_mountinfo(said)
    assert mount_at(found, "/m").options == {"ro", "nosuid", "relatime"}
    assert [m.kind for m in mounts_at(found, "/")] == ["ext4"] or len(mounts_at(found, "/")) == 1


def test_overlay_that_is_written_to(container: MakeContainer, tmp_path: Path) -> None:
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    words = f"lowerdir={tmp_path}/lower upperdir={tmp_path}/upper workdir={tmp_path}/work"
    overlay = mount("/m", "overlay", "overlay", words)
    with_mounts(container, "touch", "/m/new", mounts=(overlay,)).run().ok()
    assert (tmp_path / "upper" / "new").exists()
    assert not (tmp_path / "lower" / "new").exists()


def test_options_longer_than_a_page_are_refused(container: MakeContainer, tmp_path: Path) -> None:
    (tmp_path / "lower").mkdir()
    layers = ":".join([f"{tmp_path}/lower"] * 200)
    c = with_mounts(container, "true", mounts=(mount("/m", "overlay", "o", f"lowerdir={layers}"),))
    c.run().failed("mounts[7]", "E2BIG")
    c.assert_gone()


def test_an_image_of_ext4(container: MakeContainer, tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(4 << 20)
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "file").write_text("from the image\n")
    make = ["mkfs.ext4", "-q", "-d", str(tmp_path / "content"), str(image)]
    if shutil.which("mkfs.ext4") is None or shutil.which("losetup") is None:
        pytest.skip("needs mkfs.ext4 and losetup")
    subprocess.run(make, check=True, capture_output=True)
    attach = ["losetup", "--find", "--show", "--read-only", str(image)]
    device = subprocess.run(attach, check=False, capture_output=True, text=True).stdout.strip()
    if not device:
        pytest.skip("needs a loop device")
    try:
        # The device filter does not allow it, but comes after the mounts.
        options = mount("/m", "ext4", device, "ro noload nosuid errors=continue")
        done = with_mounts(
            container,
            *("sh", "-c", f"cat /m/file; touch /m/x; cat {MOUNTINFO}"),
            mounts=(options,),
        ).run()
        assert done.stdout.startswith("from the image\n")
        assert "Read-only file system" in done.stderr
        found = mount_at(parse_mountinfo(done.stdout), "/m")
        assert (found.kind, found.source) == ("ext4", device)
        assert found.options == {"ro", "nosuid", "relatime"}
        assert "ro" in found.superblock
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


# --- cgroup


def cgroup_namespace(config: Config) -> None:
    config["linux"]["namespaces"].append({"type": "cgroup"})


def test_cgroup_with_a_namespace_shows_the_containers_as_its_root(
    container: MakeContainer,
) -> None:
    script = f"cat /proc/self/cgroup /sys/fs/cgroup/cgroup.procs; cat {MOUNTINFO}"
    done = container("sh", "-c", script, mutate=cgroup_namespace).run().ok()
    assert "0::/\n" in done.stdout
    assert "\n1\n" in done.stdout
    assert mount_at(parse_mountinfo(done.stdout), "/sys/fs/cgroup").root == "/"


def test_cgroup_without_a_namespace_shows_the_containers_only(container: MakeContainer) -> None:
    script = f"cat /sys/fs/cgroup/cgroup.procs; cat {MOUNTINFO}"
    c = container("sh", "-c", script)
    done = c.run().ok()
    assert done.stdout.startswith("1\n")
    found = mount_at(parse_mountinfo(done.stdout), "/sys/fs/cgroup")
    assert found.root == c.bundle.config["linux"]["cgroupsPath"]


@pytest.mark.parametrize("own", [True, False])
def test_a_readonly_cgroup_cannot_be_written_and_a_writable_can(
    container: MakeContainer, own: bool
) -> None:
    def change(config: Config) -> None:
        if own:
            cgroup_namespace(config)
        config["mounts"][-1]["options"] = ["nosuid", "ro"]
        config["mounts"].append(mount("/m", "cgroup2", "cgroup"))

    script = "mkdir /sys/fs/cgroup/a; mkdir /m/b && rmdir /m/b && echo made"
    done = container("sh", "-c", script, root=WRITABLE, mutate=change).run()
    assert (done.rc, done.stdout) == (0, "made\n")
    assert (
        done.stderr == "mkdir: can't create directory '/sys/fs/cgroup/a': Read-only file system\n"
    )


def test_cgroup_mounts_are_never_executable(container: MakeContainer) -> None:
    found = run_mounts(container, mount("/m", "cgroup", "cgroup"))
    assert mount_at(found, "/m").options >= {"rw", "nosuid", "nodev", "noexec"}


# --- bind mounts


def test_bind_of_a_file_makes_a_file(container: MakeContainer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    c = with_mounts(container, "cat", "/new/file", mounts=(bind("/new/file", tmp_path / "file"),))
    assert c.run().ok().stdout == "content"
    made = c.bundle.rootfs / "new" / "file"
    assert (made.read_bytes(), made.stat().st_mode) == (b"", 0o100644)


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_bind_of_what_must_not_be_opened(
    container: MakeContainer, tmp_path: Path, kind: str
) -> None:
    if kind == "device":
        source = Path("/dev/null")
    else:
        source = tmp_path / kind
        os.mknod(source, 0o010644 if kind == "fifo" else 0o140644)
    c = with_mounts(container, "stat", "-c", "%F", "/m", mounts=(bind("/m", source),))
    said = {"fifo": "fifo", "socket": "socket", "device": "character special file"}
    assert c.run().ok().stdout == f"{said[kind]}\n"


def test_bind_over_a_file_that_is_there(container: MakeContainer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("new")
    c = with_mounts(
        container, "cat", "/etc/passwd", mounts=(bind("/etc/passwd", tmp_path / "file"),)
    )
    before = (c.bundle.rootfs / "etc" / "passwd").read_text()
    assert c.run().ok().stdout == "new"
    assert (c.bundle.rootfs / "etc" / "passwd").read_text() == before


def test_a_missing_directory_is_made_with_its_parents(
    container: MakeContainer, tmp_path: Path
) -> None:
    (tmp_path / "directory").mkdir()
    c = with_mounts(container, "true", mounts=(bind("/a/b/c", tmp_path / "directory"),))
    c.run().ok()
    made = [c.bundle.rootfs / name for name in ("a", "a/b", "a/b/c")]
    assert [path.stat().st_mode for path in made] == [0o040755] * 3


def test_a_relative_source_starts_at_the_bundle(container: MakeContainer) -> None:
    c = with_mounts(container, "cat", "/m", mounts=(bind("/m", "config.json"),))
    assert '"ociVersion"' in c.run(cwd="/").ok().stdout


def test_a_relative_destination_starts_at_the_root(container: MakeContainer) -> None:
    found = run_mounts(container, mount("tmp/./x/../m/", "tmpfs"), mount("../../up", "tmpfs"))
    assert mounts_at(found, "/tmp/m")  # noqa: S108
    assert mounts_at(found, "/up")


def test_a_source_that_is_a_symlink_is_followed(container: MakeContainer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    c = with_mounts(container, "cat", "/m", mounts=(bind("/m", tmp_path / "link"),))
    assert c.run().ok().stdout == "content"


def test_src_nofollow_mounts_the_symlink_itself(container: MakeContainer, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/group")
    options = "bind src-nofollow"
    mounts = (bind("/m", tmp_path / "link", options),)
    c = with_mounts(container, "sh", "-c", "readlink /m; cat /m", mounts=mounts)
    assert c.run().ok().stdout == "/etc/group\nroot:x:0:\nuser:x:1000:\n"


def test_dest_nofollow_mounts_on_the_symlink_itself(
    container: MakeContainer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("content")
    mounts = (bind("/link", tmp_path / "file", "bind dest-nofollow"),)
    c = with_mounts(container, "cat", "/link", "/etc/group", mounts=mounts)
    (c.bundle.rootfs / "link").symlink_to("/etc/group")
    assert c.run().ok().stdout == "contentroot:x:0:\nuser:x:1000:\n"


def test_a_destination_that_is_a_symlink_is_followed(
    container: MakeContainer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("content")
    c = with_mounts(container, "cat", "/etc/group", mounts=(bind("/link", tmp_path / "file"),))
    (c.bundle.rootfs / "link").symlink_to("/etc/group")
    assert c.run().ok().stdout == "content"


@pytest.mark.parametrize("target", ["/opt/new/place", "opt/new/place", "../../opt/new/place"])
def test_a_destination_that_is_a_dangling_symlink_leads_to_what_is_made(
    container: MakeContainer, tmp_path: Path, target: str
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "here").touch()
    mounts = (bind("/link", tmp_path / "directory"),)
    c = with_mounts(container, "ls", "/opt/new/place", "/link/", mounts=mounts)
    (c.bundle.rootfs / "link").symlink_to(target)
    assert c.run().ok().stdout == "/link/:\nhere\n\n/opt/new/place:\nhere\n"
    assert (c.bundle.rootfs / "opt/new/place").is_dir()


def test_copy_symlink(container: MakeContainer, tmp_path: Path) -> None:
    for name in ("new", "same"):
        (tmp_path / name).symlink_to("/nowhere/at all")
    (tmp_path / "file").write_text("a file is mounted")
    c = with_mounts(
        container,
        *("sh", "-c", "readlink /m/new; readlink /m/same; cat /m/file"),
        mounts=tuple(
            bind(f"/m/{name}", tmp_path / name, "bind copy-symlink")
            for name in ("new", "same", "file")
        ),
        linux={"maskedPaths": ["/m/new"], "readonlyPaths": ["/m/same/x"]},
    )
    (c.bundle.rootfs / "m").mkdir()
    (c.bundle.rootfs / "m" / "same").symlink_to("/nowhere/at all")
    assert c.run().ok().stdout == "/nowhere/at all\n/nowhere/at all\na file is mounted"


@pytest.mark.parametrize("there", ["file", "link"])
def test_copy_symlink_replaces_nothing(
    container: MakeContainer, tmp_path: Path, there: str
) -> None:
    (tmp_path / "source").symlink_to("/nowhere")
    mounts = (bind("/m", tmp_path / "source", "bind copy-symlink"),)
    c = with_mounts(container, "true", mounts=mounts)
    if there == "file":
        (c.bundle.rootfs / "m").write_text("precious")
    else:
        (c.bundle.rootfs / "m").symlink_to("/elsewhere")
    c.run().failed("mounts[7]", "/m", "exists and is not this symlink")
    c.assert_gone()
