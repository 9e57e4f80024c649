"""Resource limits of our process: prlimit(2)."""

from __future__ import annotations

import sys

from pyoci.linux.libc import call, function

_prlimit = function("prlimit64", 4)


def setrlimit(resource: int, soft: int, hard: int) -> None:
    """Set a limit (prlimit(2)); 2^64-1 is RLIM_INFINITY."""
    new = soft.to_bytes(8, sys.byteorder) + hard.to_bytes(8, sys.byteorder)
    call(_prlimit, 0, resource, new, None)
