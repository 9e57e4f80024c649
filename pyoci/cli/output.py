"""Bytes out: text for people on one line, the log, and the standard descriptors.

Only ``main.py`` uses this to print. Nothing here is buffered, so that nothing is
left to be flushed, or to fail, after the process believes it has ended.
"""

from __future__ import annotations

import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

STDOUT, STDERR = 1, 2

# Append and synchronous: several runtimes write to one log of an engine. Non-blocking: the log
# may be a FIFO that nobody reads, and no caller may be kept waiting by that.
_LOG_FLAGS = (
    posix.O_WRONLY
    | posix.O_CREAT
    | posix.O_APPEND
    | posix.O_SYNC
    | posix.O_CLOEXEC
    | posix.O_NONBLOCK
    | posix.O_NOCTTY
)


# Logs that are no files (sinks.py).
_SINKS = ("journald", "syslog")


def open_standard_fds() -> None:
    """Put /dev/null where the caller closed 0, 1 or 2: our own files must not get these numbers."""
    for fd in (0, 1, 2):
        try:
            posix.fstat(fd)
        except OSError:
            # The kernel gives the lowest free number, which is this one.
            posix.set_inheritable(posix.open("/dev/null", posix.O_RDWR), True)


def one_line(text: str) -> str:
    r"""The text without control characters and the like: as ``\n``, ``\x1b``, ``\u2028``.

    Bytes that are no UTF-8 (surrogates of surrogateescape) become ``\xff``.
    """
    if text.isprintable():
        return text
    return "".join([_escape(character) for character in text])


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]


def encode(text: str) -> bytes:
    """UTF-8, whatever the locale; the bytes that surrogateescape hid come out as they went in."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def write_all(fd: int, text: str) -> None:
    """Write all of the text; OSError if the descriptor is broken or full."""
    data = encode(text)
    while data:
        try:
            data = data[posix.write(fd, data) :]
        except BlockingIOError:
            _wait_writable(fd)


def _wait_writable(fd: int) -> None:
    """Our caller's pipe may be non-blocking, and full."""
    import select

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll()


class Log:
    """The log of ``--log``, ``--log-format`` and ``--debug``; called with a level and a message.

    It is a file (``file:PATH`` too), or as with crun ``journald:NAME`` or ``syslog:NAME``.

    Levels are error, warning, info and debug. A JSON log takes errors only, unless debugging:
    its readers expect one object, the error. Without a file, entries go to stderr, and only if
    debugging: callers read stderr together with stdout.
    """

    def __init__(self, path: str = "", form: str = "text", *, debug: bool = False) -> None:
        """Open the file, making it if need be; OSError if that fails."""
        self.debug = debug
        self.is_json = form == "json"
        self.has_file = bool(path)
        self._fd, self._sink = STDERR, None
        kind, colon, rest = path.partition(":")
        if colon and kind in _SINKS:
            from pyoci.cli.sinks import open_sink

            self._sink = open_sink(kind, rest)
        elif path:
            self._fd = posix.open(path.removeprefix("file:"), _LOG_FLAGS, 0o644)

    def __call__(self, level: str, message: str) -> None:
        """Write an entry of this level, if the log takes it."""
        quiet = (self.is_json and level != "error") or level == "debug" or not self.has_file
        if self.debug or not quiet:
            self.write(level, message, _caller(sys._getframe(1)) if self.debug else ("", ""))  # noqa: SLF001

    def write(self, level: str, message: str, origin: tuple[str, str] = ("", "")) -> None:
        """Write an entry in any case; origin is file:line and function, for debugging."""
        fields = [("level", level), ("msg", one_line(message)), ("time", format_time())]
        if self.debug and origin[0]:
            fields += [("file", origin[0]), ("func", origin[1])]
        try:
            if self._sink is not None:
                self._sink(dict(fields))
                return
            line = _render_json(fields) if self.is_json else _render_text(fields)
            write_all(self._fd, line) if self._fd == STDERR else _write_once(self._fd, line)
        except OSError:
            # A full log, or one that nobody reads, is no reason to fail.
            return


def _write_once(fd: int, line: str) -> None:
    """One write, one entry: others append to the same file."""
    posix.write(fd, encode(line))


def _render_json(fields: list[tuple[str, str]]) -> str:
    """The entry as one JSON object, without a character beyond ASCII."""
    from pyoci.jsonio import dumps

    return dumps(dict(fields)) + "\n"


def _render_text(fields: list[tuple[str, str]]) -> str:
    """The entry as logfmt, in the order of logrus: time, level, the rest."""
    values = dict(fields)
    ordered = {"time": values.pop("time"), "level": values.pop("level"), **values}
    words = [f"{k}={v if k == 'level' else _quote_text(v)}" for k, v in ordered.items()]
    return " ".join(words) + "\n"


def _quote_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def format_time() -> str:
    """Now, as RFC 3339 in UTC, to the microsecond."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    date = f"{year:04}-{month:02}-{day:02}"
    return f"{date}T{hour:02}:{minute:02}:{second:02}.{nanoseconds // 1000:06}Z"


def _caller(frame: FrameType) -> tuple[str, str]:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}", frame.f_code.co_qualname


def find_origin(error: BaseException) -> tuple[str, str]:
    """Where the error was raised: file:line and function; empty if it never was."""
    trace = error.__traceback__
    if trace is None:
        return "", ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{code.co_filename}:{trace.tb_lineno}", code.co_qualname
