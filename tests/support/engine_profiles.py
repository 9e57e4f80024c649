"""The seccomp profiles of engines, read from their packages: none of them is in this project.

Docker and Podman write a profile with conditions (architectures, capabilities, kernels), which the
engine resolves for each container; systemd names groups of calls.
"""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

from pyoci.spec.model import Seccomp, SyscallArg, SyscallRule
from tests.support.seccomp_profiles import MACHINES, profile, rule

ROOT = Path(__file__).resolve().parents[2]
# Debian: golang-github-containers-common; packaging/docker-profile.sh fetches the other.
FILES = {
    "podman": Path("/usr/share/containers/seccomp.json"),
    "docker": ROOT / "build/profiles/docker.json",
}
# What Go calls the machines, in the conditions.
GO_NAMES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "ppc64": "ppc64",
    "s390x": "s390x",
}
KERNEL = (6, 1)

# What Docker gives a container, nothing, and nearly everything.
CAPABILITIES: dict[str, tuple[str, ...]] = {
    "default": (
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
        "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
        "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
    ),
    "none": (),
    "many": (
        "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_CHROOT", "CAP_SYS_MODULE", "CAP_SYS_NICE",
        "CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG",
        "CAP_SYSLOG", "CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_AUDIT_WRITE",
    ),
}  # fmt: skip


def read_engine_profile(engine: str, machine: str, capabilities: str) -> Seccomp:
    """The profile of Docker or Podman for a container on this machine with these capabilities."""
    document: dict[str, Any] = json.loads(FILES[engine].read_text())
    granted = CAPABILITIES[capabilities]
    rules = [
        make_rule(entry)
        for entry in document["syscalls"]
        if applies(entry, GO_NAMES[machine], granted)
    ]
    return Seccomp(
        default_action=document["defaultAction"],
        default_errno_ret=document.get("defaultErrnoRet"),
        architectures=read_architectures(document, machine),
        syscalls=tuple(rules),
    )


def read_architectures(document: dict[str, Any], machine: str) -> tuple[str, ...]:
    """The machine's own and those that the profile serves with it, as far as we know them."""
    native = MACHINES[machine][0]
    for entry in document.get("archMap") or document.get("architectures") or []:
        if entry["architecture"] == native:
            others = entry.get("subArchitectures") or ()
            return (native, *[name for name in others if name in MACHINES[machine]])
    return (native,)


def applies(entry: dict[str, Any], machine: str, granted: tuple[str, ...]) -> bool:
    """Whether the conditions of an entry hold."""
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    if includes.get("arches") and machine not in includes["arches"]:
        return False
    if machine in (excludes.get("arches") or ()):
        return False
    if not set(includes.get("caps") or ()) <= set(granted):
        return False
    if not set(excludes.get("caps") or ()).isdisjoint(granted):
        return False
    oldest = includes.get("minKernel")
    return oldest is None or tuple(map(int, oldest.split("."))) <= KERNEL


def make_rule(entry: dict[str, Any]) -> SyscallRule:
    return SyscallRule(
        names=tuple(entry.get("names") or [entry["name"]]),
        action=entry["action"],
        errno_ret=entry.get("errnoRet"),
        args=tuple(
            SyscallArg(
                index=a["index"], value=a["value"], value_two=a.get("valueTwo", 0), op=a["op"]
            )
            for a in entry.get("args") or ()
        ),
    )


@functools.cache
def read_systemd_groups() -> dict[str, tuple[str, ...]]:
    """The calls of each group that systemd-analyze knows; empty where there is none of it."""
    try:
        done = subprocess.run(
            ["systemd-analyze", "--no-pager", "syscall-filter"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"},
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    groups: dict[str, list[str]] = {}
    current = ""
    for line in done.stdout.splitlines():
        word = line.strip()
        if line.startswith("@"):
            current = word
            groups[current] = []
        elif word and not word.startswith("#") and line.startswith(" "):
            groups[current].append(word)
    return {name: flatten(groups, name) for name in groups}


def flatten(groups: dict[str, list[str]], name: str) -> tuple[str, ...]:
    """The group with those that it names in place of their names."""
    found: list[str] = []
    for word in groups[name]:
        found += flatten(groups, word) if word.startswith("@") else [word]
    return tuple(dict.fromkeys(found))


def make_systemd_profile(group: str, machine: str, *, allowed: bool) -> Seccomp:
    """SystemCallFilter=@group, or =~@group: only these calls, or all but these."""
    names = read_systemd_groups()[group]
    listed = MACHINES[machine]
    if allowed:
        return profile("ERRNO", rule(names, "ALLOW"), arches=listed, errno=1)
    return profile("ALLOW", rule(names, "ERRNO", errno=1), arches=listed)
