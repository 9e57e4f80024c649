"""Log lines decode, text stays on one line, bytes of any kind come out."""

from __future__ import annotations

import datetime as dt
import json
import posix
import re
import stat
from typing import TYPE_CHECKING

import pytest

from pyoci.cli import output
from pyoci.cli.output import Log

if TYPE_CHECKING:
    from pathlib import Path

ODD = 'quote " backslash \\ newline \n escape \x1b[31m bell \x07 bad \udcff wide ü \u2028 end'
ODD_ON_ONE_LINE = (
    'quote " backslash \\ newline \\n escape \\x1b[31m bell \\x07 bad \\xff wide ü \\u2028 end'
)


def test_one_line() -> None:
    assert output.one_line(ODD) == ODD_ON_ONE_LINE
    assert output.one_line("plain ü") == "plain ü"
    assert output.one_line("\ud800") == "\\ud800"


def test_time_is_rfc_3339_in_utc() -> None:
    text = output.format_time()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(text)
    assert abs(age) < dt.timedelta(minutes=1)


def test_json_entry(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    Log(str(path), "json").write("error", ODD)
    text = path.read_text()
    assert text.count("\n") == 1
    entry = json.loads(text)
    assert list(entry) == ["level", "msg", "time"]
    assert (entry["level"], entry["msg"]) == ("error", ODD_ON_ONE_LINE)
    assert dt.datetime.fromisoformat(entry["time"]).utcoffset() == dt.timedelta()


def test_text_entry(tmp_path: Path) -> None:
    path = tmp_path / "log"
    Log(str(path)).write("error", 'no "x"')
    assert re.fullmatch(r'time="[^"]+Z" level=error msg="no \\"x\\""\n', path.read_text())


def test_debug_adds_the_place(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    Log(str(path), "json", debug=True)("debug", "here")
    entry = json.loads(path.read_text())
    assert list(entry) == ["level", "msg", "time", "file", "func"]
    assert entry["file"].startswith(__file__)
    assert entry["func"] == "test_debug_adds_the_place"


@pytest.mark.parametrize(
    ("form", "debug", "levels"),
    [
        ("text", False, ["warning", "info"]),
        ("text", True, ["warning", "info", "debug"]),
        ("json", False, []),
        ("json", True, ["warning", "info", "debug"]),
    ],
)
def test_which_levels_a_log_takes(
    tmp_path: Path, form: str, levels: list[str], *, debug: bool
) -> None:
    path = tmp_path / "log"
    log = Log(str(path), form, debug=debug)
    for level in ("warning", "info", "debug"):
        log(level, "m")
    assert re.findall(r'level"?[=:]"?(\w+)', path.read_text()) == levels


def test_stderr_takes_entries_only_for_debugging(capfd: pytest.CaptureFixture[str]) -> None:
    Log()("warning", "quiet")
    Log(debug=True)("warning", "loud")
    written = capfd.readouterr().err
    assert "quiet" not in written
    assert 'level=warning msg="loud"' in written


def test_the_log_is_made_at_once_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before = posix.umask(0)
    try:
        Log(str(path))
    finally:
        posix.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.write_text("first\n")
    Log(str(path)).write("error", "second")
    assert path.read_text().startswith("first\n")


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Log(str(tmp_path / "missing" / "log"))


def test_a_full_log_is_no_error() -> None:
    Log("/dev/full").write("error", "lost")


def test_a_fifo_that_nobody_reads_does_not_block(tmp_path: Path) -> None:
    fifo = tmp_path / "log"
    posix.mkfifo(fifo)
    with pytest.raises(OSError, match="No such device or address"):
        Log(str(fifo))


def test_encode_gives_back_the_bytes() -> None:
    assert output.encode("ü\udcff") == b"\xc3\xbc\xff"
    assert output.encode("\ud800") == b"\\ud800"


def test_write_all_waits_for_a_full_pipe() -> None:
    reader, writer = posix.pipe()
    child = posix.fork()
    if child == 0:
        posix.close(writer)
        count = 0
        while part := posix.read(reader, 4096):
            count += len(part)
        posix._exit(0 if count == 1_000_000 else 1)
    posix.close(reader)
    posix.set_blocking(writer, False)
    output.write_all(writer, "x" * 1_000_000)
    posix.close(writer)
    assert posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1]) == 0


def test_origin_of_an_error() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    place, function = output.find_origin(caught.value)
    assert place.startswith(__file__)
    assert function == "test_origin_of_an_error"
    assert output.find_origin(ValueError()) == ("", "")
