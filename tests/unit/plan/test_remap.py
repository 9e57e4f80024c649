"""Which parts of the interpreter's image are mapped again, and which are copied."""

from __future__ import annotations

import pytest

from pyoci.plan.remap import plan_remap

# A position-dependent interpreter with everything in it, as Debian's.
STATIC = b"""\
00400000-0041f000 r--p 00000000 fe:00 247702                             /usr/bin/python3.11
0041f000-006d2000 r-xp 0001f000 fe:00 247702                             /usr/bin/python3.11
006d2000-00945000 r--p 002d2000 fe:00 247702                             /usr/bin/python3.11
00945000-00946000 r--p 00544000 fe:00 247702                             /usr/bin/python3.11
00946000-00a85000 rw-p 00545000 fe:00 247702                             /usr/bin/python3.11
00a85000-00aca000 rw-p 00000000 00:00 0 
04bc2000-04c66000 rw-p 00000000 00:00 0                                  [heap]
7f10fd66b000-7f10fd672000 r--s 00000000 fe:00 325737                     /usr/lib/gconv.cache
7f10fd67a000-7f10fd67c000 r-xp 00000000 00:00 0                          [vdso]
"""  # noqa: W291  (as the kernel writes it)

# A stub for a shared library.
SHARED = b"""\
563457700000-563457701000 r--p 00000000 fe:00 18500                      /opt/a py/bin/python3
563457701000-563457702000 r-xp 00001000 fe:00 18500                      /opt/a py/bin/python3
563457702000-563457703000 r--p 00002000 fe:00 18500                      /opt/a py/bin/python3
563457703000-563457704000 r--p 00002000 fe:00 18500                      /opt/a py/bin/python3
563457704000-563457705000 rw-p 00003000 fe:00 18500                      /opt/a py/bin/python3
7f56a7000000-7f56a7002000 r--p 00000000 fe:00 21543                      /opt/a py/lib/libpython3.so
7f56a7002000-7f56a7004000 rw-p 00002000 fe:00 21543                      /opt/a py/lib/libpython3.so
"""


def show(maps: bytes, path: bytes) -> list[str]:
    """The plan, a line for each thing to do."""
    plan = plan_remap(maps, path)
    lines = [f"again {s.start:x}-{s.end:x} {s.protection} {s.offset:x}" for s in plan.again]
    lines += [f"copy {start:x}-{end:x}" for start, end in plan.copied]
    return lines + [f"protect {s.start:x}-{s.end:x} {s.protection}" for s in plan.protected]


def test_everything_in_one_file() -> None:
    assert show(STATIC, b"/usr/bin/python3.11") == [
        "again 400000-41f000 1 0",
        "again 41f000-6d2000 5 1f000",
        "again 6d2000-945000 1 2d2000",
        "copy 945000-a85000",
        "protect 945000-946000 1",
    ]


def test_a_stub_for_a_library_and_a_space_in_its_path() -> None:
    assert show(SHARED, b"/opt/a py/bin/python3") == [
        "again 563457700000-563457701000 1 0",
        "again 563457701000-563457702000 5 1000",
        "again 563457702000-563457703000 1 2000",
        "copy 563457703000-563457705000",
        "protect 563457703000-563457704000 1",
    ]


def lay_out(*permissions: bytes) -> bytes:
    """Parts of a page each, one after the other."""
    lines = [
        b"%x000-%x000 %s %08x fe:00 7   /p" % (0x400 + n, 0x401 + n, what, n << 12)
        for n, what in enumerate(permissions)
    ]
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        # Without relocated data apart: what is in front of the data is copied, to be sure.
        (
            (b"r--p", b"r-xp", b"r--p", b"rw-p"),
            ["again 400000", "again 401000", "copy 402000-404000"],
        ),
        # Code in front of the data, as older linkers do it: nobody writes to code.
        ((b"r-xp", b"rw-p"), ["again 400000", "copy 401000-402000"]),
        # The data in two parts, and code in between.
        (
            (b"r--p", b"rw-p", b"r-xp", b"rw-p"),
            ["again 402000", "copy 400000-402000", "copy 403000-404000"],
        ),
        # Code that may be written to.
        ((b"rwxp",), ["copy 400000-401000"]),
        ((b"r-xp",), ["again 400000"]),
        ((b"r--p", b"r-xp"), ["again 400000", "again 401000"]),
    ],
    ids=lambda value: b",".join(value).decode() if isinstance(value, tuple) else "",
)
def test_layouts(permissions: tuple[bytes, ...], expected: list[str]) -> None:
    plan = plan_remap(lay_out(*permissions), b"/p")
    done = [f"again {segment.start:x}" for segment in plan.again]
    assert done + [f"copy {start:x}-{end:x}" for start, end in plan.copied] == expected


def test_what_is_copied_gets_its_protection_back() -> None:
    assert show(lay_out(b"r--p", b"rwxp", b"rw-p"), b"/p")[-2:] == [
        "protect 400000-401000 1",
        "protect 401000-402000 7",
    ]


def test_a_gap_parts_what_is_copied() -> None:
    maps = lay_out(b"r-xp", b"rw-p", b"rw-p", b"rw-p").split(b"\n")
    assert show(b"\n".join([maps[0], maps[1], maps[3]]), b"/p")[1:] == [
        "copy 401000-402000",
        "copy 403000-404000",
    ]


@pytest.mark.parametrize("path", [b"/bin/python3.11", b"ython3.11", b"/usr/bin/python", b"/", b""])
def test_only_the_whole_path_counts(path: bytes) -> None:
    with pytest.raises(ValueError, match="is mapped"):
        plan_remap(STATIC, path)


def test_a_newline_in_the_path() -> None:
    maps = lay_out(b"r-xp").replace(b"/p", b"/a\\012b")
    assert show(maps, b"/a\nb") == ["again 400000-401000 5 0"]


def test_a_file_that_has_been_removed() -> None:
    maps = lay_out(b"r-xp").replace(b"/p", b"/p (deleted)")
    assert show(maps, b"/p (deleted)") == ["again 400000-401000 5 0"]


def test_a_path_of_any_bytes() -> None:
    maps = lay_out(b"r-xp").replace(b"/p", b"/\xff\xfe")
    assert show(maps, b"/\xff\xfe") == ["again 400000-401000 5 0"]


def test_a_shared_mapping_is_refused() -> None:
    with pytest.raises(ValueError, match="r--s"):
        plan_remap(lay_out(b"r-xp", b"r--s"), b"/p")
