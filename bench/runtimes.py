"""The runtimes under comparison: where they are, their versions, what they need to run here."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec import host, toolchain

if TYPE_CHECKING:
    from collections.abc import Iterable

BUILT = Path(__file__).parent.parent / "build" / "pyoci"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NoRuntimeError(Exception):
    """A runtime cannot be had; the text says which and why."""


@dataclass(frozen=True)
class Runtime:
    """A runtime by path, the first line of its --version, and the environment it is given."""

    name: str
    path: str
    version: str
    environment: dict[str, str]
    note: str = ""


def find_runtimes(given: Iterable[str]) -> list[Runtime]:
    """The runtimes of `NAME=PATH` arguments; without any, those of default_runtimes."""
    named = dict(parse_runtime(argument) for argument in given) or default_runtimes()
    return [make_runtime(name, path) for name, path in named.items()]


def parse_runtime(argument: str) -> tuple[str, str]:
    """Name and absolute path; NoRuntimeError for any other form."""
    name, separator, path = argument.partition("=")
    if not (name and separator and path):
        raise NoRuntimeError(f"{argument!r} is not NAME=PATH")
    return name, str(Path(path).absolute())


def default_runtimes() -> dict[str, str]:
    """pyoci as `make build` leaves it, runc and crun; those that are there."""
    found = {"pyoci": str(BUILT)} if BUILT.exists() else {}
    for name in ("runc", "crun"):
        path = shutil.which(name, path=SEARCH_PATH)
        if path:
            found[name] = path
    return found


def make_runtime(name: str, path: str) -> Runtime:
    """The runtime at the path; NoRuntimeError if it cannot say its version."""
    environment = {"PATH": SEARCH_PATH}
    try:
        command = [path, "--version"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoRuntimeError(f"{name}: {error}") from error
    version = done.stdout.partition("\n")[0]
    if not needs_memlock_shim(version):
        return Runtime(name, path, version, environment)
    try:
        shim = toolchain.build_memlock_shim()
    except toolchain.NoCompilerError as error:
        raise NoRuntimeError(f"{name} needs a preloaded library here, and {error}") from error
    environment["LD_PRELOAD"] = os.fspath(shim)
    note = f"{name}: runs with a preloaded setrlimit, for want of CAP_SYS_RESOURCE"
    return Runtime(name, path, version, environment, note)


def needs_memlock_shim(version: str) -> bool:
    """True for crun before 1.9 where it may not raise RLIMIT_MEMLOCK, on which it insists."""
    if not version.startswith("crun version ") or host.has_capability(host.CAP_SYS_RESOURCE):
        return False
    numbers = version.split()[2].split(".")
    return tuple(int(number) for number in numbers[:2]) < (1, 9)
