"""Reads /etc/passwd and /etc/group of a container from outside: bounded, in its root, regular only.

The files are the image's, and whoever is in the container may change them meanwhile.
"""

from __future__ import annotations

import posix

from pyoci.errors import PyociError, describe_oserror
from pyoci.linux import fs
from pyoci.linux.consts import O_PATH

LIMIT_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_S_IFREG = 0o100000


def read_account_file(root_fd: int, path: str) -> str:
    """The text of the file at a path in the container's root, empty if there is none; PyociError.

    Only looked at before it is known to be a regular file: to open a device can do something.
    """
    try:
        found_fd = fs.openat2(root_fd, path.lstrip("/"), O_PATH | posix.O_NOFOLLOW, fs.IN_ROOT)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise PyociError(f"cannot open {path}: {describe_oserror(error)}") from None
    try:
        if fs.kind_of(found_fd) != _S_IFREG:
            raise PyociError(f"{path} of the container is not a regular file")
        raw = _read_bounded(found_fd)
    except OSError as error:
        raise PyociError(f"cannot read {path}: {describe_oserror(error)}") from None
    finally:
        posix.close(found_fd)
    # Cut off in the middle, the last id would be another one.
    if len(raw) > LIMIT_BYTES:
        raise PyociError(f"{path} of the container is larger than {LIMIT_BYTES} bytes")
    return raw.decode("utf-8", "surrogateescape")


def _read_bounded(found_fd: int) -> bytes:
    flags = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
    fd = posix.open(f"/proc/self/fd/{found_fd}", flags)
    parts: list[bytes] = []
    size = 0
    try:
        while size <= LIMIT_BYTES and (part := posix.read(fd, _CHUNK_BYTES)):
            parts.append(part)
            size += len(part)
    finally:
        posix.close(fd)
    return b"".join(parts)
