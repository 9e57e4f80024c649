"""Logs that are no files: what is sent to the journal and to a syslog daemon."""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyoci.cli import sinks
from pyoci.cli.output import Log

ENTRY = {"level": "error", "msg": "it failed", "time": "2026-01-02T03:04:05Z"}
LARGE = "x" * 4_000_000


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "socket"))
        made.settimeout(30)
        yield made


def parse_entry(data: bytes) -> dict[str, str]:
    """An entry as journald reads it: lines, or a name, eight bytes of length and the value."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + length], rest[9 + length :]
        fields[name.decode()] = value.decode()
        data = rest
    return fields


def test_the_fields_of_an_entry() -> None:
    fields = {**ENTRY, "file": "/lib/pyoci/x.py:12", "func": "f"}
    assert parse_entry(sinks.encode_entry("web", fields)) == {
        "MESSAGE": "it failed",
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "web",
        "CODE_FILE": "/lib/pyoci/x.py",
        "CODE_LINE": "12",
        "CODE_FUNC": "f",
    }


@pytest.mark.parametrize("text", ["é", "a\nb", "\n", "a=b", "half \udcff"])
def test_any_text_is_one_field(text: str) -> None:
    found = parse_entry(sinks.encode_entry("n", {**ENTRY, "msg": text}))
    assert set(found) == {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER"}
    assert found["MESSAGE"] == text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize(
    ("level", "priority"), [("error", 3), ("warning", 4), ("info", 6), ("debug", 7)]
)
def test_priorities(level: str, priority: int) -> None:
    fields = {**ENTRY, "level": level}
    assert parse_entry(sinks.encode_entry("n", fields))["PRIORITY"] == str(priority)
    line = sinks.encode_line("n", 7, "Jan  2 03:04:05", fields)
    assert line == f"<{24 + priority}>Jan  2 03:04:05 n[7]: it failed".encode()


def test_a_datagram_for_the_journal(daemon: socket.socket) -> None:
    sinks.Journal("web", daemon.getsockname())(ENTRY)
    assert parse_entry(daemon.recv(4096))["MESSAGE"] == "it failed"


def test_what_is_too_large_goes_in_a_sealed_file(daemon: socket.socket) -> None:
    sinks.Journal("web", daemon.getsockname())({**ENTRY, "msg": LARGE})
    data, messages, _, _ = daemon.recvmsg(4096, socket.CMSG_SPACE(8))
    ((_, _, raw),) = messages
    (fd,) = array.array("i", raw)
    try:
        assert data == b""
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) == seals
        entry = os.pread(fd, len(LARGE) + 4096, 0)
    finally:
        os.close(fd)
    assert parse_entry(entry)["MESSAGE"] == LARGE


def test_a_line_for_syslog(daemon: socket.socket) -> None:
    sinks.Syslog("web", daemon.getsockname())({**ENTRY, "msg": LARGE})
    line = daemon.recv(1 << 20).decode()
    pattern = rf"<27>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d web\[{os.getpid()}\]: x+"
    assert re.fullmatch(pattern, line)
    assert len(line) == 8192


@pytest.mark.parametrize("kind", ["journald", "syslog"])
def test_a_daemon_that_is_not_there(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JOURNAL", "SYSLOG"):
        monkeypatch.setattr(sinks, name, str(tmp_path / "nobody"))
    with pytest.raises(FileNotFoundError):
        Log(f"{kind}:web")


@pytest.mark.parametrize("kind", ["journald", "syslog"])
@pytest.mark.parametrize(("given", "shown"), [("web", "web"), ("", "pyoci")])
def test_a_log_with_a_prefix(
    kind: str, given: str, shown: str, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "JOURNAL", daemon.getsockname())
    monkeypatch.setattr(sinks, "SYSLOG", daemon.getsockname())
    log = Log(f"{kind}:{given}", "json")
    assert log.has_file
    log("warning", "not in a JSON log")
    log("error", "once")
    sent = daemon.recv(4096).decode()
    assert "once" in sent
    assert shown in sent


def test_a_file_with_a_prefix(tmp_path: Path) -> None:
    path = tmp_path / "journald:web"
    Log(f"file:{path}")("error", "once")
    assert 'msg="once"' in path.read_text()
    other = tmp_path / "other:log"
    Log(str(other))("error", "once")
    assert 'msg="once"' in other.read_text()
