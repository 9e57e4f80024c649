"""How a value of a cgroup's file is set back: the write that undoes a write.

A file of one line takes that line again. Of a file with a line for each device
only the written device's is set back; what the file says when there is no such
line is known for the files that we write.
"""

from __future__ import annotations

_NO_THROTTLE = "rbps=max wbps=max riops=max wiops=max"
_ABSENT = {
    "io.max": _NO_THROTTLE,
    "io.weight": "default",
    "io.bfq.weight": "default",
    "io.latency": "target=max",
}
_KEYED = (*_ABSENT, "rdma.max", "misc.max")

# With processes in it a cpuset cannot become empty again (ENOSPC). Empty meant the list that the
# parent has, which is in this other file: it is written in place of it.
EFFECTIVE = {"cpuset.cpus": "cpuset.cpus.effective", "cpuset.mems": "cpuset.mems.effective"}

# What a write to this file changes in another one: cpu.idle takes and forgets the weight.
ALSO_CHANGED = {"cpu.idle": "cpu.weight"}


def plan_restore(file: str, written: str, content: str) -> str | None:
    """The value that brings back `content`, read before `written` was; None if there is none."""
    lines = content.splitlines()
    if file not in _KEYED:
        return content.strip("\n") if len(lines) <= 1 else None
    words = written.split(maxsplit=1)
    key = words[0] if len(words) > 1 else "default"
    for line in lines:
        if line.split(maxsplit=1)[:1] == [key]:
            return line
    if key == "default":  # a file whose only line has no key
        return content.strip("\n") if len(lines) == 1 else None
    return f"{key} {_ABSENT[file]}" if file in _ABSENT else None


def is_restorable(file: str, value: str) -> bool:
    """Whether the kernel takes this value back: an idle group's weight reads 0, which is none."""
    return (file, value) != ("cpu.weight", "0")
