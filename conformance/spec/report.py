"""What a probe reported, as values: its JSON, and the /proc texts in it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from conformance.spec.verdicts import FailedError, expect

# In the order of their numbers, linux/capability.h and asm-generic/resource.h.
CAPABILITY_NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
"""
RLIMIT_NAMES = """
CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME
"""
CAPABILITIES = CAPABILITY_NAMES.split()
RLIMITS = RLIMIT_NAMES.split()


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo, proc_pid_mountinfo(5)."""

    device: str
    root: str
    point: str
    options: frozenset[str]
    propagation: frozenset[str]
    kind: str
    source: str
    super_options: frozenset[str]

    def propagates(self, name: str) -> bool:
        """True if an optional field such as shared or master is there."""
        return any(word.split(":")[0] == name for word in self.propagation)


def unescape(word: str) -> str:
    r"""Undoes mountinfo's octal escapes such as \040."""
    return word.encode("latin-1").decode("unicode_escape") if "\\" in word else word


def parse_mount(line: str) -> Mount:
    """One line of mountinfo."""
    before, _, after = line.partition(" - ")
    _, _, device, root, point, options, *optional = before.split(" ")
    kind, source, super_options = after.split(" ", 2)
    return Mount(
        device,
        unescape(root),
        unescape(point),
        frozenset(options.split(",")),
        frozenset(word for word in optional if word),
        kind,
        unescape(source),
        frozenset(super_options.split(",")),
    )


def parse_mountinfo(text: str) -> list[Mount]:
    """All mounts, in the kernel's order: a later one covers an earlier one at the same point."""
    return [parse_mount(line) for line in text.splitlines()]


def parse_status(text: str) -> dict[str, str]:
    """/proc/PID/status as a dict of stripped texts."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in pairs}


def parse_capabilities(mask: str) -> set[str]:
    """The names, with CAP_, in a hexadecimal mask of /proc/PID/status."""
    bits = int(mask, 16)
    return {f"CAP_{name}" for number, name in enumerate(CAPABILITIES) if bits >> number & 1}


class Report:
    """One report of the probe."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Takes the parsed line."""
        self.document = document

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 (the document is JSON)
        """A member of the line."""
        return self.document[key]

    @property
    def status(self) -> dict[str, str]:
        """/proc/self/status."""
        return parse_status(self["status"])

    def ids(self, key: str) -> list[int]:
        """The numbers of a line such as Uid, Gid or Groups."""
        return [int(word) for word in self.status[key].split()]

    def capabilities(self, kind: str) -> set[str]:
        """One of the five sets: CapEff, CapBnd, CapInh, CapPrm, CapAmb."""
        return parse_capabilities(self.status[kind])

    def rlimit(self, name: str) -> list[int]:
        """[soft, hard] of a name without RLIMIT_."""
        limits: list[int] = self["rlimits"][RLIMITS.index(name)]
        return limits

    @property
    def mounts(self) -> list[Mount]:
        """The mount table."""
        return parse_mountinfo(self["mountinfo"])

    def mount_at(self, point: str) -> Mount:
        """The topmost mount at a path; fails the statement if there is none."""
        found = [mount for mount in self.mounts if mount.point == point]
        expect(bool(found), f"nothing is mounted at {point}")
        return found[-1]

    def namespace(self, kind: str) -> str:
        """The link of a namespace file, named as in /proc/PID/ns."""
        link: str = self["namespaces"][kind]
        return link

    def attempt(self, verb: str, target: str) -> dict[str, Any]:
        """What came of `verb=target`."""
        for entry in self["attempts"]:
            if (entry["verb"], entry["target"]) == (verb, target):
                found: dict[str, Any] = entry
                return found
        raise KeyError(f"{verb}={target}")

    def errno(self, verb: str, target: str) -> int:
        """The errno that `verb=target` met, 0 if none."""
        number: int = self.attempt(verb, target)["errno"]
        return number

    def succeeded(self, verb: str, target: str) -> dict[str, Any]:
        """The attempt, which must have met no error."""
        entry = self.attempt(verb, target)
        expect(entry["errno"] == 0, f"{verb} of {target} in the container: errno {entry['errno']}")
        return entry

    @property
    def fds(self) -> dict[int, str]:
        """The open file descriptors and what they are."""
        return {int(fd): link for fd, link in self["fds"].items() if fd != "of"}

    @property
    def state(self) -> dict[str, Any]:
        """The state that came over standard input; fails the statement if it is not JSON."""
        try:
            state: dict[str, Any] = json.loads(self["stdin"] or "")
        except ValueError:
            raise FailedError(f"standard input is not a JSON state: {self['stdin']!r}") from None
        return state


def parse_reports(text: str) -> list[Report]:
    """The reports of a file to which several probes appended."""
    return [Report(json.loads(line)) for line in text.splitlines()]
