"""The error tree: one line each, and the words that callers match."""

from __future__ import annotations

import errno
import inspect
import os

import pytest

from pyoci import errors
from pyoci.errors import (
    ConfigError,
    ContainerExists,
    ContainerNotFound,
    InternalError,
    PyociError,
    StateError,
    StepError,
    describe_errno,
    describe_oserror,
)


def test_every_error_is_a_pyoci_error_with_exit_code_1() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert len(kinds) == 9
    for kind in kinds:
        assert issubclass(kind, PyociError)
        assert kind.exit_code == 1
        assert kind.__doc__


def test_message_and_hint() -> None:
    error = PyociError("it broke", "mend it")
    assert (str(error), error.message, error.hint) == ("it broke", "it broke", "mend it")
    assert PyociError("it broke").hint == ""


def test_config_error_names_the_path() -> None:
    error = ConfigError("process.args", "must not be empty", "say what to run")
    assert str(error) == "process.args: must not be empty"
    assert (error.path, error.reason) == ("process.args", "must not be empty")
    assert error.hint == "say what to run"
    assert str(ConfigError("", "config.json: no object")) == "config.json: no object"


def test_words_that_callers_match() -> None:
    # Docker, containerd and Podman look for these texts (CLI contract of runc).
    assert "container with given ID already exists" in str(ContainerExists("web"))
    assert "container does not exist" in str(ContainerNotFound("web"))
    assert isinstance(ContainerExists("web"), StateError)
    assert isinstance(ContainerNotFound("web"), StateError)


def test_step_error_leaves_out_what_is_empty() -> None:
    error = StepError("init", "mount proc on /proc", "EPERM", 1, "/proc", "be root")
    assert str(error) == "init: mount proc on /proc: EPERM"
    assert (error.process, error.step) == ("init", "mount proc on /proc")
    assert (error.errno, error.path, error.hint) == (1, "/proc", "be root")
    assert str(StepError("", "", "only this")) == "only this"


def test_internal_error_asks_for_a_report() -> None:
    error = InternalError("no way")
    assert str(error) == "internal error: no way"
    assert "report" in error.hint


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EPERM, "EPERM (operation not permitted)"),
        (errno.ENOENT, "ENOENT (no such file or directory)"),
        (9999, "errno 9999 (unknown error 9999)"),
    ],
)
def test_describe_errno(number: int, text: str) -> None:
    assert describe_errno(number) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(2, "words"), "ENOENT (no such file or directory)"),
        (OSError(2, "words", "/x"), "/x: ENOENT (no such file or directory)"),
        (OSError(2, "words", b"/\xff"), "/\\xff: ENOENT (no such file or directory)"),
        (OSError(2, "words", ""), ": ENOENT (no such file or directory)"),
        (OSError("only words"), "only words"),
    ],
)
def test_describe_oserror(error: OSError, text: str) -> None:
    assert describe_oserror(error) == text


def test_describe_an_error_of_the_kernel() -> None:
    with pytest.raises(OSError, match="nowhere") as caught:
        os.stat("/nowhere/at/all")
    assert describe_oserror(caught.value) == ("/nowhere/at/all: ENOENT (no such file or directory)")
