"""Names of signals, as signal(7) and kill(1) write them (pure).

The numbers are those of every architecture but alpha, mips, parisc and sparc.
"""

from __future__ import annotations

from pyoci.errors import UsageError

# From 1 on.
_NAMES = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU",
    "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
)  # fmt: skip

_ALIASES = {"IOT": "ABRT", "CLD": "CHLD", "POLL": "IO", "UNUSED": "SYS"}

# As glibc counts them: the kernel's 32 and 33 are its own.
RTMIN, RTMAX = 34, 64


def parse_signal(word: str) -> int:
    """The number of a signal given as a number or a name, with or without SIG, in any case.

    0 is allowed: it only asks. Real-time signals are numbers, or RTMIN+n and RTMAX-n.
    UsageError for anything else.
    """
    number = _parse_number(word, RTMAX)
    if number is None:
        number = _parse_name(word.upper().removeprefix("SIG")) if word.isascii() else None
    if number is None:
        raise UsageError(f'unknown signal "{word}"')
    return number


def _parse_number(digits: str, most: int) -> int | None:
    """The number that one or two ASCII digits make; int() would take spaces, signs and more."""
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 2:
        return None
    return int(digits) if int(digits) <= most else None


def _parse_name(name: str) -> int | None:
    name = _ALIASES.get(name, name)
    if name in _NAMES:
        return _NAMES.index(name) + 1
    for base, start, step in (("RTMIN", RTMIN, 1), ("RTMAX", RTMAX, -1)):
        if name == base:
            return start
        if name.startswith(base + "+-"[step < 0]):
            offset = _parse_number(name[len(base) + 1 :], RTMAX - RTMIN)
            return None if offset is None else start + step * offset
    return None
