"""Carrying out the steps that build the container's filesystem.

The rootfs belongs to somebody else, who may be changing it right now: every
container path is resolved from a descriptor (linux/fs.py), and what was
resolved is used by its descriptor only. Mounts are made detached, set up, and
then moved onto their target.
"""

from __future__ import annotations

import errno
import posix

from pyoci.engine.hidden import Hidden
from pyoci.engine.nodes import check_node, is_symlink, make_node, symlink
from pyoci.engine.superblock import is_long, new_filesystem, new_filesystem_at
from pyoci.errors import StepError
from pyoci.linux import consts as c
from pyoci.linux import fs, mount
from pyoci.linux.libc import encode
from pyoci.spec.rules import PROC_FILES
from pyoci.spec.sysctl import sysctl_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan import rootfs_steps as r

_PATH = c.O_PATH | posix.O_CLOEXEC
# Filesystems whose place in the container is looked at by everybody: no symlink may lead there.
_STRICT_TYPES = ("proc", "sysfs")


class Rootfs:
    """The container's filesystem while it is built: the root, and the mounts we made in it."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.root_fd = -1
        self.mounts: dict[str, int] = {}
        # What was opened early, by the config path of the step that it is for.
        self.sources: dict[str, int] = {}
        self._covers_root = False
        self.hidden = Hidden(self)
        self._proc_fd = -1

    # --- the root itself

    def set_propagation(self, step: r.SetPropagation) -> None:
        """Cut the new mount namespace off from the host's (or leave it shared, if asked to)."""
        mount.mount_propagation("/", step.flags)

    def bind_rootfs(self, step: r.BindRootfs) -> None:
        """Open the rootfs; as a mount of its own that pivot_root takes: neither it nor its parent
        is shared, so with the host's propagation they must be taken out of it.
        """
        if not step.bind:
            self.root_fd = posix.open(encode(step.path), _PATH | posix.O_DIRECTORY)
            return
        place_fd, tree_fd = self._open_rootfs(step)
        if step.shared:
            mount.mount_setattr(tree_fd, propagation=c.MS_PRIVATE)
            _make_parent_private(place_fd)
        mount.move_mount(tree_fd, place_fd)
        posix.close(place_fd)
        self.root_fd = tree_fd

    def _open_rootfs(self, step: r.BindRootfs) -> tuple[int, int]:
        """Where the rootfs is to be mounted, and a detached copy of it.

        Without the right to get there it covers our root, from where pivot_root takes it as well;
        only a hook that looks for it by its path does not see what is mounted in it.
        """
        flags = _PATH | posix.O_DIRECTORY
        try:
            place_fd = posix.open(encode(step.path), flags)
        except PermissionError:
            if step.config not in self.sources:
                raise
            self._covers_root = True
            return posix.open("/", flags), self.sources.pop(step.config)
        if step.opened:
            return place_fd, self.sources.pop(step.config)
        return place_fd, mount.clone_tree(place_fd, recursive=True)

    def pivot_root(self, step: r.PivotRoot) -> None:
        """Make the rootfs `/` and let go of everything outside."""
        if step.how == "pivot_root":
            self._pivot()
        else:
            if step.how == "move":
                if self._covers_root:
                    detail = "--no-pivot needs a rootfs that root of the user namespace can reach"
                    raise StepError("", "", detail, errno.EACCES)
                from pyoci.engine.move_root import remove_kernel_filesystems

                remove_kernel_filesystems(self.root_fd)
            posix.fchdir(self.root_fd)
            if step.how == "move":
                mount.mount_move(".", "/", c.MS_MOVE)
            posix.chroot(".")
        posix.chdir("/")

    def _pivot(self) -> None:
        old_fd = posix.open("/", _PATH | posix.O_DIRECTORY)
        posix.fchdir(self.root_fd)
        mount.pivot_root(".", ".")
        # The old root lies on top of the new one now. Cut it off before it goes, or its
        # unmounting would reach the host where the config asked for shared propagation.
        posix.fchdir(old_fd)
        posix.close(old_fd)
        mount.mount_propagation(".", c.MS_SLAVE | c.MS_REC)
        mount.umount2(".", c.MNT_DETACH)

    def verify_mount(self, step: r.VerifyMount) -> None:
        """Refuse to go on unless the path leads to our mount: the rootfs may have been changed."""
        found_fd = fs.open_beneath(self.root_fd, step.destination)
        same = fs.mount_id(found_fd) == fs.mount_id(self.mounts[step.destination])
        posix.close(found_fd)
        if not same:
            raise StepError(
                "", "", "another mount or directory has taken its place", path=step.destination
            )

    def set_root_propagation(self, step: r.SetRootPropagation) -> None:
        """rootfsPropagation, after pivot_root, which does not work on shared mounts."""
        mount.mount_propagation("/", step.flags)

    def make_root_readonly(self) -> None:
        """root.readonly: the root mount alone, what is mounted in it stays as it is."""
        mount.mount_setattr(self.root_fd, attr_set=c.MOUNT_ATTR_RDONLY)

    # --- mounts

    def mount_filesystem(self, step: r.MountFilesystem) -> None:
        """Make a new filesystem and put it in place."""
        parameters = step.parameters
        keys = {key for key, _ in parameters}
        if step.type == "tmpfs" and "mode" not in keys:
            parameters += self._mode_of(step.destination)
        if is_long(step.source, parameters):
            tree_fd = new_filesystem_at(
                self.root_fd, step.type, step.source, parameters, step.attr_set
            )
        else:
            tree_fd = new_filesystem(step.type, step.source, parameters, step.attr_set)
        strict = step.type in _STRICT_TYPES
        target_fd = self._open_target(step, directory=True, strict=strict)
        if not strict:
            self._refuse_over_proc(step, tree_fd, target_fd)
        if step.label:
            from pyoci.engine.labels import label_root

            label_root(tree_fd, step.label)
        if step.copy_up:
            from pyoci.engine.copyup import copy_tree

            copy_tree(target_fd, tree_fd, attributes=keys.isdisjoint(("mode", "uid", "gid")))
        self._attach(step, tree_fd, target_fd, has_parameters=True)

    def _mode_of(self, path: str) -> tuple[tuple[str, str], ...]:
        """The mode of the directory that a tmpfs is to cover, as runc's tmpfs take it."""
        try:
            fd = fs.open_in_root(self.root_fd, path)
        except OSError:  # ENOENT: the filesystem's own default; the rest the mount will tell
            return ()
        mode = posix.fstat(fd).st_mode & 0o7777
        posix.close(fd)
        return (("mode", f"{mode:o}"),)

    def bind_mount(self, step: r.BindMount) -> None:
        """Put a host path in place."""
        if step.copy_symlink and self._copy_symlink(step):
            return
        tree_fd = self._open_source(step)
        directory = fs.kind_of(tree_fd) == fs.S_IFDIR
        target_fd = self._open_target(step, directory=directory, strict=False)
        self._refuse_over_proc(step, tree_fd, target_fd)
        self._attach(step, tree_fd, target_fd, has_parameters=False)

    def _open_source(self, step: r.BindMount) -> int:
        """A detached copy of the source; the one that was opened early, if we may not get there."""
        if step.opened:
            return self.sources.pop(step.config)
        flags = 0 if step.follow_source else c.AT_SYMLINK_NOFOLLOW
        flags |= c.OPEN_TREE_CLONE | (c.AT_RECURSIVE if step.recursive else 0)
        try:
            return mount.open_tree_at(c.AT_FDCWD, step.source, flags)
        except OSError as error:
            if isinstance(error, PermissionError) and step.config in self.sources:
                return self.sources.pop(step.config)
            error.filename = step.source
            raise

    def _copy_symlink(self, step: r.BindMount) -> bool:
        try:
            target = posix.readlink(encode(step.source))
        except OSError:  # EINVAL: no symlink
            return False
        parent_fd, name = self.open_parent("/", step.destination)
        try:
            symlink(target, name, parent_fd, replace=False)
            if not is_symlink(target, name, parent_fd):
                raise StepError(
                    "", "", "exists and is not this symlink", errno.EEXIST, step.destination
                )
        finally:
            posix.close(parent_fd)
        return True

    def _open_target(self, step: r.Mount, *, directory: bool, strict: bool) -> int:
        path = step.destination
        if not step.follow_destination:
            parent_fd, name = self.open_parent("/", path)
            try:
                return fs.make_entry(parent_fd, name, directory=directory)
            finally:
                posix.close(parent_fd)
        if strict:
            # Either it is there and no symlink is on the way, or it is made; then look again.
            posix.close(fs.make_in_root(self.root_fd, path, directory=True))
            return fs.open_beneath(self.root_fd, path)
        return fs.make_in_root(self.root_fd, path, directory=directory)

    def _refuse_over_proc(self, step: r.Mount, tree_fd: int, target_fd: int) -> None:
        """Only procfs may stand on /proc, and in it only the files that lxcfs serves."""
        if step.destination != "/proc" and fs.filesystem_type(target_fd) != c.PROC_SUPER_MAGIC:
            return
        if fs.filesystem_type(tree_fd) == c.PROC_SUPER_MAGIC:
            return
        proc_fd = self.mounts.get("/proc", -1)
        for name in PROC_FILES if proc_fd >= 0 else ():
            if _same_file(target_fd, proc_fd, name):
                return
        raise StepError("", "", "it would hide part of procfs", path=step.destination)

    def _attach(self, step: r.Mount, tree_fd: int, target_fd: int, *, has_parameters: bool) -> None:
        if not has_parameters and (step.attr_set or step.attr_clr):
            mount.mount_setattr(tree_fd, step.attr_set, step.attr_clr)
        if step.recursive_set or step.recursive_clr:
            mount.mount_setattr(tree_fd, step.recursive_set, step.recursive_clr, recursive=True)
        mount.move_mount(tree_fd, target_fd)
        posix.close(target_fd)
        _set_propagations(tree_fd, step.propagations)
        self.mounts[step.destination] = tree_fd

    def change_mount(self, step: r.ChangeMount) -> None:
        """Change a mount of ours, or one that the rootfs came with."""
        own_fd = self.mounts.get(step.destination, -1)
        fd = own_fd if own_fd >= 0 else fs.open_in_root(self.root_fd, step.destination)
        mount.mount_setattr(fd, step.attr_set, step.attr_clr)
        if step.recursive_set or step.recursive_clr:
            mount.mount_setattr(fd, step.recursive_set, step.recursive_clr, recursive=True)
        _set_propagations(fd, step.propagations)
        if own_fd < 0:
            posix.close(fd)

    # --- devices

    def open_parent(self, base: str, path: str) -> tuple[int, str]:
        """The directory that `path` lies in, made if missing, and the last name."""
        base_fd = self.mounts.get(base, -1)  # none at `/`, nor where a symlink was copied
        parent, name = fs.split(path if base_fd < 0 else path[len(base) :])
        if base_fd >= 0:
            return fs.make_in_root(base_fd, parent, directory=True), name
        if not path.startswith("/dev/"):
            return fs.make_in_root(self.root_fd, parent, directory=True), name
        # /dev of the image itself: a symlink there would take our nodes elsewhere.
        posix.close(fs.make_in_root(self.root_fd, parent, directory=True))
        return fs.open_beneath(self.root_fd, parent), name

    def make_device(self, step: r.MakeDevice) -> None:
        """Make a node, or make sure that the one that is there is the same."""
        parent_fd, name = self.open_parent(step.base, step.path)
        try:
            if step.bind or not make_node(step, encode(name), parent_fd):
                self._bind_device(step, parent_fd, name)
        finally:
            posix.close(parent_fd)

    def _bind_device(self, step: r.MakeDevice, parent_fd: int, name: str) -> None:
        tree_fd = mount.open_tree_at(c.AT_FDCWD, step.path, c.OPEN_TREE_CLONE)
        check_node(step, posix.fstat(tree_fd))
        target_fd = fs.make_entry(parent_fd, name, directory=False)
        mount.move_mount(tree_fd, target_fd)
        posix.close(target_fd)
        posix.close(tree_fd)

    def make_symlink(self, step: r.MakeSymlink) -> None:
        """Make a link of /dev."""
        if step.if_there and not posix.access(step.target, posix.F_OK):
            return
        parent_fd, name = self.open_parent(step.base, step.path)
        symlink(step.target, name, parent_fd, replace=step.replace)
        posix.close(parent_fd)

    def make_directory(self, step: r.MakeDirectory) -> None:
        """Make the working directory; if it cannot be made, entering it will say why."""
        try:
            posix.close(fs.make_in_root(self.root_fd, step.path, directory=True))
        except OSError:  # EROFS, EACCES, ENOTDIR...
            return

    def make_mount_readonly(self, step: r.ReadonlyMount) -> None:
        """Make a mount of ours read-only now."""
        mount.mount_setattr(self.mounts[step.destination], attr_set=c.MOUNT_ATTR_RDONLY)

    # --- procfs

    def set_sysctl(self, step: r.SetSysctl) -> None:
        """Write a kernel parameter through a procfs of our own, which nobody can have covered."""
        if self._proc_fd < 0:
            self._proc_fd = new_filesystem("proc", "proc", (), 0)
        resolve = c.RESOLVE_BENEATH | c.RESOLVE_NO_XDEV | c.RESOLVE_NO_MAGICLINKS
        path = f"sys/{sysctl_path(step.key)}"
        flags = posix.O_WRONLY | posix.O_NOCTTY
        fd = fs.openat2(self._proc_fd, path, flags, resolve | c.RESOLVE_NO_SYMLINKS)
        try:
            posix.write(fd, encode(step.value))
        finally:
            posix.close(fd)


def _set_propagations(fd: int, propagations: tuple[int, ...]) -> None:
    for flags in propagations:
        recursive = bool(flags & c.MS_REC)
        mount.mount_setattr(fd, propagation=flags & ~c.MS_REC, recursive=recursive)


def _make_parent_private(fd: int) -> None:
    """Make the mount that a directory lies on private: nothing moved onto it will propagate."""
    fd = posix.dup(fd)
    while True:
        try:
            mount.mount_setattr(fd, propagation=c.MS_PRIVATE)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: not the root of a mount: look above
                raise
        else:
            posix.close(fd)
            return
        above = posix.open("..", _PATH | posix.O_DIRECTORY, dir_fd=fd)
        posix.close(fd)
        fd = above


def _same_file(target_fd: int, proc_fd: int, name: str) -> bool:
    try:
        fd = fs.open_beneath(proc_fd, name)
    except OSError:  # ENOENT: this kernel has no such file
        return False
    a, b = posix.fstat(target_fd), posix.fstat(fd)
    posix.close(fd)
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
