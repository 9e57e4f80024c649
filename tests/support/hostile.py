"""A hostile neighbour, who exchanges names all the time, and a canary that must live."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A process of its own, which exchanges as fast as it can and at the end tells how often.
SWAPPER = """
import ctypes, os, signal, sys

libc = ctypes.CDLL(None, use_errno=True)
rename, exchange, here = libc.renameat2, 2, -100
pairs = [(os.fsencode(a), os.fsencode(b)) for a, b in zip(sys.argv[1::2], sys.argv[2::2])]
count = 0

def end(*_):
    print(count, flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    for a, b in pairs:
        if rename(here, a, here, b, exchange) != 0:
            sys.exit(os.strerror(ctypes.get_errno()))
    count += 1
"""


@contextmanager
def swapping(*paths: Path) -> Iterator[None]:
    """Exchange the first path with the second, the third with the fourth, until the block ends.

    AssertionError if that did not go on for all of the time.
    """
    command = [sys.executable, "-c", SWAPPER, *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.stdout.read()
    assert process.returncode == 0
    assert int(said) > 0


def take_picture(directory: Path) -> list[str]:
    """Everything about a directory and what is in it that a mistake could change."""
    found = []
    for path in sorted([directory, *directory.rglob("*")]):
        kept = path.lstat()
        content = b""
        if stat.S_ISREG(kept.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(kept.st_mode):
            content = os.fsencode(path.readlink())
        numbers = (kept.st_mode, kept.st_uid, kept.st_gid, kept.st_rdev, kept.st_mtime_ns)
        found.append(f"{path} {numbers} {hashlib.sha256(content).hexdigest()}")
    return found


def make_canary(directory: Path) -> Path:
    """A directory outside the root filesystem, with what a mistake would write to or replace."""
    canary = directory / "canary"
    for name in ("empty", "sub/deep", "dev/pts", "proc", "sys"):
        (canary / name).mkdir(parents=True)
    for name in ("file", "null", "ptmx", "console", "sub/file", "dev/null"):
        (canary / name).write_text(f"precious {name}\n")
    return canary
