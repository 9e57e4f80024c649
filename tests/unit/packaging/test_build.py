"""The build: which interpreters it takes, and what it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import build


@pytest.mark.parametrize(
    ("python", "version", "implementation", "complaint"),
    [
        ("/usr/bin/python3", (3, 10, 12), "cpython", "/usr/bin/python3 is cpython 3.10.12"),
        ("/usr/bin/pypy3", (3, 11, 1), "pypy", "/usr/bin/pypy3 is pypy 3.11.1"),
        ("/opt/my python", (3, 12, 0), "cpython", "has a space in it"),
        ("/" + "x" * 120, (3, 12, 0), "cpython", "too long"),
    ],
)
def test_an_interpreter_that_cannot_serve_is_refused(
    python: str, version: tuple[int, ...], implementation: str, complaint: str
) -> None:
    with pytest.raises(build.BuildError, match=complaint):
        build.check_interpreter(python, version, implementation)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (4, 0, 0)])
def test_a_newer_interpreter_serves(version: tuple[int, ...]) -> None:
    build.check_interpreter("/usr/bin/python3", version, "cpython")


def test_code_that_everyone_can_write_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "open" / "library"
    library.mkdir(parents=True)
    build.check_not_world_writable(library)
    library.parent.chmod(0o777)
    with pytest.raises(build.BuildError, match="open is writable by everyone"):
        build.check_not_world_writable(library)
    library.parent.chmod(0o1777)
    build.check_not_world_writable(library)


def test_a_library_that_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    bare = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    with pytest.raises(build.BuildError, match=r"click \(python3-click\), jsonschema"):
        build.find_library_paths(str(bare / "bin" / "python"))


def test_a_directory_without_git_has_no_commit(tmp_path: Path) -> None:
    assert build.read_commit(tmp_path) == ""


def test_a_checkout_has_the_commit_that_git_says(tmp_path: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert build.read_commit(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), *identity]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    command = [*git, "log", "--format=%h"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert build.read_commit(tmp_path) == said.strip()


def run_build(output: Path) -> None:
    """Build as a user with a narrow umask does, for the interpreter of the tests."""
    script = str(build.ROOT / "packaging" / "build.py")
    command = [sys.executable, "-EsB", script, "--output", str(output)]
    subprocess.run(command, check=True, umask=0o077)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that was built into twice; between the builds a module went away."""
    output = tmp_path_factory.mktemp("built")
    run_build(output)
    (output / "lib" / "pyoci" / "stale.py").touch()
    run_build(output)
    return output


def test_the_launcher_names_an_absolute_interpreter(built: Path) -> None:
    first = (built / "pyoci").read_text().splitlines()[0]
    assert first == f"#!{sys.executable} -ISXutf8"


def test_everyone_may_run_it_and_only_the_owner_change_it(built: Path) -> None:
    assert (built / "pyoci").stat().st_mode & 0o7777 == 0o755
    for path in (built / "lib", *(built / "lib").rglob("*")):
        assert path.stat().st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644), path


def test_every_module_has_bytecode_that_needs_no_check(built: Path) -> None:
    modules = list((built / "lib").rglob("*.py"))
    assert built / "lib" / "pyoci_start.py" in modules
    for module in modules:
        tag = sys.implementation.cache_tag
        compiled = module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc"
        # PEP 552: flags 1 is a hash that is not compared with the source.
        assert compiled.read_bytes()[4:8] == b"\1\0\0\0", module


def test_it_runs_with_an_empty_environment_and_writes_nothing(built: Path) -> None:
    before = sorted(built.rglob("*"))
    command = [str(built / "pyoci"), "--version"]
    done = subprocess.run(command, capture_output=True, env={}, cwd="/", check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"pyoci version ")
    assert sorted(built.rglob("*")) == before


def test_it_finds_click_for_help(built: Path) -> None:
    command = [str(built / "pyoci"), "--help"]
    done = subprocess.run(command, capture_output=True, env={}, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_second_build_replaces_the_first(built: Path) -> None:
    assert not (built / "lib" / "pyoci" / "stale.py").exists()
    assert sorted(os.listdir(built)) == ["lib", "pyoci"]
