"""What can go wrong with a guest, apart from the command in it."""

from __future__ import annotations


class GuestError(Exception):
    """Why the guest could not be built or run; the first line is enough to know."""


class EndedEarlyError(GuestError):
    """The guest ended before its command had, and before it began if `began` is false."""

    def __init__(self, message: str, *, began: bool) -> None:
        """Take the words and how far it came."""
        super().__init__(message)
        self.began = began
