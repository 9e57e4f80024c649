"""Paths and variables of the caller: the state root, absolute paths, the environment."""

from __future__ import annotations

import posix
import sys

from pyoci.errors import PyociError, UsageError, describe_oserror

NAME = "pyoci"
SYSTEM_ROOT = "/run/pyoci"


def environment(name: str) -> str:
    """The variable's value, or "" if it is not set; os.environ would cost an import."""
    return decode(posix.environ.get(name.encode(), b""))


def decode(value: bytes) -> str:
    """Bytes of the system as the interpreter decodes argv and paths."""
    return value.decode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


def absolute_path(path: str) -> str:
    """The path from /, without "." and empty parts; ".." stays: a symlink may precede it."""
    if not path.startswith("/"):
        path = f"{posix.getcwd()}/{path}"
    return "/" + "/".join([part for part in path.split("/") if part not in ("", ".")])


def clean_path(path: str) -> str:
    """The absolute path with ".." taken literally: each removes the part before it."""
    parts: list[str] = []
    for part in absolute_path(path).split("/"):
        if part == "..":
            parts[-1:] = []
        elif part:
            parts.append(part)
    return "/" + "/".join(parts)


def given_root(path: str) -> str:
    """The state root that ``--root`` gives; UsageError for none and for /."""
    if not path:
        raise UsageError("the argument of --root must not be empty")
    root = clean_path(path)
    if root == "/":
        raise UsageError("the argument of --root must not be /")
    return root


def default_root() -> tuple[str, bool]:
    """The state root where none is given, and whether it is the user's own directory."""
    runtime_dir = environment("XDG_RUNTIME_DIR")
    if runtime_dir and _honours_runtime_dir():
        return clean_path(f"{runtime_dir}/{NAME}"), True
    return SYSTEM_ROOT, False


def _honours_runtime_dir() -> bool:
    """Real root does not use /run/user/0; root of a user namespace does, unless it logged in."""
    if posix.geteuid() != 0:
        return True
    from pyoci.host.rootless import in_user_namespace

    return in_user_namespace() and environment("USER") != "root"


def make_user_root(root: str) -> None:
    """Make the state root in $XDG_RUNTIME_DIR: ours alone; sticky, so that cleaners leave it."""
    try:
        _make_directories(root)
        posix.chmod(root, 0o1700)
    except OSError as error:
        raise PyociError(
            f"cannot make the state root: {describe_oserror(error)}",
            "the path in $XDG_RUNTIME_DIR must be writable by the user",
        ) from error


def _make_directories(path: str) -> None:
    try:
        posix.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_directories(path.rpartition("/")[0] or "/")
        posix.mkdir(path, 0o700)
