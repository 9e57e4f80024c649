"""A JSON document from bytes: strict UTF-8, and nothing that later layers could stumble over.

What a container's configuration holds ends up in C strings, messages and other JSON documents, so
NUL characters, lone surrogates and bottomless nesting are refused here, once. Reading files is not
here but in ``pyoci/host/files.py``.
"""

from __future__ import annotations

from pyoci import jsonio
from pyoci.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str | int, ...]

MAX_NESTING = 256
MAX_REASON = 120

# Only these escapes can bring in a character that strict UTF-8 and strict JSON have not.
_ESCAPES = (b"\\u0000", b"\\ud", b"\\uD")


def parse_document(raw: bytes, name: str = "config.json") -> object:
    """The JSON value of a whole file; ConfigError, which begins with `name`, for anything else."""
    try:
        text = raw.decode("utf-8")
        _check_encoding(raw)
        value = jsonio.loads(text)
    except UnicodeDecodeError as error:
        reason = f"{name}: not UTF-8 at byte {error.start}"
        raise ConfigError("", reason) from None
    except RecursionError:
        raise _too_deep(name) from None
    except ValueError as error:
        raise ConfigError("", f"{name}: {_words(error)}") from None
    except MemoryError:
        raise ConfigError("", f"{name}: not enough memory to read it") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_NESTING and _nesting(value) > MAX_NESTING:
        raise _too_deep(name)
    if any(escape in raw for escape in _ESCAPES):
        _check_strings(value)
    return value


def _check_encoding(raw: bytes) -> None:
    if raw.startswith(b"\xef\xbb\xbf"):
        message = "begins with a byte order mark"
        raise ValueError(message)
    if b"\0" in raw:
        message = f"has a NUL byte at {raw.index(0)}: JSON is written in UTF-8"
        raise ValueError(message)


def _words(error: ValueError) -> str:
    text = str(error)
    if text.startswith("Exceeds the limit"):
        text = "an integer has thousands of digits"
    elif type(error) is not ValueError:  # json's own, which begins with a capital
        text = text[:1].lower() + text[1:]
    if len(text) > MAX_REASON:
        text = text[:MAX_REASON] + "..."
    return "".join(char if char.isprintable() else "?" for char in text)


def _too_deep(name: str) -> ConfigError:
    return ConfigError("", f"{name}: nested more than {MAX_NESTING} levels deep")


def _nesting(value: object) -> int:
    # Without recursion: the scanner that made the value may nest deeper than Python code can.
    level = [value]
    depth = 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [i for item in level for i in (item.values() if type(item) is dict else item)]
    return depth


def _check_strings(value: object) -> None:
    from pyoci.spec.report import json_path, shorten

    for path, text in _strings(value, ()):
        if "\0" in text:
            raise ConfigError(json_path(path), f"a NUL character in {shorten(text)}")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise ConfigError(json_path(path), f"half of a surrogate pair in {shorten(text)}")


def _strings(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield path, name
            yield from _strings(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))
