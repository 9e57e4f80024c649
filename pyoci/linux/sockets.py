"""Unix sockets: the pair between main and init, and sending a descriptor over one of somebody."""

from __future__ import annotations

import errno
import posix
import sys

from pyoci.linux.consts import AF_UNIX, O_PATH, SOCK_CLOEXEC, SOCK_SEQPACKET
from pyoci.linux.libc import buffer, call, encode, function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

_socketpair = function("socketpair", 4)
_LONGEST_PATH = 107  # unix(7): sun_path, less the NUL
_LIMIT = 4096


def import_socket() -> None:
    """Import now what `send_fd_over` imports when it is called: later it may be too late."""
    import _socket  # noqa: F401


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
    connection = _connect(path, timeout_s)
    try:
        _send(connection, data, fd)
    except OSError as error:
        error.filename = path
        raise
    finally:
        connection.close()


def connect(path: str, timeout_s: float) -> int:
    """A close-on-exec descriptor that is connected to the stream socket at the path; as above."""
    connection = _connect(path, timeout_s)
    connection.settimeout(None)
    return connection.detach()


def send_fd_over(socket_fd: int, data: bytes, fd: int) -> None:
    """Send the bytes along with a descriptor over a connected socket."""
    import _socket

    connection = _socket.socket(fileno=socket_fd)
    try:
        _send(connection, data, fd)
    finally:
        connection.detach()


def receive_fd(socket_fd: int) -> int:
    """The close-on-exec descriptor that comes with the next message; OSError if none does."""
    import _socket

    connection = _socket.socket(fileno=socket_fd)
    try:
        messages = connection.recvmsg(_LIMIT, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)[1]
    finally:
        connection.detach()
    for _, _, rights in messages:
        return int.from_bytes(rights[:4], sys.byteorder)
    raise OSError(errno.ENODATA, posix.strerror(errno.ENODATA))


def _connect(path: str, timeout_s: float) -> socket:
    import _socket

    address, path_fd = encode(path), -1
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        if len(address) > _LONGEST_PATH:
            path_fd = posix.open(address, O_PATH | posix.O_CLOEXEC)
            address = b"/proc/self/fd/%d" % path_fd
        connection.settimeout(timeout_s)
        connection.connect(address)
    except OSError as error:
        connection.close()
        error.filename = path
        raise
    finally:
        if path_fd >= 0:
            posix.close(path_fd)
    return connection


def _send(connection: socket, data: bytes, fd: int) -> None:
    import _socket

    message = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))
    sent = connection.sendmsg([data], [message], _socket.MSG_NOSIGNAL)
    if sent < len(data):  # else not even an empty call: a receiver that has all of it may be gone
        connection.sendall(data[sent:], _socket.MSG_NOSIGNAL)
