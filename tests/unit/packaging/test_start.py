"""The finder of compiled modules: what it finds, and what it leaves to the path finder."""

from __future__ import annotations

import importlib.util
import py_compile
import sys
from pathlib import Path

import pytest

import start


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A package with a module and a package in it, compiled, and one module that is not."""
    for name in ("sample/__init__", "sample/plain", "sample/deep/__init__", "sample/uncompiled"):
        source = tmp_path / f"{name}.py"
        source.parent.mkdir(exist_ok=True)
        source.write_text(f"VALUE = {name!r}\n")
        if not name.endswith("uncompiled"):
            py_compile.compile(str(source), doraise=True)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("sample", "sample/__init__"),
        ("sample.plain", "sample/plain"),
        ("sample.deep", "sample/deep/__init__"),
    ],
)
def test_a_compiled_module_runs_under_its_name(library: Path, name: str, source: str) -> None:
    spec = start.CompiledModules(str(library), "sample").find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert source == module.VALUE
    assert module.__file__ == str(library / f"{source}.py")
    assert module.__name__ == name


def test_a_package_says_where_its_modules_are(library: Path) -> None:
    finder = start.CompiledModules(str(library), "sample")
    spec = finder.find_spec("sample.deep")
    assert spec is not None
    assert spec.submodule_search_locations == [str(library / "sample/deep")]
    spec = finder.find_spec("sample.plain")
    assert spec is not None
    assert spec.submodule_search_locations is None


@pytest.mark.parametrize(
    "name", ["os", "samples", "sampler.plain", "sample.uncompiled", "sample.missing"]
)
def test_the_rest_is_left_to_others(library: Path, name: str) -> None:
    assert start.CompiledModules(str(library), "sample").find_spec(name) is None


def test_the_bytecode_of_another_python_is_left_to_others(library: Path) -> None:
    compiled = library / f"sample/__pycache__/plain.{sys.implementation.cache_tag}.pyc"
    compiled.write_bytes(b"\0\0\r\n" + compiled.read_bytes()[4:])
    assert start.CompiledModules(str(library), "sample").find_spec("sample.plain") is None


def test_a_file_larger_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        assert start.read_all(file.fileno(), chunk_bytes=256) == content
