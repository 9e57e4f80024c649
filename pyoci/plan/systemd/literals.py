"""Strings, bytestrings and integers as GVariant's text format writes them."""

from __future__ import annotations

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_CODE_LENGTHS = {"u": 4, "U": 8}
_HEX = frozenset("0123456789abcdefABCDEF")
_OCTAL = frozenset("01234567")
_BASES = ((16, _HEX), (8, _OCTAL), (10, frozenset("0123456789")))
_LONGEST_INTEGER = 70  # 64 binary digits would fit


def parse_integer(word: str) -> int | None:
    """A decimal, octal (0...) or hexadecimal (0x...) integer; None if it is none."""
    sign = -1 if word.startswith("-") else 1
    digits = word[1:] if word[:1] in ("+", "-") else word
    base = 10
    if digits[:2] in ("0x", "0X"):
        base, digits = 16, digits[2:]
    elif digits[:1] == "0" and len(digits) > 1 and set(digits) <= _OCTAL:
        base = 8
    allowed = dict(_BASES)[base]
    if not digits or not set(digits) <= allowed or len(digits) > _LONGEST_INTEGER:
        return None
    if base == 10 and digits[0] == "0" and len(digits) > 1:  # 09: neither octal nor decimal
        return None
    return sign * int(digits, base)


def parse_float(word: str) -> float | None:
    """A number with a point or an exponent, inf or nan; None if it is none."""
    digits = word.lstrip("+-")
    named = digits in ("inf", "nan")
    # Python takes more: other words, digits in groups, integers with zeros before them.
    if not named and (digits[:1] > "9" or "_" in digits or not set(".eE") & set(digits)):
        return None
    try:
        number = float(word)
    except ValueError:
        return None
    return number if named or abs(number) != float("inf") else None


def read_text(text: str, at: int) -> tuple[str, int]:
    """The string that begins with the quote there, and where it ends; ValueError."""
    quote, at = text[at], at + 1
    parts: list[str] = []
    while (char := _next(text, at)) != quote:
        at += 1
        if char == "\\":
            char, at = _read_escape(text, at)
        if char == "\0" or "\ud800" <= char <= "\udfff":
            raise ValueError(f"a string cannot hold {char!r}")
        parts.append(char)
    return "".join(parts), at + 1


def _next(text: str, at: int) -> str:
    if at >= len(text):
        raise ValueError("a string does not end")
    return text[at]


def _read_escape(text: str, at: int) -> tuple[str, int]:
    """What follows a backslash; nothing for a line that goes on."""
    char = _next(text, at)
    at += 1
    if char == "\n":
        return "", at
    if char not in _CODE_LENGTHS:
        return _ESCAPES.get(char, char), at
    code = text[at : at + _CODE_LENGTHS[char]]
    if len(code) != _CODE_LENGTHS[char] or not set(code) <= _HEX or int(code, 16) > 0x10FFFF:
        raise ValueError(f"\\{char}{code} is no character")
    return chr(int(code, 16)), at + len(code)


def read_bytes(text: str, at: int) -> tuple[bytes, int]:
    """The bytestring that begins with the quote there, with the NUL at its end; ValueError."""
    quote, at = text[at], at + 1
    content = bytearray()
    while (char := _next(text, at)) != quote:
        at += 1
        if char == "\\":
            code, at = _read_byte_escape(text, at)
            content += code
        else:
            content += char.encode()
    return bytes(content) + b"\0", at + 1


def _read_byte_escape(text: str, at: int) -> tuple[bytes, int]:
    char = _next(text, at)
    if char not in _OCTAL:
        return (b"" if char == "\n" else _ESCAPES.get(char, char).encode()), at + 1
    end = at + 1
    while end < at + 3 and text[end : end + 1] in tuple(_OCTAL):
        end += 1
    return bytes([int(text[at:end], 8) & 0xFF]), end
