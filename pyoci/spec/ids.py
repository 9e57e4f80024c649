"""What may name a container (SECURITY: R-STATE-1): checked before any path is made of it."""

from __future__ import annotations

from pyoci.errors import UsageError

MAX_LENGTH = 255  # NAME_MAX: the id names a directory and a cgroup

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+")
_OTHERS = _FIRST | frozenset(".-")


def check_container_id(container_id: str) -> None:
    """UsageError unless the id is letters, digits and ``_+.-``, without one of ``.-`` in front."""
    if not container_id:
        message = "container id cannot be empty"
        raise UsageError(message)
    known = container_id[0] in _FIRST and _OTHERS.issuperset(container_id)
    if not known or len(container_id) > MAX_LENGTH:
        message = f"invalid container ID format: {container_id[: MAX_LENGTH + 1]!a}"
        raise UsageError(message)
