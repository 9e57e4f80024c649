"""The image that this process runs: its parts in memory, and the file that the kernel names.

``/proc/PID/exe`` of a process is the file that execve(2) was given, as long as the process lives.
PR_SET_MM_MAP makes it another one, under the condition that nothing of the old one is mapped
(prctl(2)), so its parts are replaced first: see ``plan/remap.py`` for which is replaced by what.

Only for a process with one thread: while data is moved nothing may write to it. For the same
reason no bytecode may run meanwhile, where the interpreter's own state is part of that data: the
calls are chained by makecontext(3), which makes each go over into the next.
"""

from __future__ import annotations

import errno
import posix
import sys

from pyoci.linux.consts import (
    F_ADD_SEALS,
    F_GET_SEALS,
    F_SEAL_GROW,
    F_SEAL_SEAL,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    MAP_FIXED,
    MAP_PRIVATE,
    MFD_ALLOW_SEALING,
    MFD_CLOEXEC,
    MFD_EXEC,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PR_SET_MM,
    PR_SET_MM_MAP,
    PROT_READ,
    PROT_WRITE,
)
from pyoci.linux.libc import address, buffer, call, function, long_function, symbol
from pyoci.linux.pidfd import read_kernel_file
from pyoci.linux.signals import block_signals, restore_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_prctl = function("prctl", 5)

# Index of a field of `read_stat`.
THREADS = 19

SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
_WORD = 8 if sys.maxsize > 1 << 32 else 4
_MAP_ANONYMOUS = 0x20  # but on alpha, mips, parisc and xtensa
_MAP_POPULATE = 0x8000  # the same; none of them is in SYSCALLS
_ANONYMOUS = MAP_PRIVATE | _MAP_ANONYMOUS

# ucontext_t begins alike everywhere: flags, uc_link, then stack_t (address, flags, size).
_LINK, _STACK_ADDRESS, _STACK_SIZE = 1 * _WORD, 2 * _WORD, 4 * _WORD
_CONTEXT_BYTES = 8192  # ucontext_t, with room for every architecture's registers
_STACK_BYTES = 16384


def read_maps() -> bytes:
    """What is mapped in us (proc(5), /proc/self/maps)."""
    return read_kernel_file("/proc/self/maps")


def read_arguments() -> list[bytes]:
    """What we were called with, from the program on (proc(5), /proc/self/cmdline)."""
    return read_kernel_file("/proc/self/cmdline").removesuffix(b"\0").split(b"\0")


def map_again(fd: int, start: int, end: int, protection: int, offset: int) -> None:
    """Put the same part of the file that is open here in the place of what is mapped (mmap(2))."""
    mmap = long_function("mmap", 6)
    call(mmap, start, end - start, protection, MAP_PRIVATE | MAP_FIXED, fd, offset)


def replace_by_copies(stretches: Sequence[tuple[int, int]]) -> None:
    """Put anonymous memory with the same content in the place of these, readable and writable.

    Whether the last step succeeded the chain cannot say: `set_executable` fails if it did not.
    """
    mmap, memcpy, mremap = long_function("mmap", 6), symbol("memcpy"), symbol("mremap")
    calls: list[tuple[int, tuple[int, ...]]] = []
    for start, end in stretches:
        size = end - start
        # Populated: hundreds of page faults are dearer.
        flags = _ANONYMOUS | _MAP_POPULATE
        copy = call(mmap, None, size, PROT_READ | PROT_WRITE, flags, -1, 0)
        calls.append((memcpy, (copy, start, size)))
        calls.append((mremap, (copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start)))
    mask = block_signals()  # a handler would write to what has been copied already
    try:
        run_chain(calls)
    finally:
        restore_signals(mask)


def run_chain(calls: Sequence[tuple[int, tuple[int, ...]]]) -> None:
    """Call C functions one after the other, nothing in between; what they return is lost.

    Each is an address and its arguments; a function may take at most six.
    """
    room = buffer((len(calls) + 1) * _CONTEXT_BYTES + len(calls) * _STACK_BYTES)
    first = address(room)
    stack = first + (len(calls) + 1) * _CONTEXT_BYTES
    getcontext, swapcontext = function("getcontext", 1), function("swapcontext", 2)
    here = first + len(calls) * _CONTEXT_BYTES  # where the last one goes over to
    view = memoryview(room).cast("B")
    for number, (target, arguments) in enumerate(calls):
        context = first + number * _CONTEXT_BYTES
        call(getcontext, context)
        for offset, word in (
            (_LINK, context + _CONTEXT_BYTES),
            (_STACK_ADDRESS, stack + number * _STACK_BYTES),
            (_STACK_SIZE, _STACK_BYTES),
        ):
            at = context - first + offset
            view[at : at + _WORD] = word.to_bytes(_WORD, sys.byteorder)
        makecontext = long_function("makecontext", 3 + len(arguments))
        makecontext(context, target, len(arguments), *arguments)
    call(swapcontext, here, first)


def protect(start: int, end: int, protection: int) -> None:
    """What may be done to a stretch of memory: PROT_ flags (mprotect(2))."""
    call(function("mprotect", 3), start, end - start, protection)


def make_sealed_file(name: str, source_fd: int = -1) -> int:
    """A file in memory that nobody can write to: empty, or with the content of another.

    It can be executed, which PR_SET_MM_MAP wants to see, unless vm.memfd_noexec forbids that.
    """
    flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
    try:
        fd = posix.memfd_create(name, flags | MFD_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fd = posix.memfd_create(name, flags)  # Linux 6.2 and older: all can be executed
    try:
        if source_fd >= 0:
            left = posix.fstat(source_fd).st_size
            while left > 0:
                left -= posix.sendfile(fd, source_fd, None, left)
        call(function("fcntl", 3), fd, F_ADD_SEALS, SEALS)
    except BaseException:
        posix.close(fd)
        raise
    return fd


def read_seals(fd: int) -> int:
    """The F_SEAL_ flags of a file in memory; OSError(EINVAL) for any other (fcntl(2))."""
    return call(function("fcntl", 3), fd, F_GET_SEALS, 0)


def read_stat() -> list[int]:
    """The fields of /proc/self/stat from the first on; the two that are no numbers are 0."""
    fields = read_kernel_file("/proc/self/stat").rpartition(b")")[2].split()[1:]
    return [0, 0, 0, *map(int, fields)]


def set_executable(fd: int, stat: Sequence[int]) -> None:
    """Have the kernel name this file as what we run (prctl(2), PR_SET_MM_MAP).

    OSError: EBUSY where something of the old one is still mapped, EINVAL where the kernel is built
    without CONFIG_CHECKPOINT_RESTORE, EACCES where the file cannot be executed.
    """
    sbrk = long_function("sbrk", 1)
    # struct prctl_mm_map: code, data, heap and stack as they are, no auxiliary vector, the file.
    code_data_heap, arguments = (*stat[25:27], *stat[44:47]), stat[47:51]
    brk = call(sbrk, 0)  # the last thing to look at: it must not have moved by the time it is set
    longs = (*code_data_heap, brk, stat[27], *arguments, 0)
    new = b"".join([number.to_bytes(8, sys.byteorder) for number in longs])
    new += bytes(4) + fd.to_bytes(4, sys.byteorder)
    call(_prctl, PR_SET_MM, PR_SET_MM_MAP, new, len(new), 0)
