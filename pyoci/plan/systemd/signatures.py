"""Types of D-Bus, and what is known of a type before it is decided.

A pattern is one letter, or a tuple of "a", "(" or "{" and the patterns of what is inside.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Pattern: TypeAlias = "str | tuple[Any, ...]"

RANGES = {
    "y": (0, 2**8 - 1),
    "n": (-(2**15), 2**15 - 1),
    "q": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1),
    "u": (0, 2**32 - 1),
    "x": (-(2**63), 2**63 - 1),
    "t": (0, 2**64 - 1),
}
_NUMBERS = (*RANGES, "d")
_STRINGS = ("s", "o", "g")
BASIC = ("b", *_NUMBERS, *_STRINGS)

# What is not decided yet: any type, any type of numbers, any type of strings.
ANY, NUMBER, STRING = "*", "N", "S"
_CLASSES = {NUMBER: _NUMBERS, STRING: _STRINGS}
_DEFAULTS = {NUMBER: "i", STRING: "s"}

# D-Bus allows arrays and structures to be nested so deep (each), and a signature to be so long.
DEEPEST = 32
LONGEST_SIGNATURE = 255


def shorten(text: str) -> str:
    """The beginning of a text, in quotes."""
    return repr(text if len(text) <= 20 else f"{text[:20]}...")


def unify(one: Pattern, other: Pattern) -> Pattern:
    """What both allow; ValueError if that is nothing."""
    if other in (one, ANY):
        return one
    if one == ANY:
        return other
    if isinstance(one, tuple) and isinstance(other, tuple):
        if one[0] == other[0] and len(one) == len(other):
            return (one[0], *[unify(a, b) for a, b in zip(one[1:], other[1:], strict=True)])
    elif isinstance(one, str) and isinstance(other, str):
        if one in _CLASSES.get(other, ()):
            return one
        if other in _CLASSES.get(one, ()):
            return other
    raise ValueError(f"the types {render(one)} and {render(other)} do not fit together")


def decide(pattern: Pattern) -> Pattern:
    """The type, of those that are possible, that GVariant takes."""
    if isinstance(pattern, tuple):
        return (pattern[0], *[decide(part) for part in pattern[1:]])
    if pattern == ANY:
        raise ValueError("the type of what is empty must be given, as in @as []")
    return _DEFAULTS.get(pattern, pattern)


def render(pattern: Pattern) -> str:
    """The signature of a type."""
    if isinstance(pattern, str):
        return {NUMBER: "number", STRING: "string"}.get(pattern, pattern)
    inner = "".join([render(part) for part in pattern[1:]])
    return {"a": f"a{inner}", "(": f"({inner})", "{": f"a{{{inner}}}"}[pattern[0]]


def parse_type(text: str, at: int, depth: int) -> tuple[Pattern, int]:
    """The one complete type that begins there, and where it ends."""
    if depth > DEEPEST:
        raise ValueError(f"the type is nested deeper than {DEEPEST}")
    char = text[at : at + 1]
    if char and (char in BASIC or char == "v"):
        return char, at + 1
    if char == "a" and text[at + 1 : at + 2] == "{":
        key, at = parse_type(text, at + 2, depth + 1)
        value, at = parse_type(text, at, depth + 1)
        if key not in BASIC or text[at : at + 1] != "}":
            raise ValueError(f"{shorten(text)} has a bad type of a dictionary")
        return ("{", key, value), at + 1
    if char == "a":
        item, at = parse_type(text, at + 1, depth + 1)
        return ("a", item), at
    if char == "(" and text[at + 1 : at + 2] != ")":
        parts: list[Pattern] = ["("]
        at += 1
        while text[at : at + 1] != ")":
            part, at = parse_type(text, at, depth + 1)
            parts.append(part)
        return tuple(parts), at + 1
    raise ValueError(f"{shorten(text[at:])} is no type of D-Bus")


def check_signature(text: str) -> None:
    """ValueError unless the text is a row of complete types."""
    at = 0
    if len(text) > LONGEST_SIGNATURE:
        raise ValueError(f"a signature is longer than {LONGEST_SIGNATURE} characters")
    while at < len(text):
        _, at = parse_type(text, at, 0)


def check_object_path(path: str) -> None:
    """ValueError unless it is a path of objects as D-Bus has them."""
    parts = path[1:].split("/") if path != "/" else []
    valid = path.startswith("/") and all(
        part and part.isascii() and part.replace("_", "a").isalnum() for part in parts
    )
    if not valid:
        raise ValueError(f"{shorten(path)} is no object path")
