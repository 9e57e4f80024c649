"""Finding the program and the home directory."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.engine.execute import Execution, check_program, find_home, find_program, home_of
from pyoci.errors import StepError
from pyoci.plan.steps import ExecuteProcess

if TYPE_CHECKING:
    from pathlib import Path

USERS = """root:x:0:0:root:/root:/bin/sh
# a comment
short:x:5
bin:x:1:1:::
again:x:0:0::/elsewhere:
user:x:1000:1000::/home/user:/bin/sh
"""


@pytest.mark.parametrize(
    ("uid", "home"), [(0, "/root"), (1, "/"), (5, "/"), (1000, "/home/user"), (7, "/")]
)
def test_home_is_that_of_the_first_line_of_the_uid(uid: int, home: str) -> None:
    assert home_of(USERS, uid) == home


@pytest.mark.parametrize(
    "line", ["x:x:٣:3::/h:", "x:x: 3:3::/h:", "x:x:+3:3::/h:", "x:x:3_0:3::/h:", "x:x:3:3::/h\0:"]
)
def test_only_plain_digits_are_a_uid(line: str) -> None:
    assert home_of(line, 3) == "/"
    assert home_of(line, 30) == "/"


@given(st.text(st.sampled_from("a0:/\n\\"), max_size=30))
def test_any_passwd_gives_a_home(text: str) -> None:
    assert home_of(text, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def home_in(root: Path) -> str:
    fd = os.open(root, os.O_PATH)
    try:
        return find_home(fd, 1000)
    finally:
        os.close(fd)


def test_home_in_an_image(root: Path) -> None:
    assert home_in(root) == "/"
    (root / "etc" / "passwd").write_bytes(b"\xff\n" + USERS.encode())
    assert home_in(root) == "/home/user"


def test_a_hostile_passwd_neither_hangs_nor_leads_out(root: Path, tmp_path: Path) -> None:
    passwd = root / "etc" / "passwd"
    os.mkfifo(passwd)
    assert home_in(root) == "/"
    passwd.unlink()
    outside = tmp_path / "outside"
    outside.write_text(USERS)
    passwd.symlink_to(outside)
    assert home_in(root) == "/"
    passwd.unlink()
    (root / "etc").rmdir()
    (root / "etc").symlink_to("/etc")
    assert home_in(root) == "/"


def make_program(path: Path, mode: int = 0o755) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


def test_check_program(tmp_path: Path) -> None:
    assert check_program(make_program(tmp_path / "good")) == 0
    assert check_program(make_program(tmp_path / "bad", 0o644)) == errno.EACCES
    assert check_program(str(tmp_path)) == errno.EISDIR
    assert check_program(f"{tmp_path}/none") == errno.ENOENT
    assert check_program(f"{tmp_path}/good/x") == errno.ENOTDIR
    os.mkfifo(tmp_path / "fifo", 0o755)
    assert check_program(f"{tmp_path}/fifo") == errno.EACCES


def test_a_name_is_looked_for_along_the_path(tmp_path: Path) -> None:
    make_program(tmp_path / "a" / "x", 0o644)
    (tmp_path / "b" / "x").mkdir(parents=True)
    wanted = make_program(tmp_path / "c" / "x")
    make_program(tmp_path / "d" / "x")
    search = ":".join(f"{tmp_path}/{name}" for name in ("none", "a", "b", "c", "d"))
    assert find_program("x", search) == wanted


def test_an_empty_part_of_path_is_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path / "x")
    monkeypatch.chdir(tmp_path)
    assert find_program("x", "/nowhere::/bin") == "./x"


def test_a_name_with_a_slash_is_a_path(tmp_path: Path) -> None:
    program = make_program(tmp_path / "x")
    assert find_program(program, "") == program


@pytest.mark.parametrize(
    ("name", "words", "number"),
    [
        ("x", 'exec: "x": executable file not found in $PATH', errno.ENOENT),
        ("a/x", 'exec: "a/x": stat a/x: no such file or directory', errno.ENOENT),
        ("plain", 'exec: "plain": permission denied', errno.EACCES),
        ("./plain", 'exec: "./plain": permission denied', errno.EACCES),
        ("./plain/x", 'exec: "./plain/x": stat ./plain/x: not a directory', errno.ENOTDIR),
        ("./", 'exec: "./": is a directory: permission denied', errno.EISDIR),
        ("", 'exec: "": executable file not found in $PATH', errno.ENOENT),
    ],
)
def test_words_that_callers_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str, number: int
) -> None:
    make_program(tmp_path / "plain", 0o644)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StepError) as caught:
        find_program(name, str(tmp_path))
    assert (caught.value.message, caught.value.errno) == (words, number)


def execution(root: Path, *env: str, preserve_fds: int = 0) -> Execution:
    program = make_program(root / "program")
    step = ExecuteProcess(args=(program, "é"), env=env, preserve_fds=preserve_fds, uid=1000)
    fd = os.open(root, os.O_PATH)
    try:
        return Execution(step, fd)
    finally:
        os.close(fd)


def test_execution_is_bytes_and_complete(root: Path) -> None:
    (root / "etc" / "passwd").write_text(USERS)
    made = execution(root, "A=1", "B=x=y", "C=", preserve_fds=2)
    assert made.args[1] == "é".encode()
    assert made.env == {b"A": b"1", b"B": b"x=y", b"C": b"", b"HOME": b"/home/user"}
    assert made.last_fd == 4


def test_a_home_of_the_config_stays(root: Path) -> None:
    assert execution(root, "HOME=/mine").env == {b"HOME": b"/mine"}
    assert execution(root, "HOME=").env == {b"HOME": b"/"}
