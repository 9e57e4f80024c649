"""Devices are made inside, whatever /dev of the image is.

R-DEV-1 (CVE-2026-41579, CVE-2026-47766).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.containers import Config, MakeContainer
from tests.support.hostile import WAYS, WRITABLE, refused, ways_out


def without_dev(config: Config) -> None:
    config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/dev")]


@pytest.mark.parametrize("way", [*WAYS, "inside"])
def test_a_dev_of_the_image_that_is_a_symlink_is_refused(
    container: MakeContainer, canary: Path, way: str
) -> None:
    c = container("true", root=WRITABLE, mutate=without_dev)
    ways = ways_out(canary, 0) | {"inside": "home"}
    (c.bundle.rootfs / "dev").rmdir()
    (c.bundle.rootfs / "dev").symlink_to(ways[way])
    refused(c.run(), "/dev/null", "ELOOP")
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
        refused(c.run(), text)
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
