"""The second best protection of the interpreter's file: to run it from where nobody can write.

Imported only where ``protect.py`` could not hide the file. The program starts once more, from the
interpreter's file as seen through a read-only mount that is attached nowhere: the kernel changes
only mounts that are attached, so nobody can make it writable. Where no mount can be made, it starts
from a copy in memory that is sealed. The second start finds that it is protected, and goes on.
"""

from __future__ import annotations

import posix

from pyoci.errors import UnsupportedError, describe_oserror
from pyoci.linux import image
from pyoci.linux.consts import AT_FDCWD, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE
from pyoci.linux.mount import mount_setattr, open_tree_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EXECUTABLE = "/proc/self/exe"
RESTARTED = b"PYOCI_RESTARTED"  # in the environment of the second start: there is no third
_COPY = "pyoci-interpreter"


def restart_protected(reason: str) -> None:
    """Start once more, protected; UnsupportedError, with all the reasons, if that is impossible."""
    reasons = [f"hide it: {reason}"]
    if RESTARTED in posix.environ:
        reasons.append("start again: that has been done, to no effect")
    else:
        reasons += restart((open_read_only_mount, open_sealed_copy))
    message = f"cannot keep containers from writing to {interpreter()}: {'; '.join(reasons)}"
    raise UnsupportedError(message, "a container could replace the interpreter: there will be none")


def protect_of_user(warn: Callable[[str, str], None]) -> None:
    """The same for who is not root: a file of root's that only root can write to is protected.

    Where a copy cannot be made either, a warning is all: what the containers of a user can write
    to is what the user could have written to.
    """
    status = posix.stat(EXECUTABLE)
    if is_protected() or (status.st_uid == 0 and not status.st_mode & 0o022):
        return
    reasons = [] if RESTARTED in posix.environ else restart((open_sealed_copy,))
    reasons = reasons or ["start again: that has been done, to no effect"]
    warn("warning", f"containers may write to {interpreter()}: {'; '.join(reasons)}")


def is_protected() -> bool:
    """Whether this is the second start: nobody can write to what we run."""
    path = interpreter()
    if path == "/":  # the root of a mount of one file, attached nowhere
        return bool(posix.statvfs(EXECUTABLE).f_flag & posix.ST_RDONLY)
    if not path.startswith("/memfd:"):
        return False
    fd = posix.open(EXECUTABLE, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return image.read_seals(fd) == image.SEALS
    except OSError:  # EINVAL: some file of that name
        return False
    finally:
        posix.close(fd)


def interpreter() -> str:
    """The path of what the kernel says we run."""
    return posix.readlink(EXECUTABLE)


def restart(handles: tuple[Callable[[], int], ...]) -> list[str]:
    """Run what we run from the first of these handles that can be had; else the reasons."""
    # The bytes as they are, and what the kernel made of "#!": the interpreter comes first.
    arguments = image.read_arguments()
    environment = {**posix.environ, RESTARTED: b"1"}
    reasons = []
    for open_handle in handles:
        try:
            posix.execve(open_handle(), arguments, environment)
        except OSError as error:
            words = open_handle.__name__.removeprefix("open_").replace("_", " ")
            reasons.append(f"start from a {words}: {describe_oserror(error)}")
    return reasons


def open_read_only_mount() -> int:
    """What we run, seen through a read-only mount of its own."""
    tree_fd = open_tree_at(AT_FDCWD, EXECUTABLE, OPEN_TREE_CLONE)
    mount_setattr(tree_fd, MOUNT_ATTR_RDONLY)
    return tree_fd


def open_sealed_copy() -> int:
    """A copy of what we run, in memory, that nobody can write to."""
    source_fd = posix.open(EXECUTABLE, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return image.make_sealed_file(_COPY, source_fd)
    finally:
        posix.close(source_fd)
