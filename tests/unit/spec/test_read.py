"""Documents from bytes and from files of every kind; nothing hangs, nothing but ConfigError."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from pyoci.errors import ConfigError
from pyoci.host.files import LIMIT_BYTES, read_config, read_json_file
from pyoci.spec.document import MAX_NESTING, parse_document

MINIMAL = {"ociVersion": "1.0.2", "root": {"path": "rootfs"}}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no JSON value"),
        (b"{", "expecting property name"),
        (b"{'a': 1}", "expecting property name"),
        (b'{"a"}', "expecting ':'"),
        (b'"a\nb"', "invalid control character"),
        (b"{} {}", "extra text"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "not UTF-8 at byte 0"),
        ("{}".encode("utf-16-le"), "NUL byte"),
        ('{"é": 1}'.encode("latin-1"), "not UTF-8"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "duplicate member 'a'"),
        (b'{"b": {"a": 1, "a": 1}}', "duplicate member 'a'"),
        (b"[NaN]", "NaN is not a JSON value"),
        (b"[-Infinity]", "-Infinity is not a JSON value"),
        (b'{"a": ' + b"9" * 5000 + b"}", "thousands of digits"),
        (b"[" * 100_000, "nested more than"),
        (b"[" * 100_000 + b"]" * 100_000, "nested more than"),
        (b'{"a":' * (MAX_NESTING + 1) + b"1" + b"}" * (MAX_NESTING + 1), "nested more than"),
    ],
)
def test_bad_document(raw: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document(raw)
    assert said in caught.value.message
    assert caught.value.message.startswith("config.json: ")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("raw", "path", "said"),
    [
        (rb'{"a": ["x", "b\u0000"]}', "a[1]", "a NUL character"),
        (rb'{"a": {"\u0000": 1}}', "a", "a NUL character"),
        (rb'{"a": "\ud800"}', "a", "half of a surrogate pair"),
        (rb'{"a": "\uDC00x"}', "a", "half of a surrogate pair"),
        (rb'{"\udfff": 1}', "", "half of a surrogate pair"),
        (rb'["\ude00\ud83d"]', "[0]", "half of a surrogate pair"),
    ],
)
def test_bad_string(raw: bytes, path: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document(raw)
    assert caught.value.path == path
    assert said in caught.value.reason


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b" \t\r\n{}\n", {}),
        (rb'["\ud83d\ude00", "\\u0000", "\u003c"]', ["\U0001f600", "\\u0000", "<"]),
        ('[1, -0, 1.5, true, null, "\u00e9"]'.encode(), [1, 0, 1.5, True, None, "\u00e9"]),
        (b"9" * 4000, int("9" * 4000)),
        (b"[" * MAX_NESTING + b"]" * MAX_NESTING, None),
        (b"[" + b"[]," * 1000 + b"[]]", [[]] * 1001),
    ],
)
def test_good_document(raw: bytes, value: object) -> None:
    parsed = parse_document(raw)
    if value is not None:
        assert parsed == value


def test_read_config(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(MINIMAL))
    assert read_config(str(file)) == MINIMAL


def test_read_config_explains_a_refusal(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**MINIMAL, "process": {"cwd": "/", "args": ["sh", 7]}}))
    with pytest.raises(ConfigError, match=r"process\.args\[1\]: expected a string, got 7"):
        read_config(str(file))
    file.write_text("[]")
    with pytest.raises(ConfigError, match=r"expected an object in config\.json"):
        read_config(str(file))


def test_missing_file_is_named_as_callers_expect(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(f"{tmp_path}/config.json")
    wanted = f"JSON specification file config.json not found in {tmp_path}"
    assert caught.value.message == wanted


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_directory(path: Path) -> None:
    path.mkdir()


def make_link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_fifo, "not a regular file"),
        (make_directory, "not a regular file"),
        (make_link_to_device, "not a regular file"),
        (make_socket, "ENXIO"),
        (make_loop, "ELOOP"),
    ],
)
def test_other_kinds_of_files_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, said: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    assert callable(make)
    make(Path("config.json"))
    with pytest.raises(ConfigError, match=said):
        read_json_file("config.json")


def test_size_limit(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b"{}" + b" " * (LIMIT_BYTES - 2))
    assert read_json_file(str(file)) == {}
    with file.open("ab") as more:
        more.write(b" ")
    with pytest.raises(ConfigError, match=f"larger than {LIMIT_BYTES} bytes"):
        read_json_file(str(file))


def test_files_that_hide_their_size_are_read_whole() -> None:
    # procfs says 0; this one is a single JSON number.
    assert read_json_file("/proc/sys/kernel/pid_max") == int(
        Path("/proc/sys/kernel/pid_max").read_text()
    )


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{")
    before = os.listdir("/proc/self/fd")
    for name in (str(file), str(tmp_path), f"{tmp_path}/missing"):
        with pytest.raises(ConfigError):
            read_json_file(name)
    assert os.listdir("/proc/self/fd") == before
