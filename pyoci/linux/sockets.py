"""The pair of sockets between main and init."""

from __future__ import annotations

import sys

from pyoci.linux.consts import AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET
from pyoci.linux.libc import buffer, call, function

_socketpair = function("socketpair", 4)


def seqpacket_pair() -> tuple[int, int]:
    """Two connected close-on-exec descriptors; one read(2) gives one message, EOF is empty."""
    pair = buffer(8)
    call(_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)
    raw = bytes(pair)
    return int.from_bytes(raw[:4], sys.byteorder), int.from_bytes(raw[4:], sys.byteorder)
