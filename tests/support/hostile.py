"""A hostile neighbour, who exchanges names all the time, and a canary that must live."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.spec.host import enter_private_namespaces
from pyoci.linux.consts import MOUNT_ATTR_RDONLY
from pyoci.linux.mount import clone_tree, mount_setattr, move_mount
from tests.support.containers import Result

# What a runtime must be able to write to, besides directories for files; and what it must not.
_WRITABLE = ("/dev", "/proc", "/sys/fs/cgroup")
_PROTECTED = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/acpi")

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


WRITABLE = {"readonly": False}


def ways_out(canary: Path, depth: int) -> dict[str, str]:
    """Symlinks that lead to the canary for whoever follows them on the host.

    `depth` is how many directories of the root filesystem the link lies in.
    """
    up = "../" * (depth + 2)  # out of the root filesystem, and out of the bundle
    return {
        "absolute": str(canary),
        "relative": f"{up}canary",
        "far up": f"{'../' * 40}{str(canary).lstrip('/')}",
        "up and down": f"./{up}canary/../canary/sub/..",
        "slashes": f"//{str(canary).lstrip('/')}//",
        "through procfs": f"/proc/self/root{canary}",
        "through cwd": f"/proc/self/cwd/{up}canary",
    }


WAYS = tuple(ways_out(Path("/x"), 0))


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


IN_OPEN = 0x20  # sys/inotify.h


@contextmanager
def never_opened(*paths: Path) -> Iterator[None]:
    """AssertionError if somebody opens one of these in the block: to open a device is to use it.

    To look at one (O_PATH) is not to open it (inotify(7)).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        for path in paths:
            assert libc.inotify_add_watch(fd, os.fsencode(path), IN_OPEN) > 0
        yield
        with pytest.raises(BlockingIOError):
            os.read(fd, 4096)
    finally:
        os.close(fd)


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


def confine(*scratch: Path) -> None:
    """Enter namespaces of our own, where of the machine only these directories can be written.

    They are shared within themselves, as a machine's are, so that what leaks is seen.
    """
    enter_private_namespaces("v2")
    root_fd = os.open("/", os.O_PATH)
    mount_setattr(root_fd, attr_set=MOUNT_ATTR_RDONLY, recursive=True)
    os.close(root_fd)
    for path in (*_WRITABLE, *map(str, scratch)):
        _cover_with_itself(path, attr_clr=MOUNT_ATTR_RDONLY)
    for path in filter(os.path.exists, _PROTECTED):
        _cover_with_itself(path, attr_set=MOUNT_ATTR_RDONLY)


def _cover_with_itself(path: str, **attributes: int) -> None:
    fd = os.open(path, os.O_PATH)
    tree_fd = clone_tree(fd, recursive=True)
    mount_setattr(tree_fd, recursive=True, **attributes)
    move_mount(tree_fd, fd)
    os.close(tree_fd)
    os.close(fd)


@functools.cache
def is_pyoci(runtime: str) -> bool:
    """Whether this runtime is pyoci, whose words the tests know."""
    said = subprocess.run([runtime, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.startswith("pyoci ")


def refused(done: Result, *texts: str) -> Result:
    """Itself; AssertionError unless the runtime failed cleanly, pyoci with all of these words."""
    if is_pyoci(done.command[0]):
        return done.failed(*texts)
    assert done.rc > 0, done
    assert "panic:" not in done.stderr, done
    return done


def ran(done: Result) -> bool:
    """Whether the container ran: with pyoci it has to, another runtime may refuse cleanly."""
    if is_pyoci(done.command[0]):
        done.ok()
    elif done.rc != 0:
        refused(done)
        return False
    return True
