"""What a plan of resources is made of, and how numbers of the config are taken and checked.

Everything in this package is pure: a section of ``linux.resources`` in, writes
out. The section has been accepted by the schema, so types are right; ranges
that the schema cannot know are checked here, under the key's JSON path.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    Section: TypeAlias = Mapping[str, Any]

RESOURCES = "linux.resources"
INT64_MAX = 2**63 - 1
UINT64_MAX = 2**64 - 1


class CgroupWrite(Record):
    """One write(2) of `value` to `file` in the container's cgroup.

    The parent must enable `controller`; it is empty for the core's own files.
    `instead` is done in its place where the kernel has no such file; where
    there is none, `optional` says whether a missing file is an error.
    """

    controller: str
    file: str
    value: str
    config_path: str
    instead: CgroupWrite | None = None
    optional: bool = False


class UsageCheck(Record):
    """Refuse an update if the sum of these files, in bytes, has reached `limit_bytes`.

    A file that is missing counts as nothing. The check is for a cgroup in use.
    """

    files: tuple[str, ...]
    limit_bytes: int
    config_path: str


class ResourcePlan(Record):
    """The writes in order, the checks to do before the first, and notes for the log."""

    writes: tuple[CgroupWrite, ...] = ()
    checks: tuple[UsageCheck, ...] = ()
    notes: tuple[str, ...] = ()


def parse_number(section: Section, key: str, path: str, low: int, high: int) -> int | None:
    """The number under `key`, None if it is not there; ConfigError if it is out of range."""
    value: int | None = section.get(key)
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{path}.{key}", f"{value} is not between {low} and {high}")
    return value


def parse_set_number(section: Section, key: str, path: str, low: int, high: int) -> int | None:
    """Like parse_number, but zero says "not set", as engines write it, and is in no range."""
    if section.get(key) == 0:
        return None
    return parse_number(section, key, path, low, high)


def render_limit(value: int) -> str:
    """A limit as the kernel takes it: -1 is max."""
    return "max" if value == -1 else str(value)
