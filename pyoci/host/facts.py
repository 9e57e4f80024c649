"""The facts about this machine that a plan depends on; nothing is changed here."""

from __future__ import annotations

import posix

from pyoci.host.cgroupfs import find_cgroup_mount, read_own_cgroup
from pyoci.plan.model import HostFacts


def read_facts(rootless: str = "false") -> HostFacts:
    """What the machine looks like now; `rootless` as --rootless."""
    mount = find_cgroup_mount()
    facts = HostFacts(
        machine=posix.uname().machine,
        euid=posix.geteuid(),
        cgroup_mount=mount,
        own_cgroup=read_own_cgroup() if mount else "/",
    )
    if facts.euid == 0 and rootless != "true":
        return facts
    from pyoci.host.rootless import add_rootless_facts

    return add_rootless_facts(facts, rootless)
