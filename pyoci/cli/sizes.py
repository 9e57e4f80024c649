"""Sizes in bytes as the command line takes them: ``512k``, ``1.5G``, ``64MiB``, ``-1``."""

from __future__ import annotations

_POWERS = {letter: power for power, letter in enumerate("kmgtp", start=1)}
_MAX_DIGITS = 40


def parse_size(text: str) -> int | None:
    """The bytes; None if the text is no size. -1, which lifts a limit, stays -1.

    All units are powers of 1024, whether they say so (KiB) or not (k, kB), as in
    runc; a fraction of a byte is dropped.
    """
    if text == "-1":
        return -1
    number, unit = _split(text)
    whole, point, fraction = number.partition(".")
    digits = whole + fraction
    power = _parse_unit(unit)
    if power is None or not whole or (point and not fraction):
        return None
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MAX_DIGITS:
        return None
    scale: int = 10 ** len(fraction)
    return (int(digits) << 10 * power) // scale


def _split(text: str) -> tuple[str, str]:
    end = len(text)
    while end and not text[end - 1].isdigit() and text[end - 1] != ".":
        end -= 1
    return text[:end], text[end:]


def _parse_unit(unit: str) -> int | None:
    """The power of 1024; one blank may stand before the unit."""
    word = unit.removeprefix(" ").lower()
    if word in ("", "b"):
        return 0
    return _POWERS.get(word[0]) if word[1:] in ("", "b", "i", "ib") else None
