"""Read the JSON files that a caller names, whatever they turn out to be.

A config.json may be a FIFO, a device or endless: nothing here blocks on it, and no more than the
limit is read. What the bytes mean is decided in ``pyoci/spec``.
"""

from __future__ import annotations

import posix

from pyoci.errors import ConfigError, describe_oserror
from pyoci.spec.accept import accept
from pyoci.spec.document import parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIMIT_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024

_FLAGS = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC | posix.O_NOCTTY
_S_IFMT = 0o170000
_S_IFREG = 0o100000


def read_json_file(path: str, limit_bytes: int = LIMIT_BYTES) -> object:
    """The JSON value in a regular file; ConfigError for whatever else is there, or nothing."""
    directory, _, name = path.rpartition("/")
    try:
        raw = _read_regular(path, limit_bytes)
    except FileNotFoundError:
        where = f" in {directory}" if directory else ""
        reason = f"JSON specification file {name} not found{where}"
        raise ConfigError("", reason) from None
    except OSError as error:
        raise ConfigError("", describe_oserror(error)) from None
    return parse_document(raw, name)


def read_config(path: str) -> dict[str, Any]:
    """The object in a config.json that its schema accepts; ConfigError says where it does not."""
    config = read_json_file(path)
    if isinstance(config, dict) and accept(config):
        return config
    from pyoci.spec.report import explain

    raise explain(config)


def _read_regular(path: str, limit_bytes: int) -> bytes:
    fd = posix.open(path, _FLAGS)
    try:
        status = posix.fstat(fd)
        if status.st_mode & _S_IFMT != _S_IFREG:
            raise ConfigError("", f"{path}: not a regular file")
        # One call for most files; those of procfs say that they are empty.
        size = max(min(status.st_size, limit_bytes) + 1, _CHUNK_BYTES)
        chunks = [posix.read(fd, size)]
        total = len(chunks[0])
        while chunks[-1] and total <= limit_bytes:
            chunks.append(posix.read(fd, min(_CHUNK_BYTES, limit_bytes + 1 - total)))
            total += len(chunks[-1])
    finally:
        posix.close(fd)
    if total > limit_bytes:
        raise ConfigError("", f"{path}: larger than {limit_bytes} bytes")
    return b"".join(chunks)
