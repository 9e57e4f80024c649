"""libseccomp by ctypes: a profile turned into a filter the way runc and crun do it.

This is the oracle of our own compiler, and nothing but tests uses it.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyoci.spec.model import Seccomp, SyscallRule

NR_SCMP_ERROR = -1
ARCH_NATIVE = 0
ATTR_OPTIMIZE = 8
BINARY_TREE_FROM = 3  # rules; runc has 32, but counts each name as one
EPERM, EEXIST = 1, 17
ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
}
WITH_DATA = {"SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"}
OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}


class ArgCmp(ctypes.Structure):
    """struct scmp_arg_cmp"""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class ContradictionError(Exception):
    """libseccomp refuses two rules for one condition: runc and crun refuse such a profile."""


def load() -> ctypes.CDLL | None:
    """The library, or None where there is none."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.seccomp_arch_remove.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(ArgCmp),
    ]
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    return library


class Oracle:
    """What libseccomp makes of profiles."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._lib = library

    def arch_token(self, name: str) -> int:
        """libseccomp's number of an architecture (SCMP_ARCH_...)."""
        short = name.removeprefix("SCMP_ARCH_").lower().encode()
        return int(self._lib.seccomp_arch_resolve_name(short))

    def number(self, arch: str, name: str) -> int:
        """The call's number there; negative if that architecture has none."""
        token = self.arch_token(arch)
        return int(self._lib.seccomp_syscall_resolve_name_arch(token, name.encode()))

    def native_number(self, name: str) -> int:
        """The number that rules are added with; a made-up one for calls of other machines."""
        return int(self._lib.seccomp_syscall_resolve_name(name.encode()))

    def export(self, profile: Seccomp, arches: list[str]) -> bytes:
        """The program for these architectures, without additions of runc's."""
        default = action(profile.default_action, profile.default_errno_ret)
        with self._context(default) as context:
            self._check(self._lib.seccomp_arch_remove(context, ARCH_NATIVE))
            for arch in arches:
                self._check(self._lib.seccomp_arch_add(context, self.arch_token(arch)))
            if len(profile.syscalls) > BINARY_TREE_FROM:
                self._check(self._lib.seccomp_attr_set(context, ATTR_OPTIMIZE, 2))
            for rule in profile.syscalls:
                returned = action(rule.action, rule.errno_ret)
                if returned != default:
                    self._add(context, returned, rule)
            return self._program(context)

    @contextmanager
    def _context(self, default: int) -> Iterator[int]:
        context = self._lib.seccomp_init(default)
        assert context
        try:
            yield context
        finally:
            self._lib.seccomp_release(context)

    def _add(self, context: int, returned: int, rule: SyscallRule) -> None:
        indexes = [arg.index for arg in rule.args]
        alternatives = [rule.args]
        if len(set(indexes)) < len(indexes):
            alternatives = [(arg,) for arg in rule.args]
        for name in rule.names:
            number = self.native_number(name)
            if number == NR_SCMP_ERROR:
                continue
            for args in alternatives:
                array = (ArgCmp * 6)(
                    *[ArgCmp(a.index, OPERATORS[a.op], a.value, a.value_two) for a in args]
                )
                result = self._lib.seccomp_rule_add_array(
                    context, returned, number, len(args), array
                )
                if result == -EEXIST:
                    raise ContradictionError
                self._check(result)

    def _program(self, context: int) -> bytes:
        with os.fdopen(os.memfd_create("filter"), "w+b") as file:
            self._check(self._lib.seccomp_export_bpf(context, file.fileno()))
            file.seek(0)
            return file.read()

    @staticmethod
    def _check(result: int) -> None:
        if result < 0:
            raise OSError(-result, os.strerror(-result))


def action(word: str, errno_ret: int | None) -> int:
    """libseccomp's number for an action and its data."""
    data = EPERM if errno_ret is None else errno_ret
    return ACTIONS[word] | (data if word in WITH_DATA else 0)
