"""Files of the image that are read: bounded, never waited for, never followed to the host.

R-USER-4, R-IO-4 (CVE-2026-47262); R-PATH-4 for those that are copied.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.containers import Config, Container, MakeContainer
from tests.support.hostile import WRITABLE, is_pyoci, never_opened, ran, refused, swapping


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
    if done.rc == 0 or is_pyoci(str(c.runtime)):
        names = ["device", "directory", "fifo", "file", "hard", "sub", "up"]
        assert done.stdout.split()[1:] == names
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
    refused(c.run(), "mounts[7]", "ENAMETOOLONG")
    c.assert_gone()


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
    with never_opened(*([path] if kind in ("fifo", "device") else [])):
        done = c.run(timeout=20)
    assert "of/the/host" not in done.stdout
    assert not ran(done) or done.stdout in ("/\n", "/root\n")


def make_device(path: Path) -> Path:
    """A device that does nothing when it is opened, for all those that do."""
    os.mknod(path, 0o020777, os.makedev(1, 5))
    return path


def test_no_device_is_opened_while_passwd_is_exchanged(container: MakeContainer) -> None:
    c = container("true")
    etc = c.bundle.rootfs / "etc"
    device = make_device(etc / "device")
    with never_opened(device), swapping(etc / "passwd", device):
        for _ in range(40):
            ran(c.run())


def test_no_device_is_opened_while_the_program_is_exchanged(container: MakeContainer) -> None:
    c = container("/bin/program")
    script = c.bundle.add_script("/bin/program", "#!/bin/true\n")
    device = make_device(script.parent / "device")
    with never_opened(device), swapping(script, device):
        for _ in range(40):
            done = c.run()
            if done.rc != 0:
                refused(done, "/bin/program")


def test_no_device_is_opened_while_its_place_is_copied(container: MakeContainer) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/m", "type": "tmpfs", "options": ["tmpcopyup"]})

    c = container("true", root=WRITABLE, mutate=change)
    image = c.bundle.rootfs / "m"
    image.mkdir()
    (image / "file").write_text("file\n")
    device = make_device(image / "device")
    with never_opened(device), swapping(image / "file", device):
        for _ in range(40):
            done = c.run()
            if done.rc != 0:
                refused(done, "init: ")


def test_a_working_directory_that_leads_out(container: MakeContainer, canary: Path) -> None:
    for cwd in ("/link/new/deep", "/link/sub", "/link"):
        c = container("pwd", root=WRITABLE, process={"cwd": cwd})
        (c.bundle.rootfs / "link").symlink_to(canary)
        done = c.run()
        assert not ran(done) or done.stdout.startswith(str(canary))
