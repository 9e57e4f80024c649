"""One container's cgroup on the v2 tree: make, look, freeze, kill, remove (cgroups(7)).

Paths are host paths of cgroup directories, clean and without `..`
(plan/cgroups_path.py). The tree belongs to root and to no container, so paths
may be used; files in it are read and written whole.
"""

from __future__ import annotations

import errno
import posix

from pyoci.errors import StateError
from pyoci.linux.pidfd import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    # Waits this many milliseconds; a caller with something better to wait for brings its own.
    Pause: TypeAlias = Callable[[int], None]

_RETRIES, _RETRY_MS = 500, 10


def find_missing(mount: str, path: str) -> tuple[str, ...]:
    """The directories from the mount down to the cgroup that do not exist, parents first.

    They are what a create will make, known before it does: what it must undo.
    """
    missing: list[str] = []
    where = f"{mount}{path}".rstrip("/")
    while len(where) > len(mount) and not exists(where):
        missing.insert(0, where)
        where = where.rpartition("/")[0]
    return tuple(missing)


def make_cgroup(path: str, missing: tuple[str, ...]) -> bool:
    """Make the cgroup with the parents that are missing; whether the cgroup itself was made.

    StateError if it is there already and holds processes or is frozen: it is
    somebody else's.
    """
    made = False
    for where in missing:
        made = _make_one(where)
    if not made:
        _check_unused(path)
        check_not_frozen(path)
    return made


def _make_one(where: str) -> bool:
    try:
        posix.mkdir(where, 0o755)
    except FileExistsError:
        return False
    except FileNotFoundError:  # somebody has removed the parent since we looked
        _make_one(where.rpartition("/")[0])
        return _make_one(where)
    return True


def open_cgroup(path: str) -> int:
    """A descriptor of the cgroup's directory, for clone3(2) and bpf(2)."""
    return posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)


def open_entry(path: str) -> int:
    """A descriptor of the cgroup's process list, for `enter`.

    For a cgroup that was there before: once anybody has written to its cgroup.kill, what clone3(2)
    puts into it is killed at birth (Linux 6.14, and stable ones since: the kernel compares with the
    count of kills in the cgroup of the caller).
    """
    return posix.open(f"{path}/cgroup.procs", posix.O_WRONLY | posix.O_CLOEXEC)


def enter(entry_fd: int) -> None:
    """Have the calling process in the cgroup of `open_entry`; OSError."""
    try:
        posix.write(entry_fd, b"0")
    except OSError as error:
        error.filename = "cgroup.procs"
        raise
    posix.close(entry_fd)


def _check_unused(path: str) -> None:
    count = len(read_processes(path, deep=True))
    if count:
        message = f"container's cgroup is not empty: {count} process(es) found"
        raise StateError(message, f"the cgroup is {path}: choose another linux.cgroupsPath")


def check_not_frozen(path: str) -> None:
    """StateError if the cgroup or one above it is frozen: init would never come to life."""
    if is_frozen(path):
        message = "container's cgroup unexpectedly frozen"
        raise StateError(message, f"the cgroup is {path}, or one above it")


def write_value(path: str, file: str, value: str) -> None:
    """Write one value to one file of the cgroup; OSError."""
    fd = posix.open(f"{path}/{file}", posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(fd, value.encode())
    finally:
        posix.close(fd)


def read_processes(path: str, *, deep: bool) -> list[int]:
    """The pids in the cgroup (and those below it), sorted; none if it is gone."""
    pids: list[int] = []
    for where in _tree(path) if deep else [path]:
        try:
            pids += [int(pid) for pid in read_kernel_file(f"{where}/cgroup.procs").split()]
        except OSError as error:
            # ENOENT, ENODEV: removed meanwhile. EOPNOTSUPP: threaded, its processes are above.
            if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                raise
    return sorted(set(pids))


def _tree(path: str) -> list[str]:
    """The cgroup and all below it, parents first.

    Nothing for one that is gone, for what is no cgroup, and for the root of the tree, which has no
    such file: a damaged state may name it, and all of the machine is in it.
    """
    if not exists(f"{path}/cgroup.events"):
        return []
    found = [path]
    for where in found:
        try:
            with posix.scandir(where) as entries:
                found += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found


def is_frozen(path: str) -> bool:
    """Whether all processes of the cgroup stand still (cgroup.events)."""
    try:
        return b"frozen 1" in read_kernel_file(f"{path}/cgroup.events")
    except OSError:  # ENOENT: gone; ENODEV: going
        return False


def is_populated(path: str) -> bool:
    """Whether a live process is in the cgroup or below it (cgroup.events)."""
    try:
        return b"populated 1" in read_kernel_file(f"{path}/cgroup.events")
    except OSError:  # as above
        return False


def thaw(path: str) -> None:
    """Let a frozen cgroup go on; nothing if it is gone."""
    try:
        write_value(path, "cgroup.freeze", "0")
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise


def kill_all(path: str, pause: Pause) -> None:
    """SIGKILL every process in the cgroup and below it; wait (at most 5 s) until none is left."""
    try:
        write_value(path, "cgroup.kill", "1")
    except OSError as error:
        if error.errno in (errno.ENODEV,) or not exists(path):
            return
        if error.errno != errno.ENOENT:
            raise
        _kill_each(path)  # before Linux 5.14 there is no cgroup.kill
    for _ in range(_RETRIES):
        if not is_populated(path):
            return
        pause(_RETRY_MS)


def exists(path: str) -> bool:
    """Whether the path exists."""
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _kill_each(path: str) -> None:
    for pid in read_processes(path, deep=True):
        try:
            posix.kill(pid, 9)
        except ProcessLookupError:
            continue


def remove_cgroup(path: str, made: tuple[str, ...], pause: Pause) -> None:
    """Remove what is below the cgroup, and of it and its parents what we made and nobody uses.

    Waits (at most 5 s) for EBUSY to pass: a killed process may still be going.
    """
    for where in reversed(_tree(path)):
        if where != path or path in made:
            _remove_one(where, pause)
    remove_made(made)


def remove_made(made: tuple[str, ...]) -> None:
    """Remove the directories that we made, but for those that others use by now."""
    for where in reversed(made):
        if not exists(f"{where}/cgroup.procs"):
            continue
        try:
            posix.rmdir(where)
        except OSError:  # ENOENT: gone; EBUSY, ENOTEMPTY: others are in it now
            continue


def _remove_one(where: str, pause: Pause) -> None:
    for attempt in range(_RETRIES + 1):
        try:
            posix.rmdir(where)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or attempt == _RETRIES:
                raise
            pause(_RETRY_MS)
        else:
            return
