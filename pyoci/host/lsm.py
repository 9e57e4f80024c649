"""Which security modules with labels this machine has; read only for a config that asks for one."""

from __future__ import annotations

import posix

from pyoci.linux.fs import filesystem_type

_SELINUX_MAGIC = 0xF97CFF8C  # linux/magic.h
_ST_RDONLY = 1


def read_modules() -> tuple[str, ...]:
    """`apparmor`, `selinux`: those that are there and that can be asked for a label."""
    found = {"apparmor": has_apparmor(), "selinux": has_selinux()}
    return tuple([name for name, there in found.items() if there])


def has_apparmor(attribute: str = "/proc/thread-self/attr/apparmor/current") -> bool:
    """Whether AppArmor says how we are confined: a kernel may have it, and not run it."""
    return _read(attribute) != ""


def has_selinux(
    filesystem: str = "/sys/fs/selinux", attribute: str = "/proc/thread-self/attr/current"
) -> bool:
    """Whether SELinux has its filesystem where it can be written to, and a policy."""
    try:
        fd = posix.open(filesystem, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError:  # ENOENT: the kernel knows no SELinux
        return False
    try:
        if filesystem_type(fd) != _SELINUX_MAGIC or posix.fstatvfs(fd).f_flag & _ST_RDONLY:
            return False
    finally:
        posix.close(fd)
    return _read(attribute) not in ("", "kernel")  # which everything is as long as there is none


def _read(path: str) -> str:
    """The text of an attribute; empty where there is none, or no module to answer (EINVAL)."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return posix.read(fd, 4096).decode("utf-8", "backslashreplace").rstrip("\n\0")
    except OSError:
        return ""
    finally:
        posix.close(fd)
