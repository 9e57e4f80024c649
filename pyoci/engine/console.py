"""A terminal in the container: the pty, its way to main or the engine, and its place in init.

Imported only where a plan has a terminal, before init is sealed. Nothing here opens /dev/pts/N or
follows a symlink to /dev/console: both are the container's to lay (CVE-2025-52565).
"""

from __future__ import annotations

import posix

from pyoci.engine.nodes import is_device
from pyoci.errors import StepError
from pyoci.linux import fs, mount, tty
from pyoci.linux.consts import DEVPTS_SUPER_MAGIC, O_PATH
from pyoci.linux.sockets import send_fd_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.rootfs import Rootfs
    from pyoci.plan.steps import SetUpTerminal

_DEVPTS = "/dev/pts"
_PTMX = (5, 2)


def set_up_terminal(step: SetUpTerminal, rootfs: Rootfs, console_fd: int) -> None:
    """Make the pty, send it away, and be a process on it; console_fd is closed.

    StepError where the container has no devpts, or its /dev/console is a symlink.
    """
    devpts_fd = rootfs.mounts.get(_DEVPTS, -1)
    master_fd, peer_fd = open_pty(rootfs.root_fd, devpts_fd)
    if step.rows or step.columns:
        tty.set_size(master_fd, step.rows, step.columns)
    if step.base:
        _mount_console(step.base, rootfs, peer_fd)
    send_master(console_fd, master_fd)
    take_terminal(peer_fd)


def attach_terminal(step: SetUpTerminal, root_fd: int, console_fd: int) -> None:
    """As above, in a container that exists: on a pty of the devpts that it has on /dev/pts."""
    master_fd, peer_fd = open_pty(root_fd)
    if step.rows or step.columns:
        tty.set_size(master_fd, step.rows, step.columns)
    send_master(console_fd, master_fd)
    take_terminal(peer_fd)


def open_pty(root_fd: int, devpts_fd: int = -1) -> tuple[int, int]:
    """Both ends of a new pty of the devpts at `devpts_fd`, or else on /dev/pts below the root."""
    master_fd = _open_ptmx(root_fd, devpts_fd)
    tty.unlock_pty(master_fd)
    return master_fd, tty.open_peer(master_fd)


def _open_ptmx(root_fd: int, devpts_fd: int) -> int:
    base_fd, path, resolve = root_fd, f"{_DEVPTS[1:]}/ptmx", fs.IN_ROOT
    if devpts_fd >= 0:
        base_fd, path, resolve = devpts_fd, "ptmx", fs.BENEATH_NO_SYMLINKS
    try:
        # Looked at first: to open some other device, or a FIFO, could do anything.
        found_fd = fs.openat2(base_fd, path, O_PATH, resolve)
    except (FileNotFoundError, NotADirectoryError):
        raise _no_devpts() from None
    try:
        _check_ptmx(found_fd)
    finally:
        posix.close(found_fd)
    flags = posix.O_RDWR | posix.O_NOCTTY | posix.O_NONBLOCK
    master_fd = fs.openat2(base_fd, path, flags, resolve)
    _check_ptmx(master_fd)
    posix.set_blocking(master_fd, True)
    return master_fd


def _check_ptmx(fd: int) -> None:
    if fs.filesystem_type(fd) != DEVPTS_SUPER_MAGIC or not is_device(posix.fstat(fd), "c", *_PTMX):
        raise _no_devpts()


def _no_devpts() -> StepError:
    hint = "a terminal needs a mount of type devpts on /dev/pts"
    return StepError("", "", "no devpts on /dev/pts in the container", path=_DEVPTS, hint=hint)


def _mount_console(base: str, rootfs: Rootfs, peer_fd: int) -> None:
    """Bind the pty on /dev/console (config-linux.md, "Default Devices")."""
    parent_fd, name = rootfs.open_parent(base, "/dev/console")
    target_fd = fs.make_entry(parent_fd, name, directory=False)
    if fs.kind_of(target_fd) == fs.S_IFLNK:
        raise StepError("", "", "/dev/console is a symlink", path="/dev/console")
    tree_fd = mount.clone_tree(peer_fd, recursive=False)
    mount.move_mount(tree_fd, target_fd)
    for fd in (tree_fd, target_fd, parent_fd):
        posix.close(fd)


def send_master(console_fd: int, master_fd: int) -> None:
    """Send the master end, with the other's name, over a connected socket; both are closed."""
    name = f"{_DEVPTS}/{tty.number_of_pty(master_fd)}"
    send_fd_over(console_fd, name.encode(), master_fd)
    posix.close(master_fd)
    posix.close(console_fd)


def take_terminal(peer_fd: int) -> None:
    """Lead a session on the terminal, and have it as standard streams; peer_fd is closed."""
    if posix.getsid(0) != posix.getpid():
        posix.setsid()
    tty.set_controlling_terminal(peer_fd)
    for fd in (0, 1, 2):
        posix.dup2(peer_fd, fd)
    if peer_fd > 2:
        posix.close(peer_fd)
