"""Entering, leaving and naming namespaces: setns(2), unshare(2), sethostname(2), nsfs ioctls."""

from __future__ import annotations

import posix

from pyoci.linux.consts import CLONE_NEWPID
from pyoci.linux.libc import call, encode, function

_setns = function("setns", 2)
_unshare = function("unshare", 1)
_ioctl = function("ioctl", 3)
_sethostname = function("sethostname", 2)
_setdomainname = function("setdomainname", 2)


def setns(fd: int, clone_flag: int) -> None:
    """Join the namespace; OSError(EINVAL) if it is of another type (setns(2))."""
    call(_setns, fd, clone_flag)


def unshare(clone_flags: int) -> None:
    """Get new namespaces of these types (unshare(2))."""
    call(_unshare, clone_flags)


def open_namespace(path: str) -> int:
    """A descriptor of the namespace at a host path like /proc/1/ns/net."""
    return posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)


def namespace_type(fd: int) -> int:
    """The CLONE_NEW flag of a namespace descriptor; OSError(ENOTTY) if it is none (ioctl_ns(2))."""
    from pyoci.linux.ioctls import numbers

    return call(_ioctl, fd, numbers(posix.uname().machine)["NS_GET_NSTYPE"], 0)


def leave_pid_namespace(*, if_allowed: bool = False) -> None:
    """Have our children to come born in our own pid namespace again (pid_namespaces(7)).

    The kernel forbids it (EPERM) to root of a user namespace that its own is not of.
    """
    fd = open_namespace("/proc/self/ns/pid")
    try:
        setns(fd, CLONE_NEWPID)
    except PermissionError:
        if not if_allowed:
            raise
    finally:
        posix.close(fd)


def sethostname(name: str) -> None:
    """Set the hostname of our UTS namespace (sethostname(2))."""
    encoded = encode(name)
    call(_sethostname, encoded, len(encoded))


def setdomainname(name: str) -> None:
    """Set the NIS domain name of our UTS namespace (setdomainname(2))."""
    encoded = encode(name)
    call(_setdomainname, encoded, len(encoded))
