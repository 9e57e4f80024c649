"""Facts of the machine that decide what can be tested, and under which name they are on record."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from tests.support.guest import is_guest

CGROUPS = Path("/sys/fs/cgroup")
CAP_SYS_RESOURCE = 24


@functools.cache
def read_facts() -> tuple[str, ...]:
    """What this machine lacks or is, in the words of records.toml."""
    facts = []
    if not has_capability(CAP_SYS_RESOURCE):
        facts.append("no CAP_SYS_RESOURCE")
    if "memory" not in read_controllers():
        facts.append("no controllers")
    facts.append(f"kernel {os.environ.get('GUEST_KERNEL', 'own')}")
    facts.append("guest" if is_guest() else "host")
    facts.append(f"driver {cgroup_driver()}")
    return tuple(facts)


def has_capability(number: int) -> bool:
    """Whether our bounding set has it."""
    status = Path("/proc/self/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("CapBnd")]
    return bool(int(mask, 16) >> number & 1)


def read_controllers() -> list[str]:
    """The controllers of cgroup v2."""
    try:
        return (CGROUPS / "cgroup.controllers").read_text().split()
    except FileNotFoundError:
        return []


def cgroup_driver() -> str:
    """Who makes the containers' cgroups: cgroupfs (the runtime itself) or systemd."""
    return os.environ.get("PYOCI_CLIENTS_DRIVER", "cgroupfs")


def has_limits() -> bool:
    """Whether limits can be set at all."""
    return "no controllers" not in read_facts()
