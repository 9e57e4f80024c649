"""Undoing: newest first, everything, whatever fails on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyoci.engine.undo import Undo
from pyoci.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable


def raiser(error: Exception) -> Callable[[], None]:
    def inverse() -> None:
        raise error

    return inverse


def test_nothing_to_undo() -> None:
    assert Undo().run() == []


def test_newest_first_and_once() -> None:
    done: list[str] = []
    undo = Undo()
    for name in "abc":
        undo.push(name, lambda name=name: done.append(name))  # type: ignore[misc]
    assert undo.run() == []
    assert done == ["c", "b", "a"]
    assert undo.run() == []
    assert done == ["c", "b", "a"]


def test_an_error_is_told_and_does_not_stop_the_rest() -> None:
    done: list[str] = []
    undo = Undo()
    undo.push("first", lambda: done.append("first"))
    undo.push("remove it", raiser(OSError(16, "busy", "/x")))
    undo.push("kill it", raiser(StateError("it lives", "a hint")))
    undo.push("our bug", raiser(ValueError("embedded null byte")))
    undo.push("last", lambda: done.append("last"))
    assert undo.run() == [
        "our bug: ValueError: embedded null byte",
        "kill it: it lives",
        "remove it: /x: EBUSY (device or resource busy)",
    ]
    assert done == ["last", "first"]


def test_what_is_pushed_while_undoing_is_undone_too() -> None:
    done: list[str] = []
    undo = Undo()
    undo.push("a", lambda: undo.push("b", lambda: done.append("b")))
    undo.run()
    assert done == ["b"]
