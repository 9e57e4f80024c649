"""Opening what is to be mounted from the host, and the user namespaces that map its ids."""

from __future__ import annotations

import posix

from pyoci.linux import consts as c
from pyoci.linux import mount, namespaces, prctl
from pyoci.linux.clone import clone3
from pyoci.linux.pidfd import reap, write_process_file
from pyoci.linux.sockets import seqpacket_pair
from pyoci.plan.namespaces import map_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.steps import IdMap, OpenSource
    from pyoci.spec.model import IdMapping

_SIGKILL = 9


def open_source(step: OpenSource) -> int:
    """A detached copy of what is mounted at the path, cut off from the host; its ids are the
    filesystem's.
    """
    flags = c.OPEN_TREE_CLONE | (c.AT_RECURSIVE if step.recursive else 0)
    flags |= 0 if step.follow else c.AT_SYMLINK_NOFOLLOW
    try:
        tree_fd = mount.open_tree_at(c.AT_FDCWD, step.path, flags)
    except OSError as error:
        error.filename = step.path
        raise
    for propagation in step.propagations:
        recursive = bool(propagation & c.MS_REC)
        mount.mount_setattr(tree_fd, propagation=propagation & ~c.MS_REC, recursive=recursive)
    return tree_fd


def map_ids(tree_fd: int, step: OpenSource, id_map: IdMap, joined_fd: int) -> None:
    """Map the ids of a detached mount, as its own mappings or the joined namespace say."""
    own = bool(id_map.uid_mappings)
    fd = make_user_namespace(id_map.uid_mappings, id_map.gid_mappings) if own else joined_fd
    try:
        mount.map_ids(tree_fd, fd, recursive=id_map.recursive)
    except OSError as error:
        error.filename = step.path
        raise
    finally:
        if own:
            posix.close(fd)


def make_user_namespace(uids: tuple[IdMapping, ...], gids: tuple[IdMapping, ...]) -> int:
    """A descriptor of a new user namespace with these mappings; nobody is in it."""
    our_fd, its_fd = seqpacket_pair()
    pid, pidfd = clone3(c.CLONE_NEWUSER)
    if pid == 0:
        _wait_in_namespace(our_fd, its_fd)
    posix.close(its_fd)
    try:
        write_process_file(pid, "uid_map", map_text(uids))
        write_process_file(pid, "gid_map", map_text(gids))
        return namespaces.open_namespace(f"/proc/{pid}/ns/user")
    finally:
        posix.close(our_fd)  # by which it ends
        reap(pidfd)
        posix.close(pidfd)


def _wait_in_namespace(others_fd: int, fd: int) -> None:
    """Be the process that holds a namespace open, until main has it, or is dead."""
    try:
        prctl.set_parent_death_signal(_SIGKILL)
        posix.close(others_fd)
        posix.read(fd, 1)
    finally:
        posix._exit(0)  # noqa: SLF001  (its name)
