"""Logs that are no plain files: `--log journald:NAME`, `--log syslog:NAME`.

Both are datagrams to a socket of this machine; systemd's have fields (systemd's "Native Journal
Protocol"), syslog's are lines (RFC 3164). Imported only for such a log.
"""

from __future__ import annotations

import errno
import posix
import time

from pyoci.linux.datagrams import connect_datagrams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.linux.datagrams import Datagrams

    Sink = Callable[[dict[str, str]], None]

JOURNAL, SYSLOG = "/run/systemd/journal/socket", "/dev/log"

_PATIENCE_S = 1.0  # of a daemon that hangs
_PRIORITIES = {"error": 3, "warning": 4, "info": 6, "debug": 7}  # syslog(3)
_DAEMON = 3 << 3
_DEFAULT_NAME = "pyoci"
_LONGEST_LINE = 8192  # that a syslog daemon takes whole


def open_sink(kind: str, name: str) -> Sink:
    """What takes an entry's fields (level, msg, file, func); OSError without such a daemon."""
    if kind == "journald":
        return Journal(name or _DEFAULT_NAME, JOURNAL)
    return Syslog(name or _DEFAULT_NAME, SYSLOG)


class Journal:
    """The journal of systemd."""

    def __init__(self, name: str, path: str) -> None:
        """Connect; the name is what `journalctl --identifier` takes."""
        self._name = name
        self._socket = connect_datagrams(path, _PATIENCE_S)

    def __call__(self, fields: dict[str, str]) -> None:
        """Send one entry; OSError."""
        send_to_journal(self._socket, encode_entry(self._name, fields))


class Syslog:
    """A syslog daemon."""

    def __init__(self, name: str, path: str) -> None:
        """Connect; the name stands before each line."""
        self._name = name
        self._socket = connect_datagrams(path, _PATIENCE_S)

    def __call__(self, fields: dict[str, str]) -> None:
        """Send one line; OSError."""
        when = time.strftime("%b %e %H:%M:%S", time.localtime())
        self._socket.send(encode_line(self._name, posix.getpid(), when, fields))


def encode_entry(name: str, fields: dict[str, str]) -> bytes:
    """The fields of an entry by their names in systemd.journal-fields(7)."""
    file, _, line = fields.get("file", "").rpartition(":")
    members = {
        "MESSAGE": fields["msg"],
        "PRIORITY": str(_PRIORITIES[fields["level"]]),
        "SYSLOG_IDENTIFIER": name,
        "CODE_FILE": file,
        "CODE_LINE": line,
        "CODE_FUNC": fields.get("func", ""),
    }
    return b"".join([_encode_field(key, value) for key, value in members.items() if value])


def _encode_field(name: str, value: str) -> bytes:
    """A line if the value is one; else its length goes before it."""
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return b"%b=%b\n" % (name.encode(), data)
    return b"%b\n%b%b\n" % (name.encode(), len(data).to_bytes(8, "little"), data)


def send_to_journal(socket: Datagrams, entry: bytes) -> None:
    """Send an entry, in a sealed file if it is too large for a datagram."""
    try:
        socket.send(entry)
    except OSError as error:
        if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
            raise
    else:
        return
    import fcntl

    fd = posix.memfd_create("pyoci-log", posix.MFD_CLOEXEC | posix.MFD_ALLOW_SEALING)
    try:
        rest = entry
        while rest:
            rest = rest[posix.write(fd, rest) :]
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        socket.send(b"", (fd,))
    finally:
        posix.close(fd)


def encode_line(name: str, pid: int, when: str, fields: dict[str, str]) -> bytes:
    """A line as the C library's syslog(3) sends it, cut to what a daemon takes."""
    priority = _DAEMON | _PRIORITIES[fields["level"]]
    text = f"<{priority}>{when} {name}[{pid}]: {fields['msg']}"
    return text.encode("utf-8", "backslashreplace")[:_LONGEST_LINE]
