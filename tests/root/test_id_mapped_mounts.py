"""uidMappings, gidMappings, idmap and ridmap of a mount (config.md, "Mounts")."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, read_children
from tests.support.mounts import bind, run_in_namespace, with_mounts
from tests.support.user_namespaces import ROOT_ID, mapped

# On the filesystem 0 and 1000; seen from outside of any user namespace, these.
MAPS = [
    {"containerID": 0, "hostID": 5000, "size": 10},
    {"containerID": 1000, "hostID": 6000, "size": 10},
]
OWN = {"uidMappings": MAPS, "gidMappings": [{"containerID": 0, "hostID": 7000, "size": 2000}]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory of files with different owners."""
    directory = tmp_path / "source"
    (directory / "below").mkdir(parents=True)
    for name, uid, gid in (("root", 0, 0), ("user", 1000, 1000), ("nobody", 500, 9999)):
        (directory / name).touch()
        os.chown(directory / name, uid, gid)
    directory.chmod(0o777)
    return directory


def owners(container: Container, *, script: str = "") -> list[str]:
    """The owners of the files on /place, as the container prints them."""
    done = run_in_namespace(container, script) if script else container.run()
    return done.ok().stdout.splitlines()


STAT = ("sh", "-c", "cd /place; stat -c '%n %u %g' root user nobody; touch new; stat -c %u new")


def test_without_a_user_namespace(container: MakeContainer, source: Path) -> None:
    c = with_mounts(container, *STAT, mounts=(bind("/place", source) | OWN,))
    done = c.run()
    found = ["root 5000 7000", "user 6000 8000", "nobody 65534 65534"]
    assert done.stdout.splitlines() == found
    assert "Value too large" in done.stderr  # root has no id there


@pytest.mark.parametrize("word", ["idmap", "ridmap"])
def test_the_words_change_nothing_about_the_mappings(
    container: MakeContainer, source: Path, word: str
) -> None:
    mount = bind("/place", source, f"rbind {word}") | OWN
    c = with_mounts(container, "stat", "-c", "%u", "/place/user", mounts=(mount,))
    assert owners(c) == ["6000"]


def test_what_is_made_has_the_ids_of_the_filesystem(container: MakeContainer, source: Path) -> None:
    process = {"user": {"uid": 5000, "gid": 7001}}
    mounts = (bind("/place", source) | OWN,)
    c = with_mounts(container, "touch", "/place/mine", mounts=mounts, process=process)
    c.run().ok()
    made = (source / "mine").stat()
    assert (made.st_uid, made.st_gid) == (0, 1)


@pytest.mark.parametrize("word", ["idmap", "ridmap"])
def test_the_containers_own_mappings(container: MakeContainer, source: Path, word: str) -> None:
    """Files of root on the host are those of root inside; nothing below has to be chowned."""
    c = mapped(container, *STAT)
    c.bundle.config["mounts"].append(bind("/place", source, f"bind {word}"))
    c.bundle.write()
    assert owners(c) == ["root 0 0", "user 1000 65534", "nobody 500 65534", "0"]
    assert (source / "new").stat().st_uid == 0


def test_mappings_of_the_mount_in_a_user_namespace(container: MakeContainer, source: Path) -> None:
    maps = [{"containerID": 0, "hostID": ROOT_ID + 7, "size": 1}]
    c = mapped(container, "sh", "-c", "cd /place; stat -c '%n %u %g' root user; touch new || id -u")
    c.bundle.config["mounts"].append(
        bind("/place", source) | {"uidMappings": maps, "gidMappings": maps}
    )
    c.bundle.write()
    done = c.run()
    assert done.stdout.splitlines() == ["root 7 7", "user 65534 65534", "0"]
    assert "Value too large" in done.stderr  # its root has no id on the filesystem


def test_a_joined_user_namespace_maps_as_it_is_mapped(
    container: MakeContainer, source: Path
) -> None:
    holder = mapped(container, "sleep", "1000")
    holder.run_detached().ok()
    c = container(*STAT, mutate=lambda config: join_user(config, holder.pid))
    c.bundle.config["mounts"].append(bind("/place", source, "bind idmap"))
    c.bundle.write()
    os.chown(c.bundle.rootfs, ROOT_ID, ROOT_ID)
    assert owners(c) == ["root 0 0", "user 1000 65534", "nobody 500 65534", "0"]


def join_user(config: dict[str, Any], pid: int) -> None:
    config["linux"]["namespaces"].append({"type": "user", "path": f"/proc/{pid}/ns/user"})
    config["root"]["readonly"] = False


@pytest.mark.parametrize(("word", "below"), [("idmap", "1000"), ("ridmap", "6000")])
def test_only_ridmap_maps_what_is_mounted_below(
    container: MakeContainer, source: Path, word: str, below: str
) -> None:
    mount = bind("/place", source, f"rbind {word}") | OWN
    args = ("stat", "-c", "%u", "/place/user", "/place/below/file")
    c = with_mounts(container, *args, mounts=(mount,))
    script = "mount --bind $D/source $D/source/below; touch $D/source/below/file"
    script += "; chown 1000 $D/source/below/file"
    assert owners(c, script=script) == ["6000", below]


def test_flags_hold_on_a_mapped_mount(container: MakeContainer, source: Path) -> None:
    mount = bind("/place", source, "bind ro noexec") | OWN
    c = with_mounts(container, "sh", "-c", "touch /place/x; stat -c %u /place", mounts=(mount,))
    done = c.run()
    assert ("Read-only file system" in done.stderr, done.stdout) == (True, "5000\n")


def test_the_host_sees_its_own_ids(container: MakeContainer, source: Path) -> None:
    c = with_mounts(container, "sleep", "1000", mounts=(bind("/place", source) | OWN,))
    c.run_detached().ok()
    assert Path(f"/proc/{c.pid}/root/place/user").stat().st_uid == 6000
    assert (source / "user").stat().st_uid == 1000


def test_no_process_is_left_of_the_mapping(container: MakeContainer, source: Path) -> None:
    before = read_children()
    mounts = tuple(bind(place, source) | OWN for place in ("/place", "/place2"))
    with_mounts(container, "true", mounts=mounts).run().ok()
    assert read_children() == before


# --- refused


def test_a_filesystem_without_id_mapped_mounts(container: MakeContainer) -> None:
    mount = bind("/place", "/sys/kernel") | OWN
    c = with_mounts(container, "true", mounts=(mount,))
    c.run().failed(
        "main: open /sys/kernel by bind, idmap 0:5000:10",
        "EINVAL",
        "(mounts[7])",
        "has none: see mount_setattr(2)",
    )
    c.assert_gone()


def test_a_mount_below_that_has_no_mapping(container: MakeContainer, source: Path) -> None:
    mount = bind("/place", source, "rbind ridmap") | OWN
    c = with_mounts(container, "true", mounts=(mount,))
    done = run_in_namespace(c, "mount -t proc proc $D/source/below")
    done.failed("ridmap", "EINVAL", "mounts[7]")
    c.assert_gone()


def test_without_a_source(container: MakeContainer, tmp_path: Path) -> None:
    c = with_mounts(container, "true", mounts=(bind("/place", tmp_path / "none") | OWN,))
    c.run().failed("main: open", f"{tmp_path}/none: ENOENT", "mounts[7]")
    c.assert_gone()
