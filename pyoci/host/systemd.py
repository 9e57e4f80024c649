"""Which manager of units is asked: the system's, or the user's own. Nothing is asked here."""

from __future__ import annotations

import posix

from pyoci.errors import UnsupportedError
from pyoci.linux.pidfd import read_kernel_file

_SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"

# user_namespaces(7): the initial user namespace maps all ids to themselves.
_INITIAL_MAP = [b"0", b"0", b"4294967295"]


def find_bus(*, is_users: bool) -> str:
    """The address of the message bus; UnsupportedError if a user has none."""
    if not is_users:
        return _environment("DBUS_SYSTEM_BUS_ADDRESS") or _SYSTEM_BUS
    address = _environment("DBUS_SESSION_BUS_ADDRESS")
    directory = _environment("XDG_RUNTIME_DIR")
    if not address and not directory:
        raise UnsupportedError(
            "no session bus: DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR are not set",
            "log in, or run `loginctl enable-linger USER` and set XDG_RUNTIME_DIR=/run/user/UID",
        )
    return address or f"unix:path={_escape(directory)}/bus"


def _environment(name: str) -> str:
    return posix.environ.get(name.encode(), b"").decode("utf-8", "surrogateescape")


def _escape(path: str) -> str:
    """What an address gives another meaning to."""
    for char in "%,;":
        path = path.replace(char, f"%{ord(char):02x}")
    return path


def uses_user_manager(rootless: str, own_cgroup: str) -> bool:
    """Whether the unit is the user's: as --rootless says, and where it does not by who we are.

    Root of a user namespace may be an ordinary user outside, whose manager it is then.
    """
    if rootless in ("true", "false"):
        return rootless == "true"
    if posix.geteuid() != 0:
        return True
    if read_kernel_file("/proc/self/uid_map").split() == _INITIAL_MAP:
        return False
    return find_owner(own_cgroup) not in ("", "0")


def find_owner(cgroup: str) -> str:
    """The uid of the user whose slice a cgroup is in; empty if it is in none."""
    for part in cgroup.split("/"):
        if part.startswith("user-") and part.endswith(".slice"):
            return part[len("user-") : -len(".slice")]
    return ""
