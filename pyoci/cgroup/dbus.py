"""A connection to a message bus: calls and their replies, each within a time that is bounded.

jeepney says how messages look; the socket is ours, and so is the waiting. An address is one like
unix:path=/run/user/1000/bus (D-Bus specification, "Server Addresses").
"""

from __future__ import annotations

import errno
import posix
import sys
from select import POLLIN, POLLOUT, poll
from time import monotonic

from pyoci.errors import StepError, UnsupportedError, describe_errno, describe_oserror
from pyoci.linux.sockets import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE_S = 30.0  # as long as runc waits for systemd
_CHUNK_BYTES = 1 << 16
_LONGEST_ANSWER = 1 << 12
_BUS = ("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")

# No user is named: the bus takes the socket's word, which is right in a user namespace, too.
_AUTHENTICATE = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"


class BusError(Exception):
    """An error that the other side has sent: its name and its message."""

    def __init__(self, name: str, message: str) -> None:
        """Take both; they are one line each."""
        super().__init__(message)
        self.name = name
        self.message = message


def import_jeepney() -> Any:  # noqa: ANN401  (it has no types)
    """The library; UnsupportedError that says how to get it."""
    from pyoci.libraries import add_library_paths

    add_library_paths()
    try:
        import jeepney
    except ImportError as error:
        hint = f"install python3-jeepney, or jeepney for {sys.executable} ({error})"
        raise UnsupportedError("--systemd-cgroup needs the Python package jeepney", hint) from None
    return jeepney


def parse_address(address: str) -> list[str]:
    """The paths of the sockets in an address."""
    paths: list[str] = []
    for each in address.split(";"):
        transport, _, rest = each.partition(":")
        for item in rest.split(","):
            key, _, value = item.partition("=")
            if transport == "unix" and key == "path":
                paths.append(_unescape(value))
    return paths


def _unescape(text: str) -> str:
    first, *others = text.encode("utf-8", "surrogateescape").split(b"%")
    made = first
    for part in others:
        code = part[:2]
        is_hex = len(code) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in code)
        made += bytes([int(code, 16)]) + part[2:] if is_hex else b"%" + part
    return made.decode("utf-8", "surrogateescape")


class Connection:
    """One connection; close it."""

    def __init__(self, address: str, hint: str = "") -> None:
        """Connect and say hello; StepError with the hint, UnsupportedError without jeepney."""
        self._jeepney = import_jeepney()
        self._address = address
        self._hint = hint
        self.peer = ""  # who has sent the last reply
        self._parser = self._jeepney.Parser()
        self._serial = 0
        self._replies: dict[int, Any] = {}
        self._signals: list[Any] = []
        self._poller = poll()
        self._fd = -1
        try:
            self._fd = _open(address)
            self._authenticate()
            self.call(_BUS, "Hello")
        except OSError as error:
            self.close()
            raise self._unreachable(describe_errno(error.errno or 0)) from None
        except BaseException:
            self.close()
            raise

    def _unreachable(self, reason: str) -> StepError:
        what = f"cannot reach systemd by {self._address}"
        return StepError("", what, reason, hint=self._hint)

    def close(self) -> None:
        """Close the socket."""
        if self._fd >= 0:
            posix.close(self._fd)
            self._fd = -1

    # --- messages

    def call(
        self, target: tuple[str, str, str], member: str, signature: str = "", *body: object
    ) -> tuple[Any, ...]:
        """What the method returns. BusError if it fails, StepError if nothing is heard in time.

        The target is an object path, the name of who has it, and an interface.
        """
        return self.receive(self.send(target, member, signature, *body))

    def send(
        self, target: tuple[str, str, str], member: str, signature: str = "", *body: object
    ) -> int:
        """Make the call; the number by which `receive` gets the reply."""
        path, name, interface = target
        made = self._jeepney.new_method_call(
            self._jeepney.DBusAddress(path, name, interface), member, signature or None, body
        )
        self._serial += 1
        deadline = monotonic() + PATIENCE_S
        content = made.serialise(self._serial)
        while content:
            self._await(POLLOUT, deadline)
            content = content[self._write(content) :]
        return self._serial

    def receive(self, serial: int) -> tuple[Any, ...]:
        """The reply to a call, as `call` gives it."""
        fields = self._jeepney.HeaderFields
        deadline = monotonic() + PATIENCE_S
        while serial not in self._replies:
            self._take_message(deadline)
        message = self._replies.pop(serial)
        header = message.header
        if header.message_type == self._jeepney.MessageType.error:
            text = message.body[0] if message.body else ""
            raise BusError(header.fields.get(fields.error_name, ""), one_line(str(text)))
        self.peer = header.fields.get(fields.sender, "")
        return tuple(message.body)

    def await_signal(self, sender: str, member: str, fits: Callable[[Any], bool]) -> Any:  # noqa: ANN401
        """The body of a signal that has come or will; StepError if it does not come in time."""
        deadline = monotonic() + PATIENCE_S
        while True:
            waiting, self._signals = self._signals, []
            for message in waiting:
                if self._is_from(message, sender, member) and fits(message.body):
                    return message.body
            self._take_message(deadline)

    def _is_from(self, message: Any, sender: str, member: str) -> bool:  # noqa: ANN401
        """Anybody on the bus can send us a signal: only one of this sender counts."""
        fields, found = self._jeepney.HeaderFields, message.header.fields
        return (found.get(fields.sender), found.get(fields.member)) == (sender, member)

    def _take_message(self, deadline: float) -> None:
        message = self._next_message(deadline)
        replied_to = message.header.fields.get(self._jeepney.HeaderFields.reply_serial)
        if replied_to is not None:
            self._replies[replied_to] = message
        elif message.header.message_type == self._jeepney.MessageType.signal:
            self._signals.append(message)

    def _next_message(self, deadline: float) -> Any:  # noqa: ANN401  (it has no types)
        while (message := self._parser.get_next_message()) is None:
            self._parser.add_data(self._read(deadline))
        return message

    # --- bytes

    def _authenticate(self) -> None:
        deadline = monotonic() + PATIENCE_S
        self._write(_AUTHENTICATE)
        said = b""
        while not any(line.startswith(b"OK ") for line in said.split(b"\r\n")[:-1]):
            if b"REJECTED" in said or b"ERROR" in said or len(said) > _LONGEST_ANSWER:
                raise self._unreachable("the bus does not take us for who we are")
            said += self._read(deadline)

    def _read(self, deadline: float) -> bytes:
        self._await(POLLIN, deadline)
        try:
            content = posix.read(self._fd, _CHUNK_BYTES)
        except OSError as error:
            raise self._unreachable(describe_oserror(error)) from None
        if not content:
            raise self._unreachable("the connection was closed")
        return content

    def _write(self, content: bytes) -> int:
        try:
            return posix.write(self._fd, content)
        except OSError as error:
            raise self._unreachable(describe_oserror(error)) from None

    def _await(self, event: int, deadline: float) -> None:
        self._poller.register(self._fd, event)
        left_ms = max(0, int((deadline - monotonic()) * 1000))
        if not self._poller.poll(left_ms):
            raise self._unreachable(f"nothing was heard for {PATIENCE_S:.0f} s")


def _open(address: str) -> int:
    """A socket that is connected to the first of the address that answers; OSError."""
    problem = OSError(errno.EINVAL, posix.strerror(errno.EINVAL))
    for path in parse_address(address):
        try:
            fd = connect(path, PATIENCE_S)
        except OSError as error:
            problem = error
        else:
            posix.set_blocking(fd, False)
            return fd
    raise problem


def one_line(text: str) -> str:
    """The text without line ends, and without the full stop that systemd puts after a message."""
    return " ".join(text.split()).removesuffix(".")
