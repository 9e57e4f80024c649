"""What a process of ours does right now (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path


def read_state(pid: int) -> str:
    """The letter of its state; Z once it has ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def has_open(pid: int, name: str) -> bool:
    """Whether a descriptor of it is of a file with this in its name."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if name in os.readlink(fd):
                return True
        except FileNotFoundError:  # closed meanwhile
            continue
    return False


def waits_with_open(pid: int, name: str) -> bool:
    """Whether it sleeps, and has such a file open."""
    return has_open(pid, name) and read_state(pid) == "S"
