"""Root filesystems that change under the runtime's eyes.

A process exchanges names with symlinks as fast as it can while containers are made. A create may
fail, but it fails cleanly; a container that comes up is as safe as any; outside, the canary lives.
(SECURITY: R-PATH-2, R-PATH-3, R-MASK-3, R-DEV-1; the class of CVE-2021-30465 and CVE-2024-45310.)
"""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.support.containers import Config, Container, MakeContainer
from tests.support.hostile import WRITABLE, make_canary, refused, swapping, take_picture
from tests.support.mounts import host_mounts


def run_often(c: Container, times: int, *swapped: Path) -> Counter[str]:
    """What so many containers said while those paths were exchanged; `failed` if they did not run.

    AssertionError if one failed otherwise than cleanly.
    """
    said: Counter[str] = Counter()
    with swapping(*swapped):
        for _ in range(times):
            done = c.run()
            if done.rc == 0:
                said[done.stdout.strip()] += 1
            else:
                refused(done, "init: ")
                said["failed"] += 1
    c.assert_gone()
    return said


# Looks at each procfs from inside, where names stay: it has its masks, or we have the worst case.
LOOK_AT_PROC = """
seen=no
for place in /proc /elsewhere /other; do
    cd $place 2>/dev/null && [ -e version ] || continue
    seen=yes
    [ -c timer_list ] && ! (: >>sys/vm/swappiness) 2>/dev/null || echo unmasked $place
done
echo $seen
"""


def test_the_look_at_procfs_sees_what_it_should(container: MakeContainer) -> None:
    assert container("sh", "-c", LOOK_AT_PROC).run().stdout == "yes\n"
    for what in ("maskedPaths", "readonlyPaths"):
        said = container("sh", "-c", LOOK_AT_PROC, linux={what: []}).run().stdout
        assert said == "unmasked /proc\nyes\n"


@pytest.mark.parametrize(("decoy", "times"), [("symlink", 60), ("directory", 30)])
def test_procfs_is_never_without_its_masks(
    container: MakeContainer, decoy: str, times: int
) -> None:
    c = container("sh", "-c", LOOK_AT_PROC, root=WRITABLE)
    rootfs = c.bundle.rootfs
    (rootfs / "elsewhere").mkdir()
    if decoy == "symlink":
        (rootfs / "other").symlink_to("elsewhere")
    else:
        (rootfs / "other").mkdir()
    said = run_often(c, times, rootfs / "proc", rootfs / "other")
    # Once it has its mount, /proc may still be moved aside: then the program may not find procfs.
    assert said.keys() <= {"yes", "no", "failed"}, said


def test_nothing_is_made_outside_while_targets_are_exchanged(
    container: MakeContainer, tmp_path: Path
) -> None:
    canary, volume, source = make_canary(tmp_path), tmp_path / "volume", tmp_path / "source"

    def change(config: Config) -> None:
        mounts: list[tuple[str, dict[str, object]]] = [
            ("/a/b/new/tmpfs", {"type": "tmpfs"}),
            ("/a/b/new/directory", {"source": str(source), "options": ["rbind"]}),
            ("/a/b/new/file", {"source": f"{source}/file", "options": ["bind"]}),
            ("/volume", {"source": str(volume), "options": ["rbind"]}),
            ("/volume/sub/new/deep", {"source": str(source), "options": ["rbind"]}),
            ("/volume/sub/file", {"source": f"{source}/file", "options": ["bind"]}),
            ("/volume/sub/empty", {"type": "tmpfs", "options": ["tmpcopyup"]}),
        ]
        config["mounts"] += [rest | {"destination": place} for place, rest in mounts]
        config["process"]["cwd"] = "/a/b/cwd"
        config["linux"]["devices"] = [{"path": "/a/b/null", "type": "c", "major": 1, "minor": 3}]
        config["linux"]["maskedPaths"] += ["/a/b/file", "/volume/sub/file"]
        config["linux"]["readonlyPaths"] += ["/a/b/sub", "/volume/sub/deep"]

    for path in (volume / "sub", source):
        path.mkdir(parents=True)
    (source / "file").write_text("file")
    (volume / "link").symlink_to(canary)
    c = container("echo", "ok", root=WRITABLE, mutate=change)
    rootfs = c.bundle.rootfs
    (rootfs / "a" / "b").mkdir(parents=True)
    (rootfs / "a" / "link").symlink_to("../../../canary")
    pictures, mounts = (take_picture(canary), take_picture(source)), host_mounts()
    said = run_often(
        c, 60, rootfs / "a" / "b", rootfs / "a" / "link", volume / "sub", volume / "link"
    )
    assert (take_picture(canary), take_picture(source)) == pictures
    assert host_mounts() == mounts
    assert said.keys() <= {"ok", "failed"}, said


def test_devices_are_made_inside_while_dev_is_exchanged(
    container: MakeContainer, tmp_path: Path
) -> None:
    canary = make_canary(tmp_path)

    def change(config: Config) -> None:
        config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/dev")]
        config["linux"]["devices"] = [
            {"path": f"/dev/sub/{name}", "type": "c", "major": 1, "minor": 5, "uid": 1000}
            for name in ("file", "zero")
        ]

    c = container("echo", "ok", root=WRITABLE, mutate=change)
    rootfs = c.bundle.rootfs
    (rootfs / "dev" / "sub").mkdir()
    (rootfs / "link").symlink_to("../../canary")
    picture = take_picture(canary)
    said = run_often(c, 30, rootfs / "dev", rootfs / "link")
    assert take_picture(canary) == picture
    assert said.keys() <= {"ok", "failed"}, said


def test_a_terminal_while_dev_is_exchanged(container: MakeContainer, tmp_path: Path) -> None:
    """R-CON-1 (CVE-2025-52565): /dev/console and /dev/pts are the image's, and move."""
    canary = make_canary(tmp_path)

    def change(config: Config) -> None:
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/dev"]
        config["process"]["terminal"] = True

    c = container("true", root=WRITABLE, mutate=change)
    rootfs = c.bundle.rootfs
    (rootfs / "dev" / "pts").mkdir()
    (rootfs / "link").symlink_to("../../canary/dev")
    picture = take_picture(canary)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "console"))
        server.listen(100)
        with swapping(rootfs / "dev", rootfs / "link"):
            for _ in range(20):
                done = c.create("--console-socket", str(tmp_path / "console"))
                if done.rc != 0:
                    refused(done, "init: ")
                c.delete("--force")
    c.assert_gone()
    assert take_picture(canary) == picture


def test_masks_in_a_volume_whose_names_are_exchanged(
    container: MakeContainer, tmp_path: Path
) -> None:
    """What is masked is the volume's owner's to move; what is covered is never the host's."""
    canary, volume = make_canary(tmp_path), tmp_path / "volume"

    def change(config: Config) -> None:
        mount = {"destination": "/volume", "source": str(volume), "options": ["rbind"]}
        config["mounts"].append(mount)
        config["linux"]["maskedPaths"] = ["/volume/sub/file", "/volume/sub/deep"]
        config["linux"]["readonlyPaths"] = ["/volume/sub", "/volume/sub/empty"]

    (volume / "sub" / "deep").mkdir(parents=True)
    (volume / "sub" / "empty").mkdir()
    (volume / "sub" / "file").write_text("file")
    (volume / "link").symlink_to(canary)
    picture, mounts = take_picture(canary), host_mounts()
    c = container("cat", "/proc/self/mountinfo", root=WRITABLE, mutate=change)
    with swapping(volume / "sub", volume / "link"):
        for _ in range(25):
            done = c.run()
            if done.rc != 0:
                refused(done, "init: ")
            assert str(canary) not in done.stdout
    assert (take_picture(canary), host_mounts()) == (picture, mounts)


def test_execs_while_files_and_directories_of_the_image_are_exchanged(
    container: MakeContainer, tmp_path: Path
) -> None:
    """R-USER-4, R-CWD-1: the accounts are never the host's, nor is the working directory."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("daemon:x:77:77::/:\n")
    c = container("sleep", "1000", root=WRITABLE)
    rootfs = c.bundle.rootfs
    (rootfs / "work").mkdir()
    (rootfs / "etc" / "passwd").write_text("daemon:x:5:5::/:\n")
    (rootfs / "link").symlink_to("../../outside")
    (rootfs / "etc" / "link").symlink_to(f"{'../' * 40}{str(outside / 'passwd').lstrip('/')}")
    c.run_detached().ok()
    said: Counter[str] = Counter()
    with swapping(
        rootfs / "work", rootfs / "link", rootfs / "etc" / "passwd", rootfs / "etc" / "link"
    ):
        for _ in range(25):
            script = "id -u; pwd -P"
            done = c.exec("sh", "-c", script, options=("--user", "daemon", "--cwd", "/work"))
            said["failed" if done.rc else " ".join(done.stdout.split())] += 1
    # /link: the directory itself has been renamed since it was entered.
    assert said.keys() <= {"failed", "5 /work", "5 /link"}, said
