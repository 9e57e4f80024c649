"""What the systemd driver's part of a plan is made of."""

from __future__ import annotations

from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class SystemdFacts(Record):
    """The manager of units: where it is asked, what it is, and the cgroup it has for itself."""

    address: str
    is_users: bool
    version: int
    cgroup: str


class Property(Record):
    """A property of a unit, with its D-Bus type (org.freedesktop.systemd1(5)).

    Arrays are lists, structures are tuples, a variant is a tuple of type and value.
    """

    name: str
    signature: str
    value: Any


class UnitPlan(Record):
    """The unit of one container; `cgroup` is the path below the cgroup2 mount."""

    name: str
    slice: str
    description: str
    cgroup: str
    properties: tuple[Property, ...]
