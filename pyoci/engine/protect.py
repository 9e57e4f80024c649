"""Keeping containers from the interpreter's own file: before a process of ours enters one.

What runs pyoci is the host's python3, and ``/proc/PID/exe`` of a process leads to what it runs. A
container could have us execute that (`/proc/self/exe` as its program, or in a `#!` line) or open
it while we are inside, keep it open until nothing runs it any more, and write to it: the next call
of pyoci would run the container's code as root on the host (CVE-2019-5736).

So nothing leads there: the kernel is told that we run an empty file that nobody can write to. Where
it does not let us do that, we start once more from a handle that cannot be written through
(``restart.py``), and where that is impossible too, there will be no container.

All of it comes before the first effect on the host, and what we fork inherits it.
"""

from __future__ import annotations

import posix

from pyoci.errors import describe_oserror
from pyoci.linux import image
from pyoci.linux.consts import AT_FDCWD, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE
from pyoci.linux.mount import mount_setattr, open_tree_at
from pyoci.plan.remap import plan_remap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = "pyoci"
_EXECUTABLE = "/proc/self/exe"
_HIDDEN = f"/memfd:{_NAME} (deleted)"


def protect_interpreter(log: Callable[[str, str], None]) -> None:
    """Come back once no container can write to the interpreter's file.

    Where the program must be started again, from the beginning, it does not come back. Where that
    does not help it raises UnsupportedError, or only warns who is not root.
    """
    if is_hidden():
        return
    if posix.geteuid() != 0:
        from pyoci.engine.restart import protect_of_user

        protect_of_user(log)
    elif not was_restarted():
        try:
            hide_executable()
        except (OSError, ValueError) as error:
            from pyoci.engine.restart import restart_protected

            restart_protected(describe_oserror(error) if isinstance(error, OSError) else str(error))


def was_restarted() -> bool:
    """Whether this is the second start that ``restart.py`` makes, and it has helped."""
    if b"PYOCI_RESTARTED" not in posix.environ:
        return False
    from pyoci.engine.restart import is_protected

    return is_protected()


def is_hidden() -> bool:
    """Whether the kernel names an empty file of ours as what we run."""
    return posix.readlink(_EXECUTABLE) == _HIDDEN and posix.stat(_EXECUTABLE).st_size == 0


def hide_executable() -> None:
    """Have the kernel name an empty, sealed file as what we run; OSError, ValueError if it won't.

    A failure half-way leaves us as able to go on as before.
    """
    stat = image.read_stat()
    if stat[image.THREADS] != 1:
        message = "the process has threads"
        raise ValueError(message)
    empty_fd = image.make_sealed_file(_NAME)
    try:
        replace_image()
        image.set_executable(empty_fd, stat)
    finally:
        posix.close(empty_fd)
    if not is_hidden():
        message = f"{_EXECUTABLE} is still {posix.readlink(_EXECUTABLE)}"
        raise ValueError(message)


def replace_image() -> None:
    """Replace every part of the executable that is mapped by one that is not of its mount."""
    plan = plan_remap(image.read_maps(), posix.readlink(_EXECUTABLE.encode()))
    fd = open_again()
    try:
        for segment in plan.again:
            image.map_again(fd, segment.start, segment.end, segment.protection, segment.offset)
    finally:
        posix.close(fd)
    image.replace_by_copies(plan.copied)
    for segment in plan.protected:
        image.protect(segment.start, segment.end, segment.protection)


def open_again() -> int:
    """The executable, opened through a mount of its own: one that is attached nowhere.

    It is read-only, so that not even who may look into /proc/PID/map_files can write through it.
    """
    tree_fd = open_tree_at(AT_FDCWD, _EXECUTABLE, OPEN_TREE_CLONE)
    try:
        mount_setattr(tree_fd, MOUNT_ATTR_RDONLY)
        return posix.open(f"/proc/self/fd/{tree_fd}", posix.O_RDONLY | posix.O_CLOEXEC)
    finally:
        posix.close(tree_fd)
