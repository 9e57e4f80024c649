"""An interpreter to be attacked: a copy of the one that pyoci runs on, never the host's own.

Beside the runtime under test on that copy there is a control: the same runtime without the call
that protects the interpreter. An attack that does not succeed on the control proves nothing.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import shutil
import struct
from pathlib import Path
from typing import TypeAlias

from conformance.spec.toolchain import build
from tests.support.variants import Launcher, make_variant

SOURCES = Path(__file__).parent / "attack"
UNPROTECTED = '''

def protect_interpreter(log: object) -> None:
    """Nothing: this is a control."""
'''
MARK = b"pwned"

PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_MM, PR_SET_MM_MAP_SIZE = 22, 2, 35, 15
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, 0x80000
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
# The only machines that tests/support/attack/loader.c has system calls for.
CALLS = {
    "x86_64": {"prctl": 157, "memfd_create": 319, "open_tree": 428},
    "aarch64": {"prctl": 167, "memfd_create": 279, "open_tree": 428},
}

# A call with this argument (its index, its value) fails: (name, index, value, errno).
Refusal: TypeAlias = tuple[str, int, int, int]
# As without CONFIG_CHECKPOINT_RESTORE.
NO_PRCTL: Refusal = ("prctl", 0, PR_SET_MM, errno.EINVAL)
# A mount of the interpreter: those of the container are made of what is open already.
NO_MOUNT: Refusal = ("open_tree", 2, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, errno.EPERM)
# As with vm.memfd_noexec=2: MFD_EXEC, beside MFD_CLOEXEC and MFD_ALLOW_SEALING.
NO_MEMORY_FILE: Refusal = ("memfd_create", 1, 0x13, errno.EACCES)


class Victim:
    """The copy, the runtime on it, and the control."""

    def __init__(self, runtime: Path, directory: Path) -> None:
        """Make them in the directory; the modules of the runtime under test serve all."""
        self.launcher = launcher = Launcher(runtime)
        directory.mkdir()
        directory.chmod(0o755)
        self.directory = directory
        self.python = directory / "python3"
        shutil.copy(launcher.interpreter.resolve(), self.python)
        self.options = launcher.options
        self.library = launcher.library
        self.protected = launcher.write(directory / "protected", self.python)
        self.size = self.python.stat().st_size

    @functools.cached_property
    def control(self) -> Path:
        """The runtime without the protection, on modules of its own; made when asked for."""
        library = self.directory / "lib"
        make_variant(self.library, library, {"engine/protect": UNPROTECTED})
        return self.launcher.write(self.directory / "control", self.python, library)

    @property
    def inode(self) -> int:
        """The inode of the copy, by which a container recognizes it."""
        return self.python.stat().st_ino

    def is_overwritten(self) -> bool:
        """Whether a container has written to it."""
        return self.python.read_bytes()[self.size :].startswith(MARK)

    def read_loader(self) -> str:
        """The dynamic loader that it asks for (elf(5), PT_INTERP)."""
        return read_elf_interpreter(self.python.read_bytes())


def can_hide() -> bool:
    """Whether the kernel lets a process say what it runs (CONFIG_CHECKPOINT_RESTORE)."""
    size = ctypes.c_uint()
    libc = ctypes.CDLL(None)
    return bool(libc.prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, ctypes.byref(size), 0, 0) == 0)


def read_elf_interpreter(image: bytes) -> str:
    """The PT_INTERP of a 64-bit program in this machine's byte order."""
    (headers,) = struct.unpack_from("=Q", image, 32)
    size, count = struct.unpack_from("=HH", image, 54)
    for number in range(count):
        kind, _, offset, _, _, length = struct.unpack_from(
            "=IIQQQQ", image, headers + number * size
        )
        if kind == 3:
            return image[offset : offset + length].rstrip(b"\0").decode()
    message = "statically linked"
    raise ValueError(message)


def build_hunter() -> Path:
    """The program that looks for the interpreter, and waits until it can be written to."""
    return build(SOURCES / "hunter.c", ("-static",))


def build_loader() -> Path:
    """The loader of a hostile image."""
    options = ("-static-pie", "-nostdlib", "-fPIE", "-fno-stack-protector", "-ffreestanding")
    return build(SOURCES / "loader.c", options)


def refuse_calls(*refusals: Refusal) -> None:
    """Have these calls fail in us and in what we start (seccomp(2)); needs root."""
    numbers = CALLS[os.uname().machine]
    program = []
    for name, index, value, number in refusals:
        # The low halves of the arguments, which begin at 16, on a little-endian machine.
        program += [(LOAD, 0, 0, 0), (EQUAL, 0, 3, numbers[name]), (LOAD, 0, 0, 16 + 8 * index)]
        program += [(EQUAL, 0, 1, value), (RETURN, 0, 0, ERRNO | number)]
    program.append((RETURN, 0, 0, ALLOW))
    code = b"".join([struct.pack("=HBBI", *instruction) for instruction in program])
    content = ctypes.create_string_buffer(code)
    description = struct.pack("@HP", len(program), ctypes.addressof(content))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, description, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")
