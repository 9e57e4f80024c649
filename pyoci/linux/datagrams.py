"""Datagrams over Unix sockets, as services send them to systemd; no ctypes."""

from __future__ import annotations

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

_LONGEST_PATH = 107  # unix(7): sun_path, less the NUL
_O_PATH = 0x200000


class Datagrams:
    """One socket, by its descriptor, which is for poll(2); close it."""

    def __init__(self, fd: int, timeout_s: float | None = None) -> None:
        """Take the descriptor, and how long a send may take."""
        self.fd = fd
        self._timeout_s = timeout_s

    def receive(self, limit: int) -> bytes:
        """The next datagram, cut to the limit; descriptors that come with it are closed."""
        import _socket

        connection = _socket.socket(fileno=self.fd)
        try:
            return connection.recv(limit)
        finally:
            connection.detach()

    def send(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        """Send one datagram to whom we are connected to, with descriptors; OSError."""
        import _socket

        rights = b"".join([fd.to_bytes(4, sys.byteorder) for fd in fds])
        messages = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if fds else []
        connection = _socket.socket(fileno=self.fd)
        try:
            connection.settimeout(self._timeout_s)
            connection.sendmsg([data], messages, _socket.MSG_NOSIGNAL)
        finally:
            connection.detach()

    def close(self) -> None:
        """Close it."""
        posix.close(self.fd)


def connect_datagrams(path: str, timeout_s: float) -> Datagrams:
    """A socket whose datagrams go to the one at the path (`@name`: an abstract one); OSError.

    A receiver that takes nothing for so long is TimeoutError.
    """
    connection = _make_socket()
    address, path_fd = path.encode("utf-8", "surrogateescape"), -1
    try:
        if address.startswith(b"@"):
            address = b"\0" + address[1:]
        elif len(address) > _LONGEST_PATH:
            path_fd = posix.open(address, _O_PATH | posix.O_CLOEXEC)
            address = b"/proc/self/fd/%d" % path_fd
        connection.connect(address)
    except OSError as error:
        connection.close()
        error.filename = path
        raise
    finally:
        if path_fd >= 0:
            posix.close(path_fd)
    return Datagrams(connection.detach(), timeout_s)


def bind_datagrams(directory_fd: int, name: str) -> Datagrams:
    """A socket at this name in the directory, for everybody to send to; one before it is removed.

    The name is taken once whoever sends finds it open to them (umask(2) or not).
    """
    connection = _make_socket()
    temporary = f".{name}.{posix.getpid()}"
    try:
        connection.bind(f"/proc/self/fd/{directory_fd}/{temporary}")
        posix.chmod(temporary, 0o777, dir_fd=directory_fd)
        posix.rename(temporary, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except OSError:
        connection.close()
        raise
    return Datagrams(connection.detach())


def _make_socket() -> socket:
    import _socket

    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
