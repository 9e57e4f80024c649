"""Do something in a forked child, where it may change credentials, limits, signals, namespaces.

The test's process stays as it was. What the child's function returns, or the OSError it raises,
comes back through a pipe; anything else it raises is a failure of the test.
"""

from __future__ import annotations

import os
import pickle
import traceback
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

from pyoci.linux import namespaces
from pyoci.linux.consts import CLONE_NEWNS, CLONE_NEWUSER

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_child(function: Callable[[], T]) -> T:
    """What the function returns when a child of ours calls it; the OSError it raises, if any."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(function, write_fd)
    os.close(write_fd)
    with open(read_fd, "rb") as pipe:
        raw = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not raw:
        pytest.fail(f"the child said nothing and ended with {os.waitstatus_to_exitcode(status)}")
    outcome, value = pickle.loads(raw)  # noqa: S301  (our own child wrote it)
    if outcome == "oserror":
        raise OSError(*value)
    if outcome == "failed":
        pytest.fail(f"in the child: {value}")
    made: T = value
    return made


def _be_child(function: Callable[[], Any], write_fd: int) -> NoReturn:
    message: tuple[str, Any]
    try:
        message = ("returned", function())
    except OSError as error:
        message = ("oserror", (error.errno, error.strerror, error.filename))
    except BaseException:  # nothing may get back into pytest
        message = ("failed", traceback.format_exc())
    try:
        os.write(write_fd, pickle.dumps(message))
    finally:
        os._exit(0)


def exit_status_of(function: Callable[[], object]) -> int:
    """How a child that calls the function ends: 0 if it returns, minus a signal that ends it."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
            os._exit(0)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_user_namespace(function: Callable[[], T], flags: int = CLONE_NEWNS) -> T:
    """The same in a child that is root of a new user namespace, and of the others in `flags`.

    Skips where the machine gives none to an ordinary user.
    """
    uid, gid = os.geteuid(), os.getegid()

    def enter() -> T:
        _become_root(uid, gid, flags)
        return function()

    refusal = _user_namespace_refusal()
    if refusal:
        pytest.skip(f"no user namespaces here: {refusal}")
    return in_child(enter)


def _become_root(uid: int, gid: int, flags: int) -> None:
    namespaces.unshare(CLONE_NEWUSER | flags)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, text.encode())
    os.close(fd)


_refusals: list[str] = []


def _user_namespace_refusal() -> str:
    """Why there are none, in words; empty if there are. Tried once."""
    if not _refusals:
        uid, gid = os.geteuid(), os.getegid()
        try:
            in_child(lambda: _become_root(uid, gid, CLONE_NEWNS))
        except OSError as error:
            _refusals.append(str(error))
        else:
            _refusals.append("")
    return _refusals[0]
