"""The state directory: <root>/<id>/{state.json, config.json, exec.fifo, exec.result}.

The exclusive mkdir is create's lock; flock on the directory serves the rest.
Everything is done by the directory's descriptor. Writes replace files whole,
so that a reader, and a successor after SIGKILL, sees the old or the new one.
"""

from __future__ import annotations

import errno
import posix

from pyoci import jsonio
from pyoci.errors import ContainerExists, ContainerNotFound, StateError, describe_oserror
from pyoci.paths import clean
from pyoci.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATE, CONFIG, FIFO, RESULT = "state.json", "config.json", "exec.fifo", "exec.result"
_NOTIFY = "notify"  # a directory, only where the caller of create has set NOTIFY_SOCKET
_TEMPORARY = "state.json.tmp"
_KNOWN = (FIFO, RESULT, CONFIG, _TEMPORARY, STATE)
_LIMIT_BYTES = 1 << 24
_FLAGS = posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK


class ContainerState(Record):
    """What is kept of a container; pids are ours, times in clock ticks since boot.

    Where systemd makes the cgroup: the unit that has it, its manager's bus, the description that
    it is known by, and the inode of its cgroup, once it is started.
    """

    container_id: str
    oci_version: str
    bundle: str
    rootfs: str
    created: str
    annotations: tuple[tuple[str, str], ...]
    cgroup_path: str = ""  # it has none
    cgroups_made: tuple[str, ...] = ()
    pid: int = 0
    start_time: int = 0
    creator_pid: int = 0
    creator_start_time: int = 0
    being_created: bool = False
    own_pid_namespace: bool = True
    exit_status: int | None = None  # of init, where somebody knew it
    unit: str = ""
    unit_bus: str = ""
    unit_description: str = ""
    unit_inode: int = 0


def to_json(state: ContainerState) -> dict[str, object]:
    """The members of state.json; runc's names where they mean the same."""
    known = {} if state.exit_status is None else {"exit_status": state.exit_status}
    members: dict[str, object] = {
        "id": state.container_id,
        "ociVersion": state.oci_version,
        "init_process_pid": state.pid,
        "init_process_start": state.start_time,
        "created": state.created,
        "cgroup_paths": {"": state.cgroup_path or None},
        "bundle": state.bundle,
        "rootfs": state.rootfs,
        "annotations": dict(state.annotations),
        "pyoci": {
            "being_created": state.being_created,
            "cgroups_made": list(state.cgroups_made),
            "creator_pid": state.creator_pid,
            "creator_start": state.creator_start_time,
            "own_pid_namespace": state.own_pid_namespace,
            **known,
        },
    }
    if state.unit:
        members["systemd"] = {
            "unit": state.unit,
            "bus": state.unit_bus,
            "description": state.unit_description,
            "cgroup_inode": state.unit_inode,
        }
    return members


def from_json(value: object, container_id: str) -> ContainerState:
    """The state that such an object tells; StateError if a member is missing or of another type."""
    top = _Members(value, container_id)
    ours = _Members(top.get("pyoci", dict), container_id)
    annotations = top.get("annotations", dict)
    cgroups_made = ours.get("cgroups_made", list)
    if not all(isinstance(text, str) for text in [*annotations.values(), *cgroups_made]):
        raise damaged(container_id, "an entry is no string")
    paths = top.get("cgroup_paths", dict)
    cgroup_path = None if paths == {"": None} else _Members(paths, container_id).get("", str)
    known = cgroups_made if cgroup_path is None else [cgroup_path, *cgroups_made]
    if not all(is_cgroup_path(path) for path in known):
        raise damaged(container_id, "a cgroup path leads elsewhere")
    made = ContainerState(
        container_id=container_id,
        oci_version=top.get("ociVersion", str),
        bundle=top.get("bundle", str),
        rootfs=top.get("rootfs", str),
        created=top.get("created", str),
        annotations=tuple(annotations.items()),
        cgroup_path=cgroup_path or "",
        cgroups_made=tuple(cgroups_made),
        pid=top.get("init_process_pid", int),
        start_time=top.get("init_process_start", int),
        creator_pid=ours.get("creator_pid", int),
        creator_start_time=ours.get("creator_start", int),
        being_created=ours.get("being_created", bool),
        own_pid_namespace=ours.get("own_pid_namespace", bool),
        exit_status=ours.get("exit_status", int) if "exit_status" in ours.value else None,
    )
    return _add_unit(made, top.value["systemd"]) if "systemd" in top.value else made


def _add_unit(state: ContainerState, value: object) -> ContainerState:
    unit = _Members(value, state.container_id)
    if not unit.get("unit", str):
        raise damaged(state.container_id, "the unit has no name")
    return replace(
        state,
        unit=unit.get("unit", str),
        unit_bus=unit.get("bus", str),
        unit_description=unit.get("description", str),
        unit_inode=unit.get("cgroup_inode", int),
    )


def is_cgroup_path(path: str) -> bool:
    """Whether it may be the path of a cgroup: processes in it are killed, it is removed."""
    return path[1:] != "" and path.startswith("/") and _is_text(path) and clean(path) == path


def _is_text(text: str) -> bool:
    """Whether the text can be given to the kernel: no NUL, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def damaged(container_id: str, reason: str) -> StateError:
    """The error of a state file that cannot be used."""
    return StateError(
        f"container {container_id}: state.json is damaged: {reason}",
        "delete --force removes what can be found",
    )


class _Members:
    """Typed access to the members of an object that may be damaged."""

    def __init__(self, value: object, container_id: str) -> None:
        if not isinstance(value, dict):
            raise damaged(container_id, "an object is missing")
        self.value = value
        self.container_id = container_id

    def get(self, name: str, kind: type) -> Any:  # noqa: ANN401  (checked here)
        found: Any = self.value.get(name)
        if type(found) is not kind or (isinstance(found, str) and not _is_text(found)):
            raise damaged(
                self.container_id, f"{name or 'cgroup path'} is missing or of another type"
            )
        return found


def open_root(root: str) -> int:
    """A descriptor of the state root; OSError where there is none."""
    return posix.open(root, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)


def make_root(root: str) -> None:
    """Make the state root and its parents where they are missing: 0700, whatever the umask."""
    try:
        posix.mkdir(root, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        parent = root.rpartition("/")[0]
        if not parent:
            raise
        make_root(parent)
        make_root(root)
        return
    posix.chmod(root, 0o700)


def make_directory(root: str, container_id: str) -> int:
    """A descriptor of a new state directory; ContainerExists if there is one already."""
    make_root(root)
    root_fd = open_root(root)
    try:
        posix.mkdir(container_id, 0o711, dir_fd=root_fd)
        dir_fd = _open_directory(root_fd, container_id)
    except FileExistsError:
        raise ContainerExists(container_id) from None
    finally:
        posix.close(root_fd)
    posix.chmod(dir_fd, 0o711)  # init's mapped root passes through, whatever our umask
    return dir_fd


def make_notify_directory(dir_fd: int) -> None:
    """Make the directory that the container sees, for a socket that everybody in it may send to."""
    posix.mkdir(_NOTIFY, 0o755, dir_fd=dir_fd)
    posix.chmod(_NOTIFY, 0o755, dir_fd=dir_fd)  # whatever our umask


def _open_directory(root_fd: int, container_id: str) -> int:
    flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
    return posix.open(container_id, flags, dir_fd=root_fd)


def open_directory(root: str, container_id: str) -> int:
    """A descriptor of a container's state directory; ContainerNotFound if there is none."""
    try:
        root_fd = open_root(root)
    except (FileNotFoundError, NotADirectoryError):
        raise ContainerNotFound(container_id) from None
    try:
        return _open_directory(root_fd, container_id)
    except (FileNotFoundError, NotADirectoryError):
        raise ContainerNotFound(container_id) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ContainerNotFound(container_id) from None
        raise
    finally:
        posix.close(root_fd)


def lock(dir_fd: int, container_id: str) -> None:
    """Have the container to ourselves until dir_fd is closed; ContainerNotFound if it went."""
    from fcntl import LOCK_EX, flock

    flock(dir_fd, LOCK_EX)
    if posix.fstat(dir_fd).st_nlink == 0:
        raise ContainerNotFound(container_id)


def unlock(dir_fd: int) -> None:
    """Let others have it again."""
    from fcntl import LOCK_UN, flock

    flock(dir_fd, LOCK_UN)


def write_state(dir_fd: int, state: ContainerState) -> None:
    """Replace state.json."""
    write_file(dir_fd, _TEMPORARY, jsonio.dumps(to_json(state)).encode())
    posix.rename(_TEMPORARY, STATE, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def write_file(dir_fd: int, name: str, content: bytes) -> None:
    """Write a whole file of the state directory, 0600."""
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC | posix.O_NOFOLLOW
    fd = posix.open(name, flags, 0o600, dir_fd=dir_fd)
    try:
        posix.chmod(fd, 0o600)  # whatever our umask
        while content:
            content = content[posix.write(fd, content) :]
    finally:
        posix.close(fd)


def read_file(dir_fd: int, name: str) -> bytes:
    """A regular file of the state directory, up to 16 MiB; OSError."""
    fd = posix.open(name, posix.O_RDONLY | _FLAGS, dir_fd=dir_fd)
    try:
        if posix.fstat(fd).st_mode & 0o170000 != 0o100000:
            raise OSError(errno.EINVAL, "not a regular file", name)
        parts = []
        size = 0
        while part := posix.read(fd, 1 << 20):
            parts.append(part)
            size += len(part)
            if size > _LIMIT_BYTES:
                raise OSError(errno.EFBIG, posix.strerror(errno.EFBIG), name)
        return b"".join(parts)
    finally:
        posix.close(fd)


def read_state(dir_fd: int, container_id: str) -> ContainerState:
    """The stored state; StateError if it is damaged, ContainerNotFound if there is none yet."""
    try:
        text = _read_state_file(dir_fd, container_id).decode()
        value = jsonio.loads(text)
    except OSError as error:
        raise damaged(container_id, describe_oserror(error)) from None
    except (ValueError, RecursionError) as error:
        raise damaged(container_id, str(error).partition("\n")[0]) from None
    return from_json(value, container_id)


def write_config(dir_fd: int, config: dict[str, Any]) -> None:
    """Replace the stored config.json."""
    write_file(dir_fd, _TEMPORARY, jsonio.dumps(config).encode())
    posix.rename(_TEMPORARY, CONFIG, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def _read_state_file(dir_fd: int, container_id: str) -> bytes:
    """state.json, looked for again if a create has come further since the first look.

    ContainerNotFound if it has not come that far, or a delete has come further.
    """
    try:
        return read_file(dir_fd, STATE)
    except FileNotFoundError:
        if not _has_file(dir_fd, CONFIG):
            raise ContainerNotFound(container_id) from None
        return read_file(dir_fd, STATE)


def _has_file(dir_fd: int, name: str) -> bool:
    try:
        posix.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError:  # ENOENT
        return False
    return True


def read_config(dir_fd: int, container_id: str) -> dict[str, Any]:
    """The config.json that the container was created with, updated; StateError if damaged."""
    try:
        value = jsonio.loads(read_file(dir_fd, CONFIG).decode())
    except OSError as error:
        raise damaged(container_id, describe_oserror(error)) from None
    except (ValueError, RecursionError) as error:
        raise damaged(container_id, f"{CONFIG}: {error}") from None
    if not isinstance(value, dict):
        raise damaged(container_id, f"{CONFIG}: no object")
    return value


def make_fifo(dir_fd: int) -> int:
    """Make exec.fifo and open it for reading and writing, so that it never shows end of file."""
    posix.mkfifo(FIFO, 0o600, dir_fd=dir_fd)
    return posix.open(FIFO, posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW, dir_fd=dir_fd)


def open_fifo(dir_fd: int) -> int | None:
    """exec.fifo for writing, or None: gone, or nobody waits at its other end."""
    try:
        return posix.open(FIFO, posix.O_WRONLY | _FLAGS, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO):
            return None
        raise


def remove_directory(root: str, container_id: str, dir_fd: int) -> None:
    """Remove the state directory with the files we know; what is gone already is no error."""
    for name in _KNOWN:
        try:
            posix.unlink(name, dir_fd=dir_fd)
        except FileNotFoundError:
            continue
    try:
        root_fd = open_root(root)
    except FileNotFoundError:
        return
    try:
        posix.rmdir(container_id, dir_fd=root_fd)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        _remove_notify_directory(dir_fd)
        posix.rmdir(container_id, dir_fd=root_fd)
    finally:
        posix.close(root_fd)


def _remove_notify_directory(dir_fd: int) -> None:
    """Remove it with all sockets in it: one may be half-made."""
    try:
        notify_fd = _open_directory(dir_fd, _NOTIFY)
    except FileNotFoundError:
        return
    try:
        for name in posix.listdir(notify_fd):
            posix.unlink(name, dir_fd=notify_fd)
    finally:
        posix.close(notify_fd)
    posix.rmdir(_NOTIFY, dir_fd=dir_fd)


def list_ids(root: str) -> list[str]:
    """The names in the state root, sorted; OSError where there is no root."""
    return sorted(posix.listdir(root))
