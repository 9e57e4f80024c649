"""Durations as Go writes them (time.ParseDuration): ``5s``, ``500ms``, ``1m30s``, ``1.5h``."""

from __future__ import annotations

_UNITS_NS = {
    "ns": 1,
    "us": 1000,
    "\u00b5s": 1000,  # micro sign
    "\u03bcs": 1000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_MAX_NS = 2**63 - 1
_MAX_DIGITS = 40
_NUMBER = frozenset("0123456789.")


def parse_duration(text: str) -> int | None:
    """The duration in nanoseconds; None if the text is none, or longer than 292 years."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = 0
    while rest:
        number, unit, rest = _split_part(rest)
        part = _parse_part(number, unit)
        if part is None or total + part > _MAX_NS:
            return None
        total += part
    if not text.strip("+-"):
        return None
    return -total if text[0] == "-" else total


def _split_part(text: str) -> tuple[str, str, str]:
    """The first number, the unit that follows it, and the rest."""
    end = 0
    while end < len(text) and text[end] in _NUMBER:
        end += 1
    stop = end
    while stop < len(text) and text[stop] not in _NUMBER:
        stop += 1
    return text[:end], text[end:stop], text[stop:]


def _parse_part(number: str, unit: str) -> int | None:
    whole, _, fraction = number.partition(".")
    digits = whole + fraction
    if unit not in _UNITS_NS or not digits.isdigit() or len(digits) > _MAX_DIGITS:
        return None
    scale: int = 10 ** len(fraction)
    return int(digits) * _UNITS_NS[unit] // scale
