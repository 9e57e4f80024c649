"""The loopback device of our network namespace, by one ioctl (netdevice(7))."""

from __future__ import annotations

import posix
import sys

from pyoci.linux.consts import AF_INET, IFF_UP, SIOCGIFFLAGS, SIOCSIFFLAGS, SOCK_CLOEXEC, SOCK_DGRAM
from pyoci.linux.libc import buffer, call, function

_socket = function("socket", 3)
_ioctl = function("ioctl", 3)
_IFREQ_SIZE, _NAME_SIZE = 40, 16


def set_loopback_up() -> None:
    """Bring `lo` up."""
    fd = call(_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    try:
        name = b"lo".ljust(_NAME_SIZE, b"\0")
        request = buffer(_IFREQ_SIZE, name)
        call(_ioctl, fd, SIOCGIFFLAGS, request)
        flags = int.from_bytes(bytes(request)[16:18], sys.byteorder) | IFF_UP
        call(_ioctl, fd, SIOCSIFFLAGS, buffer(_IFREQ_SIZE, name + flags.to_bytes(2, sys.byteorder)))
    finally:
        posix.close(fd)
