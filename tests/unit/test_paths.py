"""Container paths as strings: nothing leaves the root."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.paths import absolute, clean, is_below, nearest

# Few names, so that paths meet.
paths = st.lists(st.sampled_from(["a", "b", "..", ".", "", "a.b", "..."]), max_size=7).map("/".join)
clean_paths = paths.map(clean)


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "/"),
        ("/", "/"),
        ("//a///b//", "/a/b"),
        ("a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../a", "/a"),
        ("/a/b/../../..", "/"),
        ("/...", "/..."),
        ("/a\n", "/a\n"),
    ],
)
def test_clean(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


@given(paths)
def test_clean_is_absolute_idempotent_and_stays_inside(path: str) -> None:
    cleaned = clean(path)
    assert cleaned.startswith("/")
    assert clean(cleaned) == cleaned
    assert not {"", ".", ".."} & set(cleaned.split("/")[1:]) or cleaned == "/"
    # The library keeps two leading slashes, which POSIX lets mean something.
    assert cleaned == posixpath.normpath(f"/{path.lstrip('/')}")


@given(paths, paths)
def test_no_path_below_another_leaves_it(base: str, path: str) -> None:
    assert is_below(clean(f"{clean(base)}{clean(path)}"), clean(base))


@given(clean_paths, clean_paths)
def test_is_below_goes_by_whole_names(path: str, base: str) -> None:
    expected = path.split("/")[: len(base.split("/"))] == base.split("/") or base == "/"
    assert is_below(path, base) is expected


@given(clean_paths, st.lists(clean_paths, max_size=4))
def test_nearest_is_a_base_that_the_path_is_below(path: str, bases: list[str]) -> None:
    found = nearest(path, bases)
    assert found in [*bases, "/"]
    assert is_below(path, found)


@given(clean_paths, st.lists(clean_paths, max_size=4))
def test_of_mounts_in_order_the_last_that_covers_the_path_is_nearest(
    path: str, bases: list[str]
) -> None:
    covering = [base for base in bases if is_below(path, base)]
    assert nearest(path, bases) == (covering[-1] if covering else "/")


def test_a_mount_that_a_later_one_covers_is_not_nearest() -> None:
    assert nearest("/a/b/f", ["/a", "/a/b"]) == "/a/b"
    assert nearest("/a/b/f", ["/a/b", "/a"]) == "/a"


@pytest.mark.parametrize(
    ("path", "base", "found"),
    [
        ("/x", "/bundle", "/x"),
        ("rootfs", "/bundle", "/bundle/rootfs"),
        ("rootfs", "/", "/rootfs"),
        ("../x", "/bundle", "/bundle/../x"),
        ("", "/bundle", "/bundle/"),
    ],
)
def test_absolute_leaves_symlinks_and_dots_alone(path: str, base: str, found: str) -> None:
    assert absolute(path, base) == found
