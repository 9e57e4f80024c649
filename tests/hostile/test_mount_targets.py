"""Places of mounts that lead astray: symlinks out of the root filesystem, in circles, without end.

R-PATH-1, R-PATH-3 (CVE-2019-18837, CVE-2024-45310). Outside lies a canary: whatever happens,
nothing of it is changed, and nothing appears in it. What moves meanwhile is in test_races.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Bundle, Config, MakeBundle, MakeContainer
from tests.support.hostile import WAYS, WRITABLE, refused, ways_out
from tests.support.mounts import MOUNTINFO, parse_mountinfo

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
            refused(done, "mounts[")


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
        refused(c.run(), "mounts[7]", "ELOOP")
        assert (c.bundle.rootfs / "end").exists() == (end == "there")


@pytest.mark.parametrize("loop", ["link", "other/../link", "/link/x"])
def test_a_symlink_to_itself(container: MakeContainer, loop: str) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/link/new", "type": "tmpfs"})

    c = container("true", root=WRITABLE, mutate=change)
    (c.bundle.rootfs / "link").symlink_to(loop)
    refused(c.run(), "mounts[7]", "ELOOP")
    c.assert_gone()


def test_names_that_would_break_a_line(container: MakeContainer, tmp_path: Path) -> None:
    def change(config: Config) -> None:
        config["mounts"].append({"destination": "/link", "type": "tmpfs"})

    c = container("true", root=WRITABLE, mutate=change)
    evil = "x\npyoci: all is well\x1b[2J\u202e"
    (c.bundle.rootfs / "link").symlink_to(evil)
    (c.bundle.rootfs / evil).symlink_to(evil)
    refused(c.run("--no-new-keyring"), "mounts[7]", "ELOOP")
    log = tmp_path / "log"
    done = c.call(
        "--log", str(log), "--log-format", "json", "run", "--bundle", str(c.bundle.path), c.id
    )
    refused(done, "ELOOP")
    assert len(log.read_text().splitlines()) == 1
    assert log.read_text().isascii()
