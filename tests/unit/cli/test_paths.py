"""The state root's rules, and absolute paths."""

from __future__ import annotations

import posix
import stat
from typing import TYPE_CHECKING

import pytest

from pyoci.cli import paths
from pyoci.errors import PyociError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paths.absolute_path("") == str(tmp_path)
    assert paths.absolute_path(".") == str(tmp_path)
    assert paths.absolute_path("a//./b/") == f"{tmp_path}/a/b"
    assert paths.absolute_path("/a/../b") == "/a/../b"
    assert paths.absolute_path("/") == "/"


def test_clean_path() -> None:
    assert paths.clean_path("/a/./b/../../c//d/") == "/c/d"
    assert paths.clean_path("/../..") == "/"


def test_a_given_root_is_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paths.given_root("r/../s") == f"{tmp_path}/s"


@pytest.mark.parametrize("path", ["", "/", "//", "/..", "/a/.."])
def test_a_root_that_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        paths.given_root(path)


def test_an_ordinary_user_has_his_own_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix, "geteuid", lambda: 1000)
    monkeypatch.setitem(posix.environ, b"XDG_RUNTIME_DIR", b"/run/user/1000/")
    assert paths.default_root() == ("/run/user/1000/pyoci", True)


@pytest.mark.parametrize("value", [b"", None])
def test_without_a_runtime_dir_the_root_is_the_systems(
    value: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posix, "geteuid", lambda: 1000)
    monkeypatch.delitem(posix.environ, b"XDG_RUNTIME_DIR", raising=False)
    if value is not None:
        monkeypatch.setitem(posix.environ, b"XDG_RUNTIME_DIR", value)
    assert paths.default_root() == ("/run/pyoci", False)


def test_a_users_root_is_private_and_sticky(tmp_path: Path) -> None:
    root = tmp_path / "run" / "user" / "pyoci"
    for _ in range(2):
        paths.make_user_root(str(root))
        assert stat.S_IMODE(root.stat().st_mode) == 0o1700
    assert stat.S_IMODE(root.parent.stat().st_mode) == 0o700


def test_a_users_root_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PyociError, match=r"cannot make the state root: .*ENOTDIR") as caught:
        paths.make_user_root(str(tmp_path / "file" / "pyoci"))
    assert "XDG_RUNTIME_DIR" in caught.value.hint
