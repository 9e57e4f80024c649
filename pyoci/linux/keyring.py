"""The session keyring: keyctl(2)."""

from __future__ import annotations

from pyoci.linux.consts import KEYCTL_JOIN_SESSION_KEYRING
from pyoci.linux.libc import encode, number_of, syscall


def join_session_keyring(name: str) -> int:
    """The id of a session keyring of this name, made if there is none (keyctl(2))."""
    return syscall(number_of("keyctl"), KEYCTL_JOIN_SESSION_KEYRING, encode(name))
