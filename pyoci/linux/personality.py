"""The execution domain of our process: personality(2)."""

from __future__ import annotations

from pyoci.linux.libc import call, function

_personality = function("personality", 1)


def set_personality(persona: int) -> None:
    """Be of this PER_ domain, without any flag (personality(2)); it outlives execve."""
    call(_personality, persona)
