"""Labels of AppArmor and SELinux: written to attributes of ours that the kernel reads at execve.

The file that is written to is looked up in a procfs that nobody can have put there, and in which
nobody can have covered anything (SECURITY: R-PROC-2, R-PROC-3): a label that went elsewhere would
be no label. Imported only for a plan with such a step, by main, before init's imports are sealed.
"""

from __future__ import annotations

import errno
import posix

from pyoci.engine.superblock import new_filesystem
from pyoci.errors import StepError, describe_errno
from pyoci.linux import consts as c
from pyoci.linux import fs, prctl
from pyoci.linux.libc import encode
from pyoci.plan.labels import (
    APPARMOR_EXEC,
    SetAppArmorProfile,
    SetSelinuxLabel,
    apparmor_command,
    attribute_path,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.steps import LabelStep

_APPARMOR_CURRENT = "apparmor/current"
_UNCOVERED = c.RESOLVE_BENEATH | c.RESOLVE_NO_XDEV | c.RESOLVE_NO_MAGICLINKS | c.RESOLVE_NO_SYMLINKS
_PROC_ROOT_INODE = 1  # PROC_ROOT_INO of linux/proc_fs.h
_XATTR_SELINUX = "security.selinux"


def apply_label(step: LabelStep) -> None:
    """Carry one of these steps out; StepError names the attribute and says why it was refused."""
    if isinstance(step, SetAppArmorProfile):
        set_apparmor_profile(step)
    elif isinstance(step, SetSelinuxLabel):
        words = {errno.EINVAL: "the loaded policy has no such label"}
        _write(step.attribute, step.label, words)


def set_apparmor_profile(step: SetAppArmorProfile) -> None:
    """Choose how the profile is to be entered, and ask for it."""
    forced = step.no_new_privileges or prctl.get_no_new_privileges()
    current = _read(_APPARMOR_CURRENT) if forced else ""
    command = apparmor_command(step, current, no_new_privileges=forced)
    words = {
        # Not the kernel's own: engines take those for a program that is missing.
        errno.ENOENT: f"the profile {step.profile} is not loaded",
        errno.EINVAL: "the kernel runs without AppArmor, or this is no name of a profile",
    }
    _write(APPARMOR_EXEC, command, words, hint="load it: apparmor_parser -r FILE")


def label_root(tree_fd: int, label: str) -> None:
    """Give the root directory of a filesystem its SELinux label."""
    fd = posix.open(".", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC, dir_fd=tree_fd)
    try:
        posix.setxattr(fd, _XATTR_SELINUX, encode(label) + b"\0")
    finally:
        posix.close(fd)


def _write(attribute: str, value: str, words: dict[int, str], hint: str = "") -> None:
    try:
        fd = _open_attribute(attribute, posix.O_WRONLY)
        try:
            posix.write(fd, encode(value))  # all of it or nothing: the kernel takes no rest
        finally:
            posix.close(fd)
    except OSError as error:
        number = error.errno or 0
        known = words.get(number)
        detail = f"{attribute_path(attribute)}: {known or describe_errno(number)}"
        advice = hint if known and number == errno.ENOENT else ""
        raise StepError("", "", detail, number, hint=advice) from None


def _read(attribute: str) -> str:
    fd = _open_attribute(attribute, posix.O_RDONLY)
    try:
        return posix.read(fd, 4096).decode("utf-8", "backslashreplace").rstrip("\n\0")
    finally:
        posix.close(fd)


def _open_attribute(attribute: str, flags: int) -> int:
    """An attribute of this thread; not for later, since it serves the credentials of now only."""
    proc_fd = open_procfs()
    try:
        link_fd = fs.openat2(proc_fd, "thread-self", c.O_PATH | posix.O_NOFOLLOW, _UNCOVERED)
        try:
            own = posix.readlink(b"", dir_fd=link_fd).decode()
        finally:
            posix.close(link_fd)
        return fs.openat2(proc_fd, f"{own}/attr/{attribute}", flags | posix.O_NOCTTY, _UNCOVERED)
    finally:
        posix.close(proc_fd)


def open_procfs() -> int:
    """The root of a procfs: one of our own, or where the kernel grants none, the one on /proc.

    EPERM: in a user namespace without a pid namespace of its own, or where the host's procfs is
    hidden in parts. Then nothing of the container is mounted on /proc yet, and it is looked at.
    """
    try:
        return new_filesystem("proc", "proc", (), 0)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
    except StepError as error:
        if error.errno != errno.EPERM:
            raise
    fd = posix.open("/proc", c.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    found = fs.filesystem_type(fd), posix.fstat(fd).st_ino
    if found != (c.PROC_SUPER_MAGIC, _PROC_ROOT_INODE):
        posix.close(fd)
        raise StepError("", "", "what is mounted on /proc is no procfs", errno.EINVAL, "/proc")
    return fd
