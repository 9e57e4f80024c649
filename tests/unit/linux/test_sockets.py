"""What goes over the socket that a caller made for a descriptor."""

from __future__ import annotations

import os
import socket

import pytest

from pyoci.linux.sockets import send_fd_over


def test_a_descriptor_comes_with_its_bytes_and_nothing_after_them() -> None:
    # Datagrams, because an empty one would be seen. A receiver such as conmon closes the connection
    # once it has the message: any call after that fails with EPIPE.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    read_fd, write_fd = os.pipe()
    with ours, theirs:
        send_fd_over(ours.fileno(), b"/dev/pts/0", write_fd)
        data, fds, _, _ = socket.recv_fds(theirs, 100, 2)
        for fd in fds:
            os.write(fd, b"same pipe")
            os.close(fd)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
    os.close(write_fd)
    with open(read_fd, "rb") as pipe:
        assert (data, len(fds), pipe.read()) == (b"/dev/pts/0", 1, b"same pipe")
