"""The C library and syscall(2), called through CPython's ``_ctypes``.

ctypes never leaves ``linux/``. The package ``ctypes`` costs 2.4 ms to import,
its C half 0.3 ms; only the C half is used, and only here.

Arguments are passed as pointer-sized words: ints of any sign, bytes (which
must not be written to), buffers made by `buffer`, or None. Nothing checks a
range: callers pass numbers that the plan has checked (SECURITY: ctypes wraps).
"""

from __future__ import annotations

import posix
from _ctypes import Array, CFuncPtr, _SimpleCData, addressof, dlopen, dlsym, get_errno, set_errno

from pyoci.linux.consts import SYSCALLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Word: TypeAlias = "int | bytes | Array[Any] | None"

_CDECL, _PYTHONAPI, _USE_ERRNO = 1, 4, 8


class _Long(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _Int(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Pointer(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "P"


class _Char(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "c"


class _Function(CFuncPtr):
    # PYTHONAPI keeps the GIL: nothing else runs, and clone3's child comes back holding it.
    _flags_ = _CDECL | _PYTHONAPI | _USE_ERRNO
    _restype_ = _Int


class _LongFunction(CFuncPtr):
    _flags_ = _CDECL | _PYTHONAPI | _USE_ERRNO
    _restype_ = _Long


_HANDLE = dlopen(None, 0)  # type: ignore[arg-type]  # None: what is linked into us
_array_types: dict[int, type[Array[Any]]] = {}


def function(name: str, arguments: int) -> Callable[..., int]:
    """A function of the C library that takes this many words and returns an int."""
    made = _Function(dlsym(_HANDLE, name))
    made.argtypes = (_Pointer,) * arguments
    return made


def long_function(name: str, arguments: int) -> Callable[..., int]:
    """The same for one that returns a long or an address; OSError(ENOSYS) if there is none."""
    made = _LongFunction(symbol(name))
    made.argtypes = (_Pointer,) * arguments
    return made


def symbol(name: str) -> int:
    """Where a function of the C library lies; OSError(ENOSYS) if it has none of this name."""
    try:
        return dlsym(_HANDLE, name)
    except OSError:
        import errno

        raise OSError(errno.ENOSYS, f"the C library has no {name}") from None


def buffer(size: int, content: bytes = b"") -> Array[Any]:
    """A writable buffer of `size` bytes, zero but for `content`; read it with ``bytes(b)``."""
    kind = _array_types.get(size)
    if kind is None:
        kind = type(Array)(  # type: ignore[misc]  # the metaclass of arrays
            f"Buffer{size}", (Array,), {"_type_": _Char, "_length_": size}
        )
        _array_types[size] = kind
    made = kind()
    if content:
        made.raw = content
    return made


def address(made: Array[Any]) -> int:
    """Where a buffer lies; it must outlive the use of the address."""
    return addressof(made)


def oserror(path: str | bytes = "") -> OSError:
    """The OSError of the last call that returned -1, with the path it was about."""
    number = get_errno()
    if path:
        return OSError(number, posix.strerror(number), path)
    return OSError(number, posix.strerror(number))


_syscall = _LongFunction(dlsym(_HANDLE, "syscall"))
_syscall.argtypes = (_Pointer,) * 7
_numbers = SYSCALLS.get(posix.uname().machine, {})


def syscall(  # noqa: PLR0913  (syscall(2) has seven)
    number: int, a: Word = 0, b: Word = 0, c: Word = 0, d: Word = 0, e: Word = 0, f: Word = 0
) -> int:
    """What the system call returns; OSError(errno) if that is -1 (syscall(2))."""
    set_errno(0)
    result: int = _syscall(number, a, b, c, d, e, f)
    if result == -1:
        raise oserror()
    return result


def call(made: Callable[..., int], *words: Word) -> int:
    """What a C library function returns; OSError(errno) if that is -1."""
    set_errno(0)
    result = made(*words)
    if result == -1:
        raise oserror()
    return result


def number_of(name: str) -> int:
    """The number of an old system call on this machine; OSError(ENOSYS) if we do not know it."""
    try:
        return _numbers[name]
    except KeyError:
        import errno

        raise OSError(errno.ENOSYS, f"no number of {name} is known for this machine") from None


def encode(path: str) -> bytes:
    """The path as the kernel takes it; ValueError if it holds a NUL, which would cut it short."""
    if "\0" in path:
        message = "path holds a NUL character"
        raise ValueError(message)
    return path.encode("utf-8", "surrogateescape")
