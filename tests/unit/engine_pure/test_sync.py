"""The messages between main and init, over a real pair of sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci import jsonio
from pyoci.engine import sync
from pyoci.engine.sync import Failure
from pyoci.linux.sockets import seqpacket_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = (sync.IDS_MAPPED, sync.HOST_HOOKS, sync.HOOKS_DONE, sync.READY, sync.START)
short = st.text(max_size=8)
failures = st.builds(
    Failure,
    step=st.integers(-1, 99),
    errno=st.integers(0, 133),
    path=short,
    detail=short,
    hint=short,
)


@pytest.fixture
def pair() -> Iterator[tuple[int, int]]:
    main_fd, init_fd = seqpacket_pair()
    yield main_fd, init_fd
    for fd in (main_fd, init_fd):
        try:
            os.close(fd)
        except OSError:  # the test has closed it
            continue


def test_no_kind_is_the_beginning_of_another() -> None:
    kinds = (*KINDS, sync.FAILED)
    assert len(set(kinds)) == len(kinds)
    assert all(b" " not in kind for kind in kinds)


def test_one_read_gives_one_message(pair: tuple[int, int]) -> None:
    main_fd, init_fd = pair
    for kind in KINDS:
        sync.send(init_fd, kind)
    for kind in KINDS:
        assert sync.receive(main_fd) == (kind, None)


def test_end_of_file(pair: tuple[int, int]) -> None:
    main_fd, init_fd = pair
    sync.send(init_fd, sync.READY)
    os.close(init_fd)
    assert sync.receive(main_fd) == (sync.READY, None)
    assert sync.receive(main_fd) == (sync.END, None)


def test_the_other_side_ended_with_our_message_unread(pair: tuple[int, int]) -> None:
    main_fd, init_fd = pair
    sync.send(main_fd, sync.START)
    os.close(init_fd)
    assert sync.receive(main_fd) == (sync.END, None)


def test_what_it_said_before_it_ended_so_arrives(pair: tuple[int, int]) -> None:
    main_fd, init_fd = pair
    failure = Failure(step=3, errno=2)
    sync.send(main_fd, sync.IDS_MAPPED)
    sync.send_failure(init_fd, failure)
    os.close(init_fd)
    assert sync.receive(main_fd) == (sync.FAILED, failure)
    assert sync.receive(main_fd) == (sync.END, None)


def test_a_failure_arrives(pair: tuple[int, int]) -> None:
    main_fd, init_fd = pair
    failure = Failure(step=3, errno=13, path="/x", detail="it\nbroke", hint="é")
    sync.send_failure(init_fd, failure)
    assert sync.receive(main_fd) == (sync.FAILED, failure)


def test_nobody_is_left_to_tell(pair: tuple[int, int]) -> None:
    main_fd, init_fd = pair
    os.close(main_fd)
    sync.send_failure(init_fd, Failure(step=1))
    with pytest.raises(BrokenPipeError):
        sync.send(init_fd, sync.READY)


@pytest.mark.parametrize("char", ["a", "é", "\n", "\U0001f600", "\udcff"])
def test_the_longest_failure_fits_into_one_message(pair: tuple[int, int], char: str) -> None:
    main_fd, init_fd = pair
    text = char * 1_000_000
    sync.send_failure(init_fd, Failure(step=5, errno=2, path=text, detail=text, hint=text))
    kind, failure = sync.receive(main_fd)
    assert kind == sync.FAILED
    assert failure is not None
    assert (failure.step, failure.errno) == (5, 2)
    assert failure.detail.startswith(char * 1000)
    assert failure.hint.startswith(char * 100)


@given(failures)
def test_codec(failure: Failure) -> None:
    raw = sync.encode_failure(failure)
    assert raw.isascii()
    assert sync.decode_failure(raw) == failure


GOOD = {"step": 1, "errno": 2, "path": "", "detail": "d", "hint": ""}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"1", b"{}", b"\xff", b"[" * 60_000, b'{"step": 1}',
        jsonio.dumps({**GOOD, "other": 1}).encode(),
        *[jsonio.dumps({**GOOD, name: None}).encode() for name in GOOD],
        jsonio.dumps({**GOOD, "step": "1"}).encode(),
        jsonio.dumps({**GOOD, "errno": True}).encode(),
        jsonio.dumps({**GOOD, "step": 1.0}).encode(),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_read_is_itself_told(raw: bytes) -> None:
    failure = sync.decode_failure(raw)
    assert failure.step == -1
    assert failure.detail.startswith("unreadable message from init: b'")
    assert len(failure.detail) < 400


@given(st.binary(max_size=40))
def test_no_bytes_raise(raw: bytes) -> None:
    assert isinstance(sync.decode_failure(raw), Failure)
