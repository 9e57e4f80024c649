"""Builds the suite's C programs, once per source text, into the user's cache directory."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "probe"


class NoCompilerError(Exception):
    """There is no C compiler, or it could not build the probe."""


def cache_directory() -> Path:
    """Where built programs are kept; made when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "pyoci-conformance"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def build_probe() -> Path:
    """The static probe."""
    return build(SOURCES / "probe.c", ("-static",))


def build_memlock_shim() -> Path:
    """A library that lets crun 1.8 load its device program without CAP_SYS_RESOURCE."""
    return build(SOURCES / "memlock.c", ("-shared", "-fPIC"))


def build(source: Path, options: tuple[str, ...]) -> Path:
    """The program made of `source`, compiled unless the cache has it. Raises NoCompilerError."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    program = cache_directory() / f"{source.stem}-{digest}"
    if not program.exists():
        compile_program(source, program, options)
    return program


def compile_program(source: Path, program: Path, options: tuple[str, ...]) -> None:
    """Compiles beside the final name and renames: what is in the cache is whole."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompilerError("no C compiler found: install gcc and libc6-dev")
    unfinished = program.with_suffix(f".{os.getpid()}")
    command = [compiler, "-O1", *options, "-o", str(unfinished), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise NoCompilerError(f"cannot build {source.name}: {done.stderr.strip().splitlines()[-1]}")
    unfinished.rename(program)
