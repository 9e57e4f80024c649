"""What becomes of each part of our own executable's image: mapped again, or copied.

A container must not reach the interpreter's file through ``/proc/PID/exe`` (CVE-2019-5736). The
kernel lets a process name another file there, but only once nothing of the old one is mapped. Here
is decided how each part of it can be replaced; ``linux/image.py`` does it.

- What was never written to (code, constants) is mapped again, from the same file by another mount.
- What may have been written to (data, and what the dynamic linker has relocated and then made
  read-only) is copied into anonymous memory.
"""

from __future__ import annotations

from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

READ, WRITE, EXECUTE = 1, 2, 4  # sys/mman.h: PROT_


class Segment(Record):
    """A part of the image: where it lies, what may be done to it, where it is in the file."""

    start: int
    end: int
    protection: int
    offset: int


class RemapPlan(Record):
    """The parts to be mapped again, the stretches to be copied, and what to protect in these."""

    again: tuple[Segment, ...]
    copied: tuple[tuple[int, int], ...]
    protected: tuple[Segment, ...]


def plan_remap(maps: bytes, executable: bytes) -> RemapPlan:
    """The plan for the executable of this path, from the text of /proc/self/maps.

    ValueError if no part of it is mapped, or one in a way that a program is not.
    """
    segments = parse_segments(maps, executable)
    if not segments:
        message = f"nothing of {executable!r} is mapped"
        raise ValueError(message)
    copied = [s for s in segments if s.protection & WRITE]
    relocated = find_relocated(segments)
    if relocated is not None:
        copied.insert(0, relocated)
    again = tuple([s for s in segments if s not in copied])
    protected = tuple([s for s in copied if s.protection != READ | WRITE])
    return RemapPlan(again=again, copied=join_stretches(copied), protected=protected)


def parse_segments(maps: bytes, executable: bytes) -> list[Segment]:
    """The parts of /proc/self/maps that are of this file, in order (proc(5))."""
    # The kernel writes a newline in a path as \012, and nothing else in another way.
    suffix = b" " + executable.replace(b"\n", b"\\012")
    found = []
    for line in maps.split(b"\n"):
        if line.endswith(suffix):
            words = line.split(None, 5)
            if words[-1] == suffix[1:]:
                found.append(parse_segment(words))
    return found


def parse_segment(words: Sequence[bytes]) -> Segment:
    """One line of /proc/self/maps; ValueError for a shared mapping, which no program has."""
    addresses, permissions, offset = words[:3]
    if permissions[3:] != b"p":
        message = f"a part of the executable is mapped {permissions!r}"
        raise ValueError(message)
    start, _, end = addresses.partition(b"-")
    protection = 0
    for letter, flag in ((b"r", READ), (b"w", WRITE), (b"x", EXECUTE)):
        if letter in permissions:
            protection |= flag
    return Segment(
        start=int(start, 16), end=int(end, 16), protection=protection, offset=int(offset, 16)
    )


def find_relocated(segments: Sequence[Segment]) -> Segment | None:
    """The read-only part in front of the data, if there is one: it may have been written to.

    There the dynamic linker leaves what it has relocated (PT_GNU_RELRO). Where it is missing, or
    the kernel shows it as one with the constants in front of it, these are copied for nothing.
    """
    previous = None
    for segment in segments:
        if segment.protection & WRITE:
            return previous
        previous = None if segment.protection & EXECUTE else segment
    return None


def join_stretches(segments: Sequence[Segment]) -> tuple[tuple[int, int], ...]:
    """Start and end of each stretch of memory that the segments cover without a gap."""
    stretches: list[tuple[int, int]] = []
    for segment in segments:
        if stretches and stretches[-1][1] == segment.start:
            stretches[-1] = (stretches[-1][0], segment.end)
        else:
            stretches.append((segment.start, segment.end))
    return tuple(stretches)
