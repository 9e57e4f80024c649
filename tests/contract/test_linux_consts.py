"""Our numbers against those that Python, the seccomp tables and the kernel's headers know."""

from __future__ import annotations

import errno
import importlib
import os
import re
import select
import signal
import socket
from pathlib import Path

import pytest

from pyoci.linux import consts, signals
from pyoci.plan.seccomp import arches

INCLUDE = Path("/usr/include")
HEADERS = (
    "linux/sched.h", "linux/mount.h", "linux/openat2.h", "linux/fcntl.h", "linux/magic.h",
    "linux/prctl.h", "linux/capability.h", "linux/keyctl.h", "linux/close_range.h",
    "linux/sockios.h", "linux/wait.h", "linux/stat.h", "asm-generic/unistd.h",
)  # fmt: skip
# Named otherwise in the headers, or an expression there.
RENAMED = {
    "LINUX_CAPABILITY_VERSION_3": "_LINUX_CAPABILITY_VERSION_3",
    **{name: f"__{name}" for name in vars(consts) if name.startswith("NR_")},
}
# The size of the struct; the header's bit of this name is not used.
OWN = {"STATX_SIZE"}


@pytest.mark.parametrize("module", [os, socket, signal, select], ids=lambda m: m.__name__)
def test_numbers_that_python_knows(module: object) -> None:
    for source in (consts, signals):
        for name, value in vars(source).items():
            if name.isupper() and isinstance(value, int) and hasattr(module, name):
                assert value == getattr(module, name), name


def read_headers() -> dict[str, int]:
    found: dict[str, int] = {}
    form = re.compile(
        r"^\s*#define\s+(\w+)\s+\(?(0x[0-9a-fA-F]+|[1-9]\d*|0)(?:U?L*)\)?\s*(?:/\*.*)?$"
    )
    for header in HEADERS:
        path = INCLUDE / header
        for line in path.read_text().splitlines() if path.exists() else ():
            if match := form.match(line):
                found[match[1]] = int(match[2], 0)
    return found


@pytest.mark.skipif(
    not (INCLUDE / "linux/mount.h").exists(), reason="the kernel's headers are not installed"
)
def test_numbers_that_the_headers_know() -> None:
    headers = read_headers()
    checked = 0
    for name, value in vars(consts).items():
        known = headers.get(RENAMED.get(name, name))
        if name.isupper() and name not in OWN and isinstance(value, int) and known is not None:
            assert value == known, name
            checked += 1
    assert checked >= 50


def read_table(machine: str) -> dict[str, int]:
    """System calls of a machine by name, from the tables that seccomp filters are made of."""
    (arch,) = (a for a in arches._ARCHES if a.name == arches._NATIVE[machine])
    table = importlib.import_module(f"pyoci.plan.seccomp.tables.{arch.table}")
    return {
        name: first + index
        for first, names in table.CALLS
        for index, name in enumerate(names.split())
    }


@pytest.mark.parametrize("machine", sorted(consts.SYSCALLS))
def test_system_call_numbers_are_those_of_the_seccomp_tables(machine: str) -> None:
    table = read_table(machine)
    for name, number in consts.SYSCALLS[machine].items():
        assert table[name] == number, name
    for name, number in vars(consts).items():
        if name.startswith("NR_"):
            assert table[name.removeprefix("NR_").lower()] == number, name


def test_every_machine_has_a_number_for_every_call() -> None:
    assert len({frozenset(calls) for calls in consts.SYSCALLS.values()}) == 1


def test_errnos_written_as_numbers() -> None:
    # engine/failures.py and engine/steps.py are hot or late, and do without the names.
    assert (errno.EPERM, errno.ENODEV, errno.EINVAL) == (1, 19, 22)
    assert (errno.ENOSPC, errno.EROFS, errno.ENOSYS, errno.EDQUOT) == (28, 30, 38, 122)
