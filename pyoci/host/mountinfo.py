"""/proc/self/mountinfo as values (proc_pid_mountinfo(5))."""

from __future__ import annotations

from pyoci.linux.pidfd import read_kernel_file
from pyoci.record import Record


class MountInfo(Record):
    """One mount of a mount namespace, as far as pyoci asks."""

    mount_id: int
    root: str
    mount_point: str
    type: str
    source: str


def read_mountinfo() -> list[MountInfo]:
    """The mounts of our mount namespace, in the kernel's order."""
    raw = read_kernel_file("/proc/self/mountinfo")
    return parse_mountinfo(raw.decode("utf-8", "surrogateescape"))


def parse_mountinfo(text: str) -> list[MountInfo]:
    """The mounts that such a file lists."""
    return [_parse_line(line) for line in text.split("\n") if line]


def _parse_line(line: str) -> MountInfo:
    left, _, right = line.partition(" - ")
    fields, more = left.split(" "), right.split(" ")
    return MountInfo(
        mount_id=int(fields[0]),
        root=_unescape(fields[3]),
        mount_point=_unescape(fields[4]),
        type=more[0],
        source=_unescape(more[1]),
    )


# What fs/proc_namespace.c writes in octal; the backslash last, or it would make new codes.
_CODES = (
    ("\\040", " "),
    ("\\011", "\t"),
    ("\\012", "\n"),
    ("\\043", "#"),
    ("\\134", "\\"),
)


def _unescape(word: str) -> str:
    for code, character in _CODES if "\\" in word else ():
        word = word.replace(code, character)
    return word
