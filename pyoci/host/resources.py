"""Read the resources that `update` is given: a `linux.resources` object, in a file or on stdin."""

from __future__ import annotations

import posix

from pyoci.errors import ConfigError
from pyoci.host.files import LIMIT_BYTES, read_json_file
from pyoci.spec.accept import accept
from pyoci.spec.document import parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STDIN = 0
_CHUNK_BYTES = 64 * 1024


def read_resources(path: str) -> dict[str, Any]:
    """The object in this file, or on standard input for ``-``, that the schema accepts.

    ConfigError says where it does not, under the path that the object has in a
    config.json.
    """
    value = _read_stdin() if path == "-" else read_json_file(path)
    if not isinstance(value, dict):
        raise ConfigError("linux.resources", "expected an object")
    # The smallest configuration that it can be a part of: one schema serves both.
    config = {"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {"resources": value}}
    if accept(config):
        return value
    from pyoci.spec.report import explain

    raise explain(config)


def _read_stdin() -> object:
    name = "standard input"
    parts = []
    size = 0
    while part := posix.read(_STDIN, _CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > LIMIT_BYTES:
            raise ConfigError("", f"{name}: larger than {LIMIT_BYTES} bytes")
    return parse_document(b"".join(parts), name)
