"""JSON in and out on CPython's C scanner, without importing the json package (4 ms).

``_json`` is private to CPython: where it or its interface is missing, json serves.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Context:
    """What ``_json.make_scanner`` reads from its decoder."""

    strict = True
    object_hook = None
    memo: dict[str, str]

    def __init__(self, pairs_hook: Callable[[list[tuple[str, object]]], object] | None) -> None:
        self.object_pairs_hook = pairs_hook
        self.parse_float = parse_float
        self.parse_int = int
        self.parse_constant = refuse_constant
        self.memo = {}


def parse_float(text: str) -> float:
    """The number; ValueError where it is too large for one, which float() turns into infinity."""
    value = float(text)
    if value - value != 0:
        message = f"{text[:40]} is out of range"
        raise ValueError(message)
    return value


def refuse_constant(name: str) -> object:
    """NaN and the infinities are no JSON (RFC 8259 section 6)."""
    message = f"{name} is not a JSON value"
    raise ValueError(message)


def refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object of these members; ValueError if a name comes twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                message = f"duplicate member {name!r}"
                raise ValueError(message)
            seen.add(name)
    return made


def loads(text: str) -> object:
    """The value of one JSON document.

    ValueError for anything else: bad syntax, trailing text, duplicate members,
    NaN, integers of more digits than Python converts; RecursionError for deep
    nesting.
    """
    try:
        from _json import make_scanner
    except ImportError:
        return _loads_with_json(text)
    start = len(text) - len(text.lstrip(" \t\n\r"))
    try:
        value, end = make_scanner(_Context(refuse_duplicates))(text, start)  # type: ignore[arg-type]  # any object
    except SystemError:
        # CPython 3.11 finds no JSONDecodeError to raise as long as json.decoder is not imported.
        return _loads_with_json(text)
    except StopIteration as stop:
        message = f"no JSON value at character {stop.value}"
        raise ValueError(message) from None
    if text[end:].strip(" \t\n\r"):
        message = f"extra text after the JSON value at character {end}"
        raise ValueError(message)
    return value


def _loads_with_json(text: str) -> object:
    import json

    return json.loads(
        text,
        object_pairs_hook=refuse_duplicates,
        parse_constant=refuse_constant,
        parse_float=parse_float,
    )


def _plain_quote(text: str) -> str:
    import json

    return json.dumps(text)


try:
    from _json import encode_basestring_ascii as quote
except ImportError:  # pragma: no cover  (another Python implementation)
    quote = _plain_quote


def dumps(value: object, indent: str = "", newline: str = "") -> str:
    """The value as JSON; one line, or one member a line if indent is given.

    Takes None, bool, int, float, str, and lists, tuples and dicts of them; TypeError else,
    ValueError for NaN and the infinities.
    """
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int | float):
        text = repr(value)
        if text[-1] in "fn":
            refuse_constant(text)
        return text
    inner = newline + indent if indent else ""
    if indent and not newline:
        newline = "\n"
        inner = "\n" + indent
    colon = ": " if indent else ":"
    if isinstance(value, dict):
        items = [f"{quote(k)}{colon}{dumps(v, indent, inner)}" for k, v in value.items()]
        return "{" + inner + f",{inner}".join(items) + newline + "}" if items else "{}"
    if isinstance(value, list | tuple):
        items = [dumps(v, indent, inner) for v in value]
        return "[" + inner + f",{inner}".join(items) + newline + "]" if items else "[]"
    message = f"{type(value).__name__} has no JSON form"
    raise TypeError(message)
