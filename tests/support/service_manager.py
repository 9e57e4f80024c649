"""A service manager for tests: the receiving end of sd_notify(3), with barriers."""

from __future__ import annotations

import array
import os
import socket
from pathlib import Path
from typing import Any

from tests.support.containers import PATIENCE


class ServiceManager:
    """A socket as NOTIFY_SOCKET names it; `received` is what came, datagram by datagram."""

    def __init__(self, path: Path | str) -> None:
        """Listen at the path (`@name`: an abstract one)."""
        self.address = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self.received: list[str] = []
        self.barriers: list[int] = []

    def receive(self) -> str:
        """The next datagram; the descriptors of barriers are kept open until `release`."""
        data, messages, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(64))
        for _, kind, raw in messages:
            assert kind == socket.SCM_RIGHTS
            self.barriers += list(array.array("i", raw))
        self.received.append(data.decode())
        return self.received[-1]

    def release(self) -> None:
        """Close the barriers' descriptors: all that was sent before them has been read."""
        for fd in self.barriers:
            os.close(fd)
        self.barriers = []

    def has_more(self) -> bool:
        """Whether there is another datagram."""
        self.socket.setblocking(False)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(PATIENCE)

    def __enter__(self) -> ServiceManager:
        """Itself."""
        return self

    def __exit__(self, *_: Any) -> None:  # noqa: ANN401
        """Stop."""
        self.release()
        self.socket.close()
