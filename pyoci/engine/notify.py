"""sd_notify(3) for containers: what one tells its socket goes on to the service manager's.

Imported only where our caller has set NOTIFY_SOCKET.
"""

from __future__ import annotations

import posix
from select import POLLIN, poll

from pyoci.engine.foreground import take_signal
from pyoci.errors import describe_oserror
from pyoci.linux import signals
from pyoci.linux.consts import P_PIDFD
from pyoci.linux.datagrams import bind_datagrams, connect_datagrams
from pyoci.linux.pidfd import status_of
from pyoci.plan.notify import DIRECTORY, SOCKET, filter_message, says_ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.debug import Log
    from pyoci.linux.datagrams import Datagrams

_LIMIT = 4096
_PATIENCE_S = 10.0  # of a service manager that takes nothing
_BARRIER_MS = 30_000
_MOST_QUEUED = 512  # unix(7), max_dgram_qlen, as systemd raises it


def open_proxy(dir_fd: int, host_path: str, log: Log) -> Proxy | None:
    """The proxy of the container with this state directory; None if it was made without a socket.

    None, too, with a warning, if there is no service manager to be told: as sd_notify(3) says, that
    is no reason for a service not to start.
    """
    flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        directory_fd = posix.open(DIRECTORY, flags, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    try:
        host = connect_datagrams(host_path, _PATIENCE_S)
    except OSError as error:
        log("warning", f"NOTIFY_SOCKET: {describe_oserror(error)}")
        posix.close(directory_fd)
        return None
    try:
        return Proxy(host, bind_datagrams(directory_fd, SOCKET), log)
    finally:
        posix.close(directory_fd)


class Proxy:
    """Between a container's socket and the service manager's; `fd` is readable when it has work."""

    def __init__(self, host: Datagrams, inside: Datagrams, log: Log) -> None:
        """Take both ends."""
        self._host = host
        self._inside = inside
        self._log = log
        self.fd = inside.fd

    def forward(self, more: bytes = b"") -> bool:
        """Pass one message on, with more if it says READY=1; whether it does.

        A barrier of the container (sd_notify_barrier(3)) holds: what came before is passed on when
        its descriptor is closed, which is done by not taking it.
        """
        message = filter_message(self._inside.receive(_LIMIT))
        ready = says_ready(message)
        if message:
            self._send(b"\n".join([message, more]) if ready and more else message)
        return ready

    def await_exit(self, pidfd: int) -> int:
        """Pass messages on until the child has ended, as `foreground.await_exit` does without."""
        signal_fd = signals.open_signals()
        poller = poll()
        for fd in (signal_fd, pidfd, self.fd):
            poller.register(fd, POLLIN)
        status = None
        while status is None:
            events = dict(poller.poll())
            if signal_fd in events:
                take_signal(signals.read_signal(signal_fd), pidfd)
            if self.fd in events:
                self.forward()
            status = status_of(posix.waitid(P_PIDFD, pidfd, posix.WEXITED | posix.WNOHANG))
        posix.close(signal_fd)
        return status

    def finish(self) -> None:
        """Pass on what was said last, and close."""
        poller = poll()
        poller.register(self.fd, POLLIN)
        # So much one could have said while nobody listened, and no more (unix(7)).
        for _ in range(_MOST_QUEUED):
            if not poller.poll(0):
                break
            self.forward()
        self.close()

    def await_ready(self, pid: int, pidfd: int) -> None:
        """Come back once the container has said that it is ready, or has ended.

        The service manager learns whom to look after, and has when this returns.
        """
        poller = poll()
        poller.register(self.fd, POLLIN)
        poller.register(pidfd, POLLIN)
        while True:
            events = dict(poller.poll())
            if self.fd in events:
                if self.forward(b"MAINPID=%d" % pid):
                    self._await_barrier()
                    return
            elif pidfd in events:
                return

    def _await_barrier(self) -> None:
        """Wait until the service manager has read it all: it would not believe one who is gone."""
        read_fd, write_fd = posix.pipe2(posix.O_CLOEXEC)
        try:
            self._send(b"BARRIER=1", write_fd)
        finally:
            posix.close(write_fd)
        poller = poll()
        poller.register(read_fd, 0)  # the end of the other one is told unasked
        if not poller.poll(_BARRIER_MS):
            self._log("warning", "NOTIFY_SOCKET: no answer to BARRIER=1 in 30 s")
        posix.close(read_fd)

    def _send(self, message: bytes, *fds: int) -> None:
        try:
            self._host.send(message, fds)
        except OSError as error:
            self._log("warning", f"NOTIFY_SOCKET: {describe_oserror(error)}")

    def close(self) -> None:
        """Close both ends."""
        self._inside.close()
        self._host.close()
