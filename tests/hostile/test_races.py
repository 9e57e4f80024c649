"""Root filesystems that change under the runtime's eyes.

A process exchanges names with symlinks as fast as it can while containers are made. A create may
fail, but it fails cleanly; a container that comes up is as safe as any; outside, the canary lives.
(SECURITY: R-PATH-2, R-PATH-3, R-MASK-3, R-DEV-1; the class of CVE-2021-30465 and CVE-2024-45310.)
"""

from __future__ import annotations

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


@pytest.mark.parametrize(("decoy", "times"), [("symlink", 100), ("directory", 40)])
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
        c, 100, rootfs / "a" / "b", rootfs / "a" / "link", volume / "sub", volume / "link"
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
    said = run_often(c, 40, rootfs / "dev", rootfs / "link")
    assert take_picture(canary) == picture
    assert said.keys() <= {"ok", "failed"}, said
