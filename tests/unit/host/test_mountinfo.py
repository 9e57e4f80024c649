"""/proc/self/mountinfo as values."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyoci.host.mountinfo import MountInfo, parse_mountinfo, read_mountinfo

# Names without a slash or NUL; the kernel shows any other byte.
names = st.text(st.sampled_from(" \t\n\\#-0a134é/"), max_size=8)
mounts = st.lists(
    st.builds(
        MountInfo,
        mount_id=st.integers(0, 2**31),
        root=names.map(lambda name: f"/{name}"),
        mount_point=names.map(lambda name: f"/{name}"),
        type=st.sampled_from(["ext4", "fuse.x-y", "cgroup2"]),
        source=names,
    ),
    max_size=4,
)
optional_fields = st.sampled_from(["", "shared:1 ", "shared:1 master:2 propagate_from:3 "])


def escape(name: str, characters: str) -> str:
    """As seq_escape() in the kernel's fs/seq_file.c."""
    return "".join(f"\\{ord(char):03o}" if char in characters else char for char in name)


def format_line(mount: MountInfo, optional: str) -> str:
    """As show_mountinfo() in the kernel's fs/proc_namespace.c."""
    root, point = (escape(path, " \t\n\\") for path in (mount.root, mount.mount_point))
    source = escape(mount.source, " \t\n\\#")
    return (
        f"{mount.mount_id} 1 8:1 {root} {point} rw,noatime {optional}- {mount.type} {source} "
        "rw,errors=remount-ro\n"
    )


@given(mounts, optional_fields)
@settings(max_examples=40)
def test_what_the_kernel_writes_is_read(made: list[MountInfo], optional: str) -> None:
    assert parse_mountinfo("".join(format_line(mount, optional) for mount in made)) == made


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (r"/a\040b", "/a b"),
        (r"/\011\012\134", "/\t\n\\"),
        (r"/\134040", r"/\040"),
        (r"/\134134", r"/\134"),
        (r"/-", "/-"),
    ],
)
def test_escapes(written: str, name: str) -> None:
    (found,) = parse_mountinfo(f"1 1 0:1 / {written} rw - tmpfs tmpfs rw\n")
    assert found.mount_point == name


def test_nothing() -> None:
    assert parse_mountinfo("") == []


def test_the_real_one() -> None:
    found = read_mountinfo()
    assert len({mount.mount_id for mount in found}) == len(found)
    assert any(mount.mount_point == "/" for mount in found)
    (proc, *_) = (mount for mount in found if mount.type == "proc")
    assert os.path.ismount(proc.mount_point)
