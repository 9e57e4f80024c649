"""Unix sockets: the pair between main and init, and sending a descriptor to somebody's socket."""

from __future__ import annotations

import posix
import sys

from pyoci.linux.consts import AF_UNIX, O_PATH, SOCK_CLOEXEC, SOCK_SEQPACKET
from pyoci.linux.libc import buffer, call, encode, function

_socketpair = function("socketpair", 4)
_LONGEST_PATH = 107  # unix(7): sun_path, less the NUL


def seqpacket_pair() -> tuple[int, int]:
    """Two connected close-on-exec descriptors; one read(2) gives one message, EOF is empty."""
    pair = buffer(8)
    call(_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)
    raw = bytes(pair)
    return int.from_bytes(raw[:4], sys.byteorder), int.from_bytes(raw[4:], sys.byteorder)


def send_fd(path: str, data: bytes, fd: int, timeout_s: float) -> None:
    """Connect to the stream socket at the path, send the bytes along with a descriptor, hang up.

    OSError names the path; a peer that takes nothing for so long is TimeoutError.
    """
    import _socket

    address, path_fd = encode(path), -1
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        if len(address) > _LONGEST_PATH:
            path_fd = posix.open(address, O_PATH | posix.O_CLOEXEC)
            address = b"/proc/self/fd/%d" % path_fd
        connection.settimeout(timeout_s)
        connection.connect(address)
        rights = fd.to_bytes(4, sys.byteorder)
        message = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)
        sent = connection.sendmsg([data], [message], _socket.MSG_NOSIGNAL)
        connection.sendall(data[sent:], _socket.MSG_NOSIGNAL)
    except OSError as error:
        error.filename = path
        raise
    finally:
        connection.close()
        if path_fd >= 0:
            posix.close(path_fd)
