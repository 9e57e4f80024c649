"""What the container shall not see, or not change: masked and read-only paths.

They are found from the mounts that we made ourselves, and covered by descriptor: a name in a
rootfs can be made to lead elsewhere at any moment.
"""

from __future__ import annotations

import errno
import posix

from pyoci.engine.nodes import is_device
from pyoci.engine.superblock import new_filesystem
from pyoci.errors import StepError
from pyoci.linux import consts as c
from pyoci.linux import fs, mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.rootfs import Rootfs
    from pyoci.engine.superblock import Parameters
    from pyoci.plan import rootfs_steps as r

_NULL_DEVICE = (1, 3)


class Hidden:
    """The covers of one container's paths; each kind is made once and cloned."""

    def __init__(self, rootfs: Rootfs) -> None:
        """Take the filesystem that they are in."""
        self.rootfs = rootfs
        self._null_fd = -1
        self._empty_fd = -1

    def _open_hidden(self, base: str, path: str) -> int | None:
        """What a masked or read-only path is, found from our own mount; None if it is not there."""
        try:
            if base in self.rootfs.mounts:
                return self._open_in_mount(base, path)
            return fs.open_in_root(self.rootfs.root_fd, path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _open_in_mount(self, base: str, path: str) -> int:
        if path == base:
            return posix.dup(self.rootfs.mounts[base])
        name = path[len(base) :].lstrip("/")
        resolve = c.RESOLVE_BENEATH | c.RESOLVE_NO_MAGICLINKS
        try:
            return fs.openat2(self.rootfs.mounts[base], name, c.O_PATH, resolve)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        # A symlink leads out of the mount, which none of procfs or sysfs does.
        return fs.open_in_root(self.rootfs.root_fd, path)

    def make_path_readonly(self, step: r.ReadonlyPath) -> None:
        """Bind the path on itself, read-only."""
        target_fd = self._open_hidden(step.base, step.path)
        if target_fd is None:
            return
        tree_fd = mount.clone_tree(target_fd, recursive=True)
        mount.mount_setattr(tree_fd, attr_set=c.MOUNT_ATTR_RDONLY)
        mount.move_mount(tree_fd, target_fd)
        posix.close(target_fd)
        if step.path in self.rootfs.mounts:  # later paths below it start from the read-only one
            self.rootfs.mounts[step.path] = tree_fd
        else:
            posix.close(tree_fd)

    def mask_path(self, step: r.MaskPath) -> None:
        """Put an empty read-only directory, or /dev/null, over the path."""
        target_fd = self._open_hidden(step.base, step.path)
        if target_fd is None:
            return
        directory = fs.kind_of(target_fd) == fs.S_IFDIR
        cover_fd = self._empty_directory(step.label) if directory else self._null_device()
        mount.move_mount(cover_fd, target_fd)
        posix.close(target_fd)
        if not directory:
            posix.close(cover_fd)

    def _null_device(self) -> int:
        """A detached mount of the host's /dev/null, which must be what it says."""
        if self._null_fd < 0:
            self._null_fd = posix.open("/dev/null", c.O_PATH | posix.O_CLOEXEC | posix.O_NOFOLLOW)
            found = posix.fstat(self._null_fd)
            if not is_device(found, "c", *_NULL_DEVICE):
                raise StepError("", "", "the host's /dev/null is no null device", path="/dev/null")
        return mount.clone_tree(self._null_fd, recursive=False)

    def _empty_directory(self, label: str) -> int:
        """A detached mount of an empty read-only directory; one filesystem serves all."""
        if self._empty_fd < 0:
            parameters: Parameters = (("size", "0"), ("nr_inodes", "1"), ("mode", "0755"))
            parameters += (("ro", None),)
            parameters += (("context", label),) if label else ()
            attributes = c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV
            self._empty_fd = new_filesystem(
                "tmpfs", "tmpfs", parameters, attributes | c.MOUNT_ATTR_NOEXEC
            )
            return self._empty_fd
        return mount.clone_tree(self._empty_fd, recursive=False)
