"""linux.cgroupsPath as slice:prefix:name -> the unit, and where systemd puts its cgroup.

The rules are systemd's own (systemd.unit(5), systemd.slice(5)); a name that it would refuse is
refused here, with the part of the config that it comes from.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.record import Record

_PATH = "linux.cgroupsPath"
_PREFIX = "pyoci"
_ROOT_SLICE = "-.slice"
_LONGEST_NAME = 255
_VALID = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@")

# A cgroup must not have the name of a file of the kernel in its parent, or of one to come.
_RESERVED = ("notify_on_release", "release_agent", "tasks")
_RESERVED_PREFIXES = (
    *("cgroup", "cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "devices", "pids"),
    *("bpf-firewall", "bpf-devices", "bpf-foreign", "bpf-socket-bind"),
    "bpf-restrict-network-interfaces",
)


class UnitName(Record):
    """A unit, the slice it belongs to, and its cgroup below that of its manager."""

    name: str
    slice: str
    cgroup: str

    @property
    def is_slice(self) -> bool:
        """Whether the unit is a slice, which takes no processes from systemd."""
        return self.name.endswith(".slice")


def parse_unit_name(cgroups_path: str, container_id: str, *, rootless: bool) -> UnitName:
    """The unit of a container; without a path one named after the id. ConfigError."""
    if not cgroups_path:
        return _make_scope(_default_slice(rootless=rootless), _PREFIX, escape(container_id))
    parts = cgroups_path.split(":")
    if len(parts) != 3:
        reason = f'expected "slice:prefix:name" for systemd cgroups, got "{cgroups_path}"'
        raise ConfigError(_PATH, reason, "without --systemd-cgroup it is a path")
    parent, prefix, name = parts
    if not name:
        raise ConfigError(_PATH, f'the name is missing in "{cgroups_path}"')
    if name.endswith(".slice"):
        return _make_slice(parent, name)
    return _make_scope(parent or _default_slice(rootless=rootless), prefix, name)


def _default_slice(*, rootless: bool) -> str:
    return "user.slice" if rootless else "system.slice"


def _make_scope(parent: str, prefix: str, name: str) -> UnitName:
    unit = f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
    check_unit_name(unit)
    return UnitName(name=unit, slice=parent, cgroup=f"{expand_slice(parent)}/{escape_cgroup(unit)}")


def _make_slice(parent: str, name: str) -> UnitName:
    """A slice has its parent in its name."""
    cgroup = expand_slice(name)
    own_parent = _parent_of(name)
    if name == _ROOT_SLICE or parent not in ("", own_parent):
        reason = f"{name} is in {own_parent}, not in {parent}"
        if name == _ROOT_SLICE:
            reason = f"{name} holds everything: a container cannot be in it"
        raise ConfigError(_PATH, reason)
    return UnitName(name=name, slice=own_parent, cgroup=cgroup)


def _parent_of(name: str) -> str:
    parent = name.removesuffix(".slice").rpartition("-")[0]
    return f"{parent}.slice" if parent else _ROOT_SLICE


def expand_slice(name: str) -> str:
    """The cgroup of a slice: a-b.slice is /a.slice/a-b.slice, and -.slice is at the top: empty."""
    if not name.endswith(".slice"):
        raise ConfigError(_PATH, f"{name} is no slice: its name must end in .slice")
    check_unit_name(name)
    if name == _ROOT_SLICE:
        return ""
    parts = name.removesuffix(".slice").split("-")
    if not all(parts) or "@" in name:
        raise ConfigError(_PATH, f"{name} is no valid name of a slice")
    slices = [f"{'-'.join(parts[:count])}.slice" for count in range(1, len(parts) + 1)]
    return "".join([f"/{escape_cgroup(each)}" for each in slices])


def check_unit_name(name: str) -> None:
    """ConfigError unless systemd takes it as the name of a unit (systemd.unit(5))."""
    wrong = [char for char in name if char not in _VALID]
    if wrong:
        reason = f"{wrong[0]!r} cannot be in the name of a unit: {name}"
        raise ConfigError(_PATH, reason, "letters, digits and :-_.\\@ can")
    if name.startswith((".", "@")):
        raise ConfigError(_PATH, f"{name} is no valid name of a unit")
    if name.partition("@")[2].startswith("."):
        raise ConfigError(_PATH, f"{name} is a template, and no unit")
    if len(name) > _LONGEST_NAME:
        reason = f"{name} is longer than {_LONGEST_NAME} characters"
        raise ConfigError(_PATH, reason)


def escape(text: str) -> str:
    r"""The text with what a unit's name cannot hold as ``\xNN`` (systemd-escape(1))."""
    return "".join([char if char in _VALID else f"\\x{ord(char):02x}" for char in text])


def escape_cgroup(name: str) -> str:
    """The directory that systemd makes for a unit: it keeps clear of the kernel's names."""
    reserved = name[0] in "_." or name in _RESERVED
    if reserved or any(name.startswith(f"{prefix}.") for prefix in _RESERVED_PREFIXES):
        return f"_{name}"
    return name
