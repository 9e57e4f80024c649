"""All statements in the order of the specification, and those no test can observe, with reasons."""

from __future__ import annotations

from conformance.spec import (
    cgroups,
    config,
    devices,
    hook_moments,
    hooks,
    lifecycle,
    mount_options,
    mounts,
    namespaces,
    netdevices,
    paths,
    process,
    seccomp,
    state,
    terminal,
    values,
)
from conformance.spec.verdicts import REGISTRY

MODULES = (
    cgroups,
    config,
    devices,
    hook_moments,
    hooks,
    lifecycle,
    mount_options,
    mounts,
    namespaces,
    netdevices,
    paths,
    process,
    seccomp,
    state,
    terminal,
    values,
)
FILES = ("runtime.md", "runtime-linux.md", "bundle.md", "config.md", "config-linux.md")
# Each module registers its statements when it is imported; within a file they stay in that order.
STATEMENTS = tuple(sorted(REGISTRY, key=lambda s: (FILES.index(s.file), s.section)))
UNTESTABLE: dict[str, str] = {
    "runtime.md/state/status, values of a runtime's own": (
        "only that runtime's authors know which state such a value stands for"
    ),
    "runtime.md/scope": "what other users of a runtime see is out of the text's scope",
    "runtime.md/lifecycle, order of creation steps": (
        "only hooks look into a create that is under way, and they are tested"
    ),
    "config.md: Windows, Solaris, z/OS, FreeBSD, VM": "not this platform",
    "config.md/annotations, reserved keys": "bind authors of configs and of later specifications",
    "config.md/linux-mount-options: iversion, noiversion, loud, silent, norelatime": (
        "they leave no trace in the mount table: tested is only that they are accepted"
    ),
    "config-linux.md/control-groups, fit for purpose": (
        "an error is due only if a runtime chooses to check, so both outcomes are right"
    ),
    "config-linux.md/cgroups-path, invalid values": "a runtime chooses which values are invalid",
    "config-linux.md/cgroup-ownership, fallback list": (
        "every kernel since 4.15 has /sys/kernel/cgroup/delegate, and nothing can hide it"
    ),
    "config-linux.md/memory/checkBeforeUpdate": "update is no operation of this specification",
    "config-linux.md/cpu, burst against quota": "the error is a MAY, so both outcomes are right",
    "config-linux.md/block-io and rdma, one of two members": "bind authors of configs",
    "config-linux.md/intel-rdt, writing of schemata and groups": (
        "needs a processor with RDT and a mounted resctrl; without one only the error is tested"
    ),
    "config-linux.md/network-devices, physical devices": (
        "moving a machine's own interface away would cut it off: tested with veth"
    ),
    "config-linux.md/seccomp, descriptors in the first message only": (
        "a stream does not keep the borders of messages: tested is that the descriptor arrives once"
    ),
}
