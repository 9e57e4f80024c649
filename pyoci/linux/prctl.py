"""prctl(2), for the processes that become a container."""

from __future__ import annotations

from pyoci.linux.consts import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    PR_GET_NO_NEW_PRIVS,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
)
from pyoci.linux.libc import call, function

_prctl = function("prctl", 5)


def set_dumpable(*, dumpable: bool) -> None:
    """Whether others may trace us and read our /proc files (PR_SET_DUMPABLE)."""
    call(_prctl, PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def set_parent_death_signal(signal: int) -> None:
    """The signal we get when our parent dies; 0 for none (PR_SET_PDEATHSIG)."""
    call(_prctl, PR_SET_PDEATHSIG, signal, 0, 0, 0)


def set_child_subreaper() -> None:
    """Become the parent of orphaned descendants (PR_SET_CHILD_SUBREAPER)."""
    call(_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_keep_capabilities(*, keep: bool) -> None:
    """Whether the permitted set survives leaving uid 0 (PR_SET_KEEPCAPS)."""
    call(_prctl, PR_SET_KEEPCAPS, int(keep), 0, 0, 0)


def set_no_new_privileges() -> None:
    """No execve will ever grant privileges again (PR_SET_NO_NEW_PRIVS)."""
    call(_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def get_no_new_privileges() -> bool:
    """Whether that is so already, by whoever started us (PR_GET_NO_NEW_PRIVS)."""
    return call(_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1


def read_bounding_capability(number: int) -> int:
    """1 if the capability is in the bounding set, 0 if not, OSError(EINVAL) if unknown."""
    return call(_prctl, PR_CAPBSET_READ, number, 0, 0, 0)


def drop_bounding_capability(number: int) -> None:
    """Remove one capability from the bounding set (PR_CAPBSET_DROP)."""
    call(_prctl, PR_CAPBSET_DROP, number, 0, 0, 0)


def clear_ambient_capabilities() -> None:
    """Empty the ambient set (PR_CAP_AMBIENT_CLEAR_ALL)."""
    call(_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def raise_ambient_capability(number: int) -> None:
    """Add a permitted and inheritable capability to the ambient set (PR_CAP_AMBIENT_RAISE)."""
    call(_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)
