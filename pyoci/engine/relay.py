"""A terminal in the foreground: what is typed goes to the container's pty, what it says to us.

Imported only where there is one. All signals must be blocked: they are read here, one by one.
"""

from __future__ import annotations

import posix
from select import POLLERR, POLLHUP, POLLIN, POLLOUT, poll

from pyoci.engine.foreground import take_signal
from pyoci.linux import signals, tty
from pyoci.linux.consts import P_PIDFD
from pyoci.linux.pidfd import status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from pyoci.engine.notify import Proxy

_STDIN, _STDOUT, _STDERR = 0, 1, 2
# What a pipe or a terminal that is ready takes without blocking (pipe(7), PIPE_BUF).
_CHUNK = 4096
_ROOM = 1 << 14  # so much may be on its way in one direction; then the sender has to wait
_REST = 1 << 17  # more than the kernel keeps of what was written to a terminal
_HANGUP_MS = 100  # how often to look whether somebody has opened the pty again
_ENDING = (1, 2, 3, 15)  # SIGHUP, SIGINT, SIGQUIT, SIGTERM


class Relay:
    """The container's pty, and our own terminal in raw mode as long as this is entered."""

    def __init__(self, master_fd: int, proxy: Proxy | None = None) -> None:
        """Take the master end of the pty, which is closed at the end, and who else has messages."""
        self.master_fd = master_fd
        self._proxy = proxy
        self._terminal_fd = _find_terminal()
        self._before: tty.Attributes | None = None
        self._signal_fd = signals.open_signals()
        self._input_fd = _STDIN
        self._output_fd = _open_output()
        self._typed = b""
        self._said = b""
        self._last_typed = b"\n"
        self._hung_up = False

    def __enter__(self) -> Relay:
        """Have both terminals as they should be: one that translates is enough."""
        tty.keep_newlines(self.master_fd)
        posix.set_blocking(self.master_fd, False)
        self._resize()
        if posix.isatty(_STDIN):
            self._before = tty.make_raw(_STDIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give our terminal back, whatever has happened."""
        if self._before is not None:
            try:
                tty.restore(_STDIN, self._before)
            except OSError:  # EIO: it is gone itself
                self._before = None
        self._hang_up()
        posix.close(self._signal_fd)

    def await_exit(self, pidfd: int) -> int:
        """Relay until the child has ended; its status, 128 + signal if one ended it."""
        status = None
        while status is None:
            self._serve(self._wait(pidfd), pidfd)
            status = status_of(posix.waitid(P_PIDFD, pidfd, posix.WEXITED | posix.WNOHANG))
        self._finish()
        return status

    # --- one turn

    def _wait(self, pidfd: int) -> dict[int, int]:
        """What can be done now; only what there is room for is asked about."""
        poller = poll()
        poller.register(self._signal_fd, POLLIN)
        poller.register(pidfd, POLLIN)
        if self._proxy is not None:
            poller.register(self._proxy.fd, POLLIN)
        if self._output_fd >= 0:
            poller.register(self._output_fd, POLLOUT if self._said else 0)
        if self._input_fd >= 0 and len(self._typed) < _ROOM and self.master_fd >= 0:
            poller.register(self._input_fd, POLLIN)
        if self.master_fd >= 0 and not self._hung_up:
            wanted = (POLLIN if len(self._said) < _ROOM else 0) | (POLLOUT if self._typed else 0)
            poller.register(self.master_fd, wanted)
        events = dict(poller.poll(_HANGUP_MS if self._hung_up else None))
        self._hung_up = False
        return events

    def _serve(self, events: dict[int, int], pidfd: int) -> None:
        if self._signal_fd in events:
            self._take_signal(pidfd)
        if self._proxy is not None and self._proxy.fd in events:
            self._proxy.forward()
        if events.get(self._input_fd):
            self._read_input()
        of_master = events.get(self.master_fd, 0)
        if of_master & POLLOUT:
            self._write_master()
        if of_master & (POLLIN | POLLHUP) and len(self._said) < _ROOM:
            self._said += self._read_master()
        self._write_output(events.get(self._output_fd, 0))

    def _take_signal(self, pidfd: int) -> None:
        number = signals.read_signal(self._signal_fd)
        if number == signals.SIGWINCH:
            self._resize()
        take_signal(number, pidfd)

    def _resize(self) -> None:
        """Give the container's terminal the size of ours, if there is one that has a size."""
        if self._terminal_fd < 0 or self.master_fd < 0:
            return
        try:
            size = tty.read_size(self._terminal_fd)
        except OSError:  # EIO: it has gone away
            return
        if size != (0, 0):
            tty.set_size(self.master_fd, *size)

    # --- to the container

    def _read_input(self) -> None:
        try:
            data = posix.read(self._input_fd, _CHUNK)
        except OSError:  # EIO: the terminal is gone, or another job's now; EBADF: never was one
            self._input_fd = -1
            return
        if data:
            self._last_typed = data[-1:]
        else:  # the pty itself has no end: it is typed. In the middle of a line once does not do.
            self._input_fd = -1
            data = tty.end_of_file_character(self.master_fd) * (
                1 if self._last_typed == b"\n" else 2
            )
        self._typed += data

    def _write_master(self) -> None:
        try:
            written = posix.write(self.master_fd, self._typed)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the other end open
            written = len(self._typed)
        self._typed = self._typed[written:]

    # --- from the container

    def _read_master(self) -> bytes:
        """What was said; nothing for now, or as long as nobody has the other end open."""
        try:
            return posix.read(self.master_fd, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError:  # EIO
            self._hung_up = True
            return b""

    def _write_output(self, events: int) -> None:
        try:
            if events & POLLOUT:
                self._said = self._said[posix.write(self._output_fd, self._said[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # EPIPE, EIO
            events |= POLLERR
        if events & (POLLERR | POLLHUP):
            # Nobody listens any more: as with any terminal that goes away. poll(2) would tell of
            # it again and again.
            self._said = b""
            self._output_fd = -1
            self._hang_up()

    def _hang_up(self) -> None:
        if self.master_fd >= 0:
            posix.close(self.master_fd)
        self.master_fd = -1

    def _finish(self) -> None:
        """Write what the child had said, but not what others who survive it go on saying."""
        left = _REST
        while self.master_fd >= 0:
            if not self._said and left > 0:
                self._said = self._read_master()
                left -= len(self._said)
            if not self._said or not self._write_rest():
                return

    def _write_rest(self) -> bool:
        """Write a part; whether to go on: a reader that takes nothing can be given up."""
        poller = poll()
        poller.register(self._output_fd, POLLOUT)
        poller.register(self._signal_fd, POLLIN)
        events = dict(poller.poll())
        self._write_output(events.get(self._output_fd, 0))
        ending = self._signal_fd in events and signals.read_signal(self._signal_fd) in _ENDING
        return not ending


def _find_terminal() -> int:
    """The terminal we were started on, by any stream of ours that is one; -1 if there is none."""
    for fd in (_STDERR, _STDOUT, _STDIN):
        if posix.isatty(fd):
            return fd
    try:
        return posix.open("/dev/tty", posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC)
    except OSError:  # ENXIO: we have none
        return -1


def _open_output() -> int:
    """Our stdout; where that is a terminal, opened again: not to block must not be others' too."""
    if not posix.isatty(_STDOUT):
        return _STDOUT
    flags = posix.O_WRONLY | posix.O_NOCTTY | posix.O_NONBLOCK | posix.O_CLOEXEC
    try:
        return posix.open("/proc/self/fd/1", flags)
    except OSError:  # EACCES: another user's
        return _STDOUT
