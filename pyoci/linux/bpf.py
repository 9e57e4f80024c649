"""bpf(2), for programs of the type BPF_PROG_TYPE_CGROUP_DEVICE: load, attach, replace, query.

Descriptors returned are close-on-exec and belong to the caller. The program
itself is made elsewhere; here it is bytes.
"""

from __future__ import annotations

import errno
import posix
import sys

from pyoci.linux.libc import address, buffer, call, function, number_of, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ctypes import Array
    from typing import Any

# linux/bpf.h: enum bpf_cmd, bpf_prog_type, bpf_attach_type, BPF_F_*
BPF_PROG_LOAD = 5
BPF_PROG_ATTACH = 8
BPF_PROG_DETACH = 9
BPF_PROG_GET_FD_BY_ID = 13
BPF_PROG_QUERY = 16
BPF_PROG_TYPE_CGROUP_DEVICE = 15
BPF_CGROUP_DEVICE = 6
BPF_F_ALLOW_MULTI = 2
BPF_F_REPLACE = 4
_INSTRUCTION_SIZE = 8

# union bpf_attr, as far as PROG_LOAD's name and the end of PROG_QUERY's part. Kernels since 6.17
# write the last field of a query whatever size they were told, so it must be ours to write.
_LOAD_SIZE = 64
_QUERY_SIZE = 64
_QUERY_COUNT_AT = 24
_ATTACHED_MAX = 64  # programs of one type in one cgroup: BPF_CGROUP_MAX_PROGS

# A program that calls no helper may have any license.
_LICENSE = b"Apache-2.0\0".ljust(16, b"\0")
_NAME = b"pyoci_devices".ljust(16, b"\0")  # what `bpftool prog` shows

# What the verifier says last is what matters. Kernels before 6.4 keep the beginning of a log that
# does not fit, so that it gets all the room that a kernel allows.
_LOG_SIZES = (1 << 20, 0xFFFFFF)
_INTERRUPTED_MAX = 30  # a signal ends the verifier's work with EAGAIN

_RLIMIT_MEMLOCK = 8
_RLIM_INFINITY = 2**64 - 1


class VerifierError(OSError):
    """The kernel's verifier refused a program; `log` is what it said."""

    def __init__(self, number: int, log: str) -> None:
        """Take the errno and the log."""
        super().__init__(number, posix.strerror(number))
        self.log = log


def load_device_program(program: bytes) -> int:
    """A descriptor of the loaded program (struct bpf_insn); VerifierError if it is refused.

    OSError where it does not come to that: EPERM without CAP_BPF, EINVAL on a
    kernel without CONFIG_CGROUP_BPF.
    """
    try:
        return _load(program)
    except OSError as error:
        first = error
    if first.errno in (errno.EPERM, errno.ENOMEM):
        return _load_with_memory(program)
    # It failed: now its log is worth the time, which the first attempt did not spend.
    return _load_with_log(program, first)


def _load(program: bytes, log: Array[Any] | None = None) -> int:
    """BPF_PROG_LOAD. One buffer has what the kernel reads: attributes, license, instructions."""
    made = buffer(_LOAD_SIZE + len(_LICENSE) + len(program))
    license_at = address(made) + _LOAD_SIZE
    attributes = (
        _u32(BPF_PROG_TYPE_CGROUP_DEVICE),
        _u32(len(program) // _INSTRUCTION_SIZE),
        _u64(license_at + len(_LICENSE)),
        _u64(license_at),
        _u32(0 if log is None else 1),
        _u32(0 if log is None else len(log)),
        _u64(0 if log is None else address(log)),
        _u64(0),  # kern_version, prog_flags
        _NAME,
        _LICENSE,
        program,
    )
    made.raw = b"".join(attributes)
    bpf = number_of("bpf")
    for _ in range(_INTERRUPTED_MAX):
        try:
            return syscall(bpf, BPF_PROG_LOAD, made, _LOAD_SIZE)
        except BlockingIOError:
            continue
    return syscall(bpf, BPF_PROG_LOAD, made, _LOAD_SIZE)


def _load_with_log(program: bytes, first: OSError) -> int:
    text = ""
    for size in _LOG_SIZES:
        log = buffer(size)
        try:
            return _load(program, log)
        except OSError as error:
            text = bytes(log).partition(b"\0")[0].decode("ascii", "backslashreplace").strip()
            if not text:
                raise
            if error.errno != errno.ENOSPC:
                raise VerifierError(error.errno or 0, text) from None
    raise VerifierError(first.errno or 0, text)  # ENOSPC is only the log's: it did not fit


def _load_with_memory(program: bytes) -> int:
    """Load once more, with all the locked memory that we may have.

    Kernels before 5.11 count programs as such. The limit is put back, since the
    container inherits it. That it cannot be raised (EPERM) is no error: the
    load's own says more.
    """
    prlimit = function("prlimit64", 4)
    old = buffer(16)
    call(prlimit, 0, _RLIMIT_MEMLOCK, None, old)
    hard = bytes(old)[8:]
    for wanted in (_u64(_RLIM_INFINITY) * 2, hard * 2):
        try:
            call(prlimit, 0, _RLIMIT_MEMLOCK, wanted, None)
        except PermissionError:
            continue
        break
    try:
        return _load(program)
    finally:
        call(prlimit, 0, _RLIMIT_MEMLOCK, bytes(old), None)


def attach(cgroup_fd: int, program_fd: int, replace_fd: int | None = None) -> None:
    """Attach a program to a cgroup beside others, or in the place of one (BPF_PROG_ATTACH).

    All programs of a cgroup and its ancestors must allow a request. With
    `replace_fd`: ENOENT if that is not attached, EINVAL before Linux 5.6.
    """
    flags = BPF_F_ALLOW_MULTI if replace_fd is None else BPF_F_ALLOW_MULTI | BPF_F_REPLACE
    words = (cgroup_fd, program_fd, BPF_CGROUP_DEVICE, flags, replace_fd or 0)
    _bpf(BPF_PROG_ATTACH, b"".join([_u32(word) for word in words]))


def detach(cgroup_fd: int, program_fd: int) -> None:
    """Take a program off a cgroup (BPF_PROG_DETACH); ENOENT if it is not attached."""
    words = (cgroup_fd, program_fd, BPF_CGROUP_DEVICE)
    _bpf(BPF_PROG_DETACH, b"".join([_u32(word) for word in words]))


def read_attached(cgroup_fd: int) -> tuple[int, ...]:
    """The ids of the device programs attached to this very cgroup (BPF_PROG_QUERY)."""
    ids = buffer(4 * _ATTACHED_MAX)
    words = (_u32(cgroup_fd), _u32(BPF_CGROUP_DEVICE), _u64(0), _u64(address(ids)))
    query = buffer(_QUERY_SIZE, b"".join((*words, _u32(_ATTACHED_MAX))))
    syscall(number_of("bpf"), BPF_PROG_QUERY, query, _QUERY_SIZE)
    at = _QUERY_COUNT_AT
    count = int.from_bytes(bytes(query)[at : at + 4], sys.byteorder)
    found = bytes(ids)
    return tuple(
        int.from_bytes(found[4 * index : 4 * index + 4], sys.byteorder) for index in range(count)
    )


def open_program(program_id: int) -> int:
    """A descriptor of a loaded program; ENOENT if it is gone, EPERM or EACCES if it is not ours."""
    return _bpf(BPF_PROG_GET_FD_BY_ID, _u32(program_id))


def _bpf(command: int, attributes: bytes) -> int:
    # The kernel takes what is beyond the size as zero, and does not write to these.
    return syscall(number_of("bpf"), command, attributes, len(attributes))


def _u32(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)


def _u64(value: int) -> bytes:
    return value.to_bytes(8, sys.byteorder)
