"""mounts[] of type tmpfs: read-only with mounts in it, its mode, and tmpcopyup."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.containers import Config, MakeContainer
from tests.support.mounts import (
    MOUNTINFO,
    WRITABLE,
    bind,
    mount,
    mount_at,
    parse_mountinfo,
    run_mounts,
    with_mounts,
)


def test_a_readonly_tmpfs_takes_later_mounts_and_devices(
    container: MakeContainer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("content")

    def change(config: Config) -> None:
        config["mounts"][1]["options"].append("ro")  # /dev
        config["mounts"] += [
            mount("/m", "tmpfs", "none", "ro size=64k"),
            mount("/m/deep/below", "tmpfs", "none"),
            bind("/m/file", tmp_path / "file"),
        ]

    script = f"touch /m/x /dev/x; touch /m/deep/below/x; cat /m/file; ls /dev/null; cat {MOUNTINFO}"
    done = container("sh", "-c", script, mutate=change, root=WRITABLE).run()
    assert done.stderr == "".join(
        f"touch: {path}: Read-only file system\n" for path in ("/m/x", "/dev/x")
    )
    assert done.stdout.startswith("content/dev/null\n")
    found = parse_mountinfo(done.stdout)
    assert mount_at(found, "/dev").options == {"ro", "nosuid"}
    assert mount_at(found, "/m").options == {"ro", "relatime"}


def test_a_tmpfs_covers_a_directory_with_its_mode(container: MakeContainer) -> None:
    mounts = (
        mount("/secret", "tmpfs"),
        mount("/sticky", "tmpfs"),
        mount("/asked", "tmpfs", "none", "mode=711"),
        mount("/new", "tmpfs"),
    )
    paths = [m["destination"] for m in mounts]
    c = with_mounts(container, "stat", "-c", "%n %a", *paths, mounts=mounts)
    for name, mode in {"secret": 0o700, "sticky": 0o3771, "asked": 0o700}.items():
        (c.bundle.rootfs / name).mkdir()
        (c.bundle.rootfs / name).chmod(mode)
    assert c.run().ok().stdout == "/secret 700\n/sticky 3771\n/asked 711\n/new 1777\n"


def fill_directory(path: Path) -> None:
    """Something of every kind that an image may have."""
    (path / "deep" / "er").mkdir(parents=True)
    (path / "deep" / "er" / "file").write_text("content")
    (path / "program").write_text("#!/bin/sh\necho ran\n")
    (path / "program").chmod(0o4751)
    (path / "empty").touch(0o600)
    (path / "link").symlink_to("/nowhere/../at all")
    os.mknod(path / "null", 0o020640, os.makedev(1, 3))
    os.mknod(path / "fifo", 0o010600)
    os.mknod(path / "socket", 0o140600)
    (path / b"\xff not utf-8".decode("utf-8", "surrogateescape")).touch()
    os.chown(path / "link", 4, 5, follow_symlinks=False)
    os.chown(path / "deep", 1000, 1000)
    os.chown(path / "program", 2, 3)
    (path / "program").chmod(0o4751)  # chown has taken a bit away
    for name in ("deep/er/file", "deep/er", "link", "program", "fifo"):
        os.utime(path / name, ns=(1_000_000_001, 2_000_000_002), follow_symlinks=False)
    path.chmod(0o2755)
    os.utime(path, ns=(1_000_000_001, 2_000_000_002))


LIST = "cd {} && find . ! -name socket -exec stat -c '%n %F %a %u %g %s %t %T %Y' {{}} + | sort"


def test_tmpcopyup_copies_everything(container: MakeContainer, tmp_path: Path) -> None:
    mounts = (
        bind("/original", tmp_path / "original"),
        mount("/copy", "tmpfs", "none", "tmpcopyup nosuid"),
    )
    # The size of a directory is a matter of its filesystem.
    no_size = r"sed 's/\(directory.*\) [0-9]* 0 0 /\1 /'"
    script = f"({LIST.format('/original')}) | {no_size} >/tmp/a\n"
    script += f"({LIST.format('/copy')}) | {no_size} >/tmp/b\n"
    script += "diff -u /tmp/a /tmp/b && wc -l </tmp/b; ls -A /copy | wc -l; ls /copy/socket\n"
    script += "cat /copy/deep/er/file; readlink /copy/link; touch /copy/new"
    c = with_mounts(container, "sh", "-c", script, mounts=mounts)
    for path in (tmp_path / "original", c.bundle.rootfs / "copy"):
        path.mkdir()
        fill_directory(path)
    done = c.run()
    assert done.stdout == "10\n7\ncontent/nowhere/../at all\n"
    assert done.stderr == "ls: /copy/socket: No such file or directory\n"
    assert not (c.bundle.rootfs / "copy" / "new").exists()


def test_tmpcopyup_of_a_directory_that_is_not_there(container: MakeContainer) -> None:
    found = run_mounts(container, mount("/new", "tmpfs", "none", "tmpcopyup size=64k"))
    assert mount_at(found, "/new").superblock >= {"size=64k"}


def test_tmpcopyup_keeps_the_mode_and_owner_of_the_directory_unless_told(
    container: MakeContainer,
) -> None:
    mounts = (
        mount("/kept", "tmpfs", "none", "tmpcopyup"),
        mount("/told", "tmpfs", "none", "tmpcopyup mode=711"),
    )
    c = with_mounts(container, "stat", "-c", "%n %a %u %g", "/kept", "/told", mounts=mounts)
    for name in ("kept", "told"):
        (c.bundle.rootfs / name).mkdir()
        os.chown(c.bundle.rootfs / name, 1000, 1000)
        (c.bundle.rootfs / name).chmod(0o1775)
    assert c.run().ok().stdout == "/kept 1775 1000 1000\n/told 711 0 0\n"


def test_tmpcopyup_of_more_than_fits_fails_and_leaves_nothing(container: MakeContainer) -> None:
    c = with_mounts(container, "true", mounts=(mount("/m", "tmpfs", "none", "tmpcopyup size=8k"),))
    (c.bundle.rootfs / "m").mkdir()
    (c.bundle.rootfs / "m" / "large").write_bytes(bytes(1 << 20))
    c.run().failed("mounts[7]", "ENOSPC")
    c.assert_gone()
