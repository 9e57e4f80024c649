"""The error tree: every failure that pyoci reports to its caller is one of these.

A message is one line, lower case, without a full stop, and names the path or
value at fault; a hint says what to do about it. Only ``cli/main.py`` prints.
"""

from __future__ import annotations

import errno as _errno
import posix as _posix


class PyociError(Exception):
    """A failure with a message for people and an exit status."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        """Take the one-line message and an optional second line of advice."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The message, without the hint."""
        return self.message


class UsageError(PyociError):
    """The command line is wrong."""


class ConfigError(PyociError):
    """config.json (or a process or resources file) is wrong: where, and why."""

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        """Take the JSON path (``process.args[0]``; empty for the document) and the reason."""
        super().__init__(f"{path}: {reason}" if path else reason, hint)
        self.path = path
        self.reason = reason


class StateError(PyociError):
    """The operation does not fit the container's status."""


class ContainerExists(StateError):  # noqa: N818  (the name says it)
    """create or run with an id that is taken."""

    def __init__(self, container_id: str) -> None:
        """Take the id."""
        super().__init__(f"container {container_id}: container with given ID already exists")


class ContainerNotFound(StateError):  # noqa: N818  (the name says it)
    """There is no container of this id: callers match `does not exist`."""

    def __init__(self, container_id: str) -> None:
        """Take the id."""
        super().__init__(f"container {container_id}: container does not exist")


class UnsupportedError(PyociError):
    """Valid, but this kernel, machine or build cannot do it."""


class InternalError(PyociError):
    """A bug of ours."""

    def __init__(self, message: str) -> None:
        """Take what happened; the hint asks for a report."""
        super().__init__(f"internal error: {message}", "this is a bug in pyoci: please report it")


class StepError(PyociError):
    """A step of a plan failed: which process, which step, which errno on which path."""

    # A cgroup, or what is done to one, was not permitted: that may be tolerated (--rootless).
    is_about_cgroups = False

    def __init__(  # noqa: PLR0913  (the parts of one sentence)
        self, process: str, step: str, detail: str, errno: int = 0, path: str = "", hint: str = ""
    ) -> None:
        """Take the parts; `detail` is the errno in words or a reason of ours."""
        parts = [part for part in (process, step, detail) if part]
        super().__init__(": ".join(parts), hint)
        self.process = process
        self.step = step
        self.errno = errno
        self.path = path


def describe_errno(number: int) -> str:
    """An errno as ``EPERM (operation not permitted)``: callers match the words in lower case."""
    name = _errno.errorcode.get(number, f"errno {number}")
    return f"{name} ({_posix.strerror(number).lower()})"


def describe_oserror(error: OSError) -> str:
    """An OSError as ``path: EPERM (operation not permitted)``; the path where there is one."""
    if error.errno is None:
        return str(error)
    text = describe_errno(error.errno)
    if error.filename is None:
        return text
    name = error.filename
    if isinstance(name, bytes):
        name = name.decode("utf-8", "backslashreplace")
    return f"{name}: {text}"
