"""Terminals and pseudoterminals: pty(7), ioctl_tty(2), termios(3).

Imported only where there is a terminal: in most builds of Python termios is a file of its own.
"""

from __future__ import annotations

import fcntl
import posix
import sys
import termios

from pyoci.linux.ioctls import numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Attributes: TypeAlias = "list[int | list[bytes | int]]"

_NUMBERS = numbers(posix.uname().machine)
# Where tcgetattr(3) has them in Python.
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6


def unlock_pty(master_fd: int) -> None:
    """Let the other end be opened (ioctl_tty(2), TIOCSPTLCK)."""
    fcntl.ioctl(master_fd, _NUMBERS["TIOCSPTLCK"], bytes(4))


def number_of_pty(master_fd: int) -> int:
    """The name of the other end in its devpts (ioctl_tty(2), TIOCGPTN)."""
    found = fcntl.ioctl(master_fd, _NUMBERS["TIOCGPTN"], bytes(4))
    return int.from_bytes(found, sys.byteorder)


def open_peer(master_fd: int) -> int:
    """A close-on-exec descriptor of the other end, whatever lies at its name (TIOCGPTPEER)."""
    flags = posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC
    return fcntl.ioctl(master_fd, _NUMBERS["TIOCGPTPEER"], flags)


def set_controlling_terminal(fd: int) -> None:
    """Make the terminal that of our session, whose leader we are (ioctl_tty(2), TIOCSCTTY)."""
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def set_size(fd: int, rows: int, columns: int) -> None:
    """Set the size in characters; whoever runs on the terminal gets SIGWINCH."""
    words = [number.to_bytes(2, sys.byteorder) for number in (rows, columns, 0, 0)]
    fcntl.ioctl(fd, termios.TIOCSWINSZ, b"".join(words))


def read_size(fd: int) -> tuple[int, int]:
    """Rows and columns; zeros if nobody has set them."""
    found = fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8))
    return int.from_bytes(found[:2], sys.byteorder), int.from_bytes(found[2:4], sys.byteorder)


def keep_newlines(fd: int) -> None:
    r"""Have the terminal write `\n` as it is, not as `\r\n` (termios(3), ONLCR)."""
    attributes = _get(fd)
    attributes[_OFLAG] &= ~termios.ONLCR
    restore(fd, attributes)


def end_of_file_character(fd: int) -> bytes:
    """The character that ends the input when it is typed (termios(3), VEOF)."""
    character: bytes = _get(fd)[_CC][termios.VEOF]
    return character


def make_raw(fd: int) -> Attributes:
    """Pass on what is typed at once and as it is (cfmakeraw(3)); returns the settings before.

    What is written is still processed: messages of ours among it stay readable.
    """
    before: Attributes = _get(fd)
    attributes = _get(fd)
    attributes[_IFLAG] &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    attributes[_CFLAG] = attributes[_CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    attributes[_LFLAG] &= ~(
        termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN
    )
    attributes[_CC][termios.VMIN], attributes[_CC][termios.VTIME] = 1, 0
    restore(fd, attributes)
    return before


def restore(fd: int, attributes: Attributes) -> None:
    """Give a terminal the settings that `make_raw` found; OSError if it is gone."""
    try:
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except termios.error as error:  # which is no OSError
        raise OSError(*error.args) from None


def _get(fd: int) -> list[Any]:
    try:
        return termios.tcgetattr(fd)
    except termios.error as error:
        raise OSError(*error.args) from None
