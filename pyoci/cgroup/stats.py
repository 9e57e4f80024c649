"""What a cgroup has used, in the JSON shape of runc's `events` (cgroup-v2.rst, "Controllers").

A file that the kernel does not have counts as nothing used; a member that cgroup
v2 has no number for is 0, as in runc.
"""

from __future__ import annotations

import posix

from pyoci.linux.pidfd import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Members: TypeAlias = dict[str, object]

NO_LIMIT = 2**64 - 1
_NS_PER_US = 1000
_NO_ENTRY = {"limit": 0, "usage": 0, "max": 0, "failcnt": 0}

# Of io.stat: the key, the list it goes to, the operation's name.
_IO_KEYS = {
    "rbytes": ("ioServiceBytesRecursive", "Read"),
    "wbytes": ("ioServiceBytesRecursive", "Write"),
    "dbytes": ("ioServiceBytesRecursive", "Discard"),
    "rios": ("ioServicedRecursive", "Read"),
    "wios": ("ioServicedRecursive", "Write"),
    "dios": ("ioServicedRecursive", "Discard"),
}
_IO_LISTS = (
    *("ioServiceBytesRecursive", "ioServicedRecursive", "ioQueueRecursive"),
    *("ioServiceTimeRecursive", "ioWaitTimeRecursive", "ioMergedRecursive"),
    *("ioTimeRecursive", "sectorsRecursive"),
)
_CPUSET_FLAGS = (
    *("cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page"),
    *("memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"),
)


def read_stats(path: str) -> Members:
    """The `data` of a stats event for the cgroup in this directory."""
    return {
        "cpu": _read_cpu(path),
        "cpuset": _read_cpuset(path),
        "memory": _read_memory(path),
        "pids": _read_pids(path),
        "blkio": _read_blkio(path),
        "hugetlb": _read_hugetlb(path),
        "intel_rdt": {},
        "network_interfaces": None,
    }


def _read(path: str, file: str) -> str:
    """The file's text; empty if there is none, or if it cannot be read now."""
    try:
        return read_kernel_file(f"{path}/{file}").decode()
    except OSError:  # ENOENT: no such controller; EOPNOTSUPP: PSI is off; ENODEV: just removed
        return ""


def _read_cpu(path: str) -> Members:
    stat = parse_flat(_read(path, "cpu.stat"))
    usage = {
        "total": stat.get("usage_usec", 0) * _NS_PER_US,
        "kernel": stat.get("system_usec", 0) * _NS_PER_US,
        "user": stat.get("user_usec", 0) * _NS_PER_US,
    }
    throttling = {
        "periods": stat.get("nr_periods", 0),
        "throttledPeriods": stat.get("nr_throttled", 0),
        "throttledTime": stat.get("throttled_usec", 0) * _NS_PER_US,
    }
    return {"usage": usage, "throttling": throttling, **_read_pressure(path, "cpu")}


def _read_cpuset(path: str) -> Members:
    return {
        "cpus": parse_list(_read(path, "cpuset.cpus.effective")),
        "mems": parse_list(_read(path, "cpuset.mems.effective")),
        **dict.fromkeys(_CPUSET_FLAGS, 0),
    }


def _read_memory(path: str) -> Members:
    raw = parse_flat(_read(path, "memory.stat"))
    usage = _read_entry(path, "memory", "memory.events")
    swap = _read_entry(path, "memory.swap", "memory.swap.events")
    return {
        "cache": raw.get("file", 0),
        "usage": usage,
        "swap": add_memory(swap, usage),
        "kernel": _NO_ENTRY,
        "kernelTCP": _NO_ENTRY,
        "raw": raw,
        **_read_pressure(path, "memory"),
    }


def _read_entry(path: str, prefix: str, events: str) -> dict[str, int]:
    return {
        "limit": parse_limit(_read(path, f"{prefix}.max")),
        "usage": parse_limit(_read(path, f"{prefix}.current")),
        "max": parse_limit(_read(path, f"{prefix}.peak")),
        "failcnt": parse_flat(_read(path, events)).get("max", 0),
    }


def add_memory(swap: Mapping[str, int], memory: Mapping[str, int]) -> dict[str, int]:
    """Swap as v1 counts it, with the memory in it; the two peaks cannot be added: 0, as in runc."""
    limits = (swap["limit"], memory["limit"])
    return {
        "limit": NO_LIMIT if NO_LIMIT in limits else sum(limits),
        "usage": swap["usage"] + memory["usage"],
        "max": 0,
        "failcnt": swap["failcnt"],
    }


def _read_pids(path: str) -> Members:
    limit = parse_limit(_read(path, "pids.max"))
    current = _read(path, "pids.current")
    # Without the controller processes can still be counted, those of the cgroup itself.
    count = parse_limit(current) if current else len(_read(path, "cgroup.procs").split())
    return {"current": count, "limit": 0 if limit == NO_LIMIT else limit}


def _read_blkio(path: str) -> Members:
    return {**parse_io(_read(path, "io.stat")), **_read_pressure(path, "io")}


def _read_hugetlb(path: str) -> Members:
    try:
        names = sorted(posix.listdir(path))
    except FileNotFoundError:  # the container has just stopped
        names = []
    parts = [name.split(".") for name in names]
    sizes = [part[1] for part in parts if part[0] == "hugetlb" and part[2:] == ["current"]]
    return {size: _read_huge_pages(path, size) for size in sizes}


def _read_huge_pages(path: str, size: str) -> Members:
    """Of one size; usage is what is reserved, where the kernel counts that, as in runc."""
    reserved = _read(path, f"hugetlb.{size}.rsvd.current")
    return {
        "usage": parse_limit(reserved or _read(path, f"hugetlb.{size}.current")),
        "max": 0,
        "failcnt": parse_flat(_read(path, f"hugetlb.{size}.events")).get("max", 0),
    }


def _read_pressure(path: str, resource: str) -> Members:
    """The member `psi`, where the kernel counts it (Documentation/accounting/psi.rst)."""
    pressure = parse_pressure(_read(path, f"{resource}.pressure"))
    return {"psi": pressure} if pressure else {}


def parse_limit(text: str) -> int:
    """A number, or `max`, the largest that 64 bits hold; nothing is 0."""
    word = text.strip()
    return NO_LIMIT if word == "max" else int(word or 0)


def parse_flat(text: str) -> dict[str, int]:
    """A flat keyed file: `KEY VALUE` on each line."""
    pairs = [line.split() for line in text.splitlines()]
    return {pair[0]: parse_limit(pair[1]) for pair in pairs if len(pair) == 2}


def parse_list(text: str) -> list[int]:
    """The numbers of a list like ``0-3,7`` (cpuset(7), "List format")."""
    numbers: list[int] = []
    for part in text.strip().split(",") if text.strip() else []:
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def parse_pressure(text: str) -> dict[str, dict[str, float]]:
    """The lines `some` and `full`: averages in percent, the total in microseconds."""
    pressure: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        kind, *words = line.split()
        pairs = [word.partition("=") for word in words]
        pressure[kind] = {
            key: int(value) if key == "total" else float(value) for key, _, value in pairs
        }
    return pressure


def parse_io(text: str) -> dict[str, list[dict[str, object]]]:
    """The lists of `blkio` out of io.stat; those that v2 has no numbers for are empty."""
    lists: dict[str, list[dict[str, object]]] = {name: [] for name in _IO_LISTS}
    for line in text.splitlines():
        device, *words = line.split()
        major, _, minor = device.partition(":")
        for word in words:
            key, _, value = word.partition("=")
            if key in _IO_KEYS and value.isdigit():
                name, operation = _IO_KEYS[key]
                entry = {"major": int(major), "minor": int(minor)}
                lists[name].append({**entry, "op": operation, "value": int(value)})
    return lists
