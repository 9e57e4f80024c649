"""procfs and sysfs stand where the config says, and nothing that looks like them is believed.

R-PROC-1, R-PROC-2, R-PROC-3 (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2025-52881).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Config, MakeContainer
from tests.support.hostile import WAYS, WRITABLE, ran, refused, take_picture, ways_out


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("way", [*WAYS, "inside", "dangling"])
def test_a_symlink_in_place_of_a_kernel_filesystem_is_refused(
    container: MakeContainer, canary: Path, name: str, way: str
) -> None:
    c = container("true", root=WRITABLE)
    ways = ways_out(canary, 0) | {"inside": "home", "dangling": "nowhere/at/all"}
    (c.bundle.rootfs / name).rmdir()
    (c.bundle.rootfs / name).symlink_to(ways[way])
    refused(c.run(), f"mount {'proc' if name == 'proc' else 'sysfs'} on /{name}", "ELOOP")
    c.assert_gone()


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_a_symlink_on_the_way_to_a_kernel_filesystem_is_refused(
    container: MakeContainer, canary: Path, kind: str
) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/link/sub", "type": kind, "source": kind})

    c = container("true", root=WRITABLE, mutate=change)
    (c.bundle.rootfs / "link").symlink_to(canary)
    refused(c.run(), "mounts[7]", "ELOOP")


def test_a_file_in_place_of_procfs(container: MakeContainer) -> None:
    c = container("true", root=WRITABLE)
    (c.bundle.rootfs / "proc").rmdir()
    (c.bundle.rootfs / "proc").write_text("fake")
    refused(c.run(), "mount proc on /proc")


COVERS: dict[str, dict[str, Any]] = {
    "tmpfs": {"type": "tmpfs"},
    "copy-up": {"type": "tmpfs", "options": ["tmpcopyup"]},
    "bind": {"source": "fake", "options": ["rbind"]},
    "overlay": {"type": "overlay", "source": "o", "options": ["lowerdir=LOWER"]},
}


@pytest.mark.parametrize("cover", COVERS)
@pytest.mark.parametrize("place", ["/link", "/link/sys", "/link/1/attr", "/up/../link/self"])
def test_nothing_covers_procfs_by_another_name(
    container: MakeContainer, canary: Path, cover: str, place: str
) -> None:
    """A label or a parameter would be written to what covers it (CVE-2019-16884)."""

    def change(config: Config) -> None:
        mount = COVERS[cover] | {"destination": place}
        options = [option.replace("LOWER", str(canary)) for option in mount.get("options", [])]
        config["mounts"].append(mount | {"options": options})

    c = container("true", root=WRITABLE, mutate=change)
    (c.bundle.path / "fake" / "sys").mkdir(parents=True)
    (c.bundle.rootfs / "link").symlink_to("proc")
    (c.bundle.rootfs / "up").mkdir()
    refused(c.run(), "mounts[7]")
    c.assert_gone()


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
    done = c.run()
    assert not ran(done) or done.stdout == "fake\n"
    assert take_picture(fake) == before
