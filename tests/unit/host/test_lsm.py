"""Which security modules there are, by files that say so and files that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyoci.host.lsm import has_apparmor, has_selinux, read_modules

OWN = Path("/proc/thread-self/attr/apparmor/current")


@pytest.mark.parametrize(
    ("text", "found"),
    [("unconfined\n", True), ("docker-default (enforce)\n", True), ("", False), (None, False)],
)
def test_apparmor(tmp_path: Path, text: str | None, found: bool) -> None:
    file = tmp_path / "current"
    if text is not None:
        file.write_text(text)
    assert has_apparmor(str(file)) is found


def test_apparmor_that_does_not_answer_is_none(tmp_path: Path) -> None:
    assert not has_apparmor(str(tmp_path))  # EISDIR, as EINVAL of a kernel that does not run it


def test_any_directory_is_not_selinuxs(tmp_path: Path) -> None:
    (tmp_path / "current").write_text("system_u:system_r:init_t:s0\0")
    assert not has_selinux(str(tmp_path), str(tmp_path / "current"))
    assert not has_selinux(str(tmp_path / "missing"), str(tmp_path / "current"))


def test_this_machine() -> None:
    """The module list of the machine, where securityfs says it, is another witness."""
    found = read_modules()
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    assert ("apparmor" in found) == (enabled.exists() and enabled.read_text() == "Y\n")
    if "selinux" in found:
        assert Path("/sys/fs/selinux/enforce").exists()
