from __future__ import annotations

from pathlib import Path

import pytest

from bench.runtimes import NoRuntimeError, find_runtimes, needs_memlock_shim, parse_runtime


def make_program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return path


def test_a_runtime_is_a_name_and_a_path() -> None:
    assert parse_runtime("old=/opt/old=1") == ("old", "/opt/old=1")
    assert parse_runtime("old=here") == ("old", str(Path("here").absolute()))


@pytest.mark.parametrize("argument", ["runc", "=runc", "runc=", ""])
def test_anything_else_is_refused(argument: str) -> None:
    with pytest.raises(NoRuntimeError, match="is not NAME=PATH"):
        parse_runtime(argument)


def test_a_runtime_says_its_version(tmp_path: Path) -> None:
    program = make_program(tmp_path / "new", "echo new version 3; echo spec: 1.3.0")
    (runtime,) = find_runtimes([f"new={program}"])
    assert (runtime.name, runtime.path, runtime.version) == ("new", str(program), "new version 3")


def test_what_is_no_runtime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoRuntimeError, match="No such file"):
        find_runtimes([f"new={tmp_path / 'missing'}"])
    program = make_program(tmp_path / "new", "exit 3")
    with pytest.raises(NoRuntimeError, match="exit status 3"):
        find_runtimes([f"new={program}"])


@pytest.mark.parametrize(
    "version", ["runc version 1.1.5", "crun version 1.9", "crun version 1.27.1"]
)
def test_only_old_crun_needs_the_shim(version: str) -> None:
    assert not needs_memlock_shim(version)
