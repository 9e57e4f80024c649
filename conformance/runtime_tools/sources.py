"""Where the programs come from: a source tree that somebody has built, or Go modules.

The modules are pinned to a commit of December 2025. The last release, v0.9.0 of 2019, does not list
its dependencies and knows a much older specification.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

MODULE = "github.com/opencontainers/runtime-tools"
VERSION = "v0.9.1-0.20251205004911-5e639034dcdc"
GO_SECONDS = 600


class SuiteError(Exception):
    """The tree that was named is not one that can be run."""


class NoSuiteError(Exception):
    """No tree was named and Go modules are not to be had here."""


@dataclass(frozen=True)
class Suite:
    """The programs by name, and the files that they expect in their working directory."""

    programs: dict[str, Path]
    files: tuple[Path, ...]
    origin: str


def find_suite(tree: Path | None, cache: Path) -> Suite:
    """The suite of a built tree if one is named, else of Go modules.

    Raises SuiteError and NoSuiteError.
    """
    return read_tree(tree) if tree else read_modules(cache)


def read_tree(tree: Path) -> Suite:
    """The suite of a source tree that was built as its README says. Raises SuiteError."""
    programs = {path.stem: path for path in sorted(tree.glob("validation/*/*.t"))}
    if not programs:
        raise SuiteError(f"{tree} has no validation/*/*.t: build it as its README says")
    return make_suite(programs, tree, tree / "runtimetest", f"the tree {tree}")


def make_suite(programs: dict[str, Path], root: Path, runtimetest: Path, origin: str) -> Suite:
    """A suite whose working directory needs `runtimetest` and the root file systems in `root`."""
    file_systems = sorted(root.glob("rootfs-*.tar.gz"))
    if not runtimetest.exists() or not file_systems:
        raise SuiteError(f"{root} lacks runtimetest or rootfs-*.tar.gz: see its README")
    return Suite(programs, (runtimetest, *file_systems), origin)


def read_modules(cache: Path) -> Suite:
    """The suite as Go modules, built once into `cache`. Raises NoSuiteError: what is missing."""
    directory = cache / "runtime-tools" / VERSION
    if not directory.exists():
        build_modules(directory)
    binaries = sorted(directory.glob("bin/*"))
    programs = {path.name: path for path in binaries if path.name != "runtimetest"}
    return make_suite(programs, directory, directory / "bin/runtimetest", f"{MODULE}@{VERSION}")


def build_modules(directory: Path) -> None:
    """Builds the programs with the Go command; `directory` appears whole or not at all."""
    if shutil.which("go") is None:
        raise NoSuiteError("RUNTIME_TOOLS names no tree, and there is no go command")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        building = Path(scratch, "suite")
        building.mkdir()
        packages = [f"{MODULE}/{name}@{VERSION}" for name in ("validation/...", "cmd/runtimetest")]
        call_go(building, "install", "-ldflags=-s -w", *packages)
        module = json.loads(call_go(building, "mod", "download", "-json", f"{MODULE}@{VERSION}"))
        for path in Path(module["Dir"]).glob("rootfs-*.tar.gz"):
            shutil.copyfile(path, building / path.name)
        building.rename(directory)


def call_go(directory: Path, *words: str) -> str:
    """Runs the Go command and returns its output. What runs in containers must be static."""
    environment = os.environ | {
        "GOFLAGS": "-mod=mod",
        "GOBIN": str(directory / "bin"),
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    try:
        done = subprocess.run(
            ["go", *words],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=GO_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoSuiteError(f"go {words[0]} did not end within {GO_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise NoSuiteError(f"go {words[0]}: {lines[-1] if lines else 'failed'}")
    return done.stdout


def default_cache() -> Path:
    """Where built programs are kept: outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pyoci"
