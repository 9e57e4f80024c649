"""Record: the base of every value that travels through pyoci.

A record is frozen, slotted, keyword-only and equal by kind and value, like a
frozen dataclass, at a fiftieth of its cost: the start-up of a command defines
dozens of them (importing ``dataclasses`` alone would double it).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, dataclass_transform

    R = TypeVar("R", bound="Record")
else:

    def dataclass_transform(**_: object):  # noqa: ANN201  (typing's own, not imported at run time)
        """Stand in for typing.dataclass_transform, which only type checkers read."""
        return lambda cls: cls


_set = object.__setattr__


class RecordType(type):
    """Turns the annotations of a class body into slots and its values into defaults."""

    _fields: tuple[str, ...]
    _defaults: dict[str, object]

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> RecordType:
        """Make the class; fields of the bases come first."""
        own = tuple(body.get("__annotations__", ()))
        defaults: dict[str, object] = {}
        fields: tuple[str, ...] = ()
        for base in bases:
            if isinstance(base, RecordType):
                fields += base._fields
                defaults.update(base._defaults)  # noqa: SLF001  (our own class)
        for field in own:
            if field in body:
                defaults[field] = body.pop(field)
        own = tuple([field for field in own if field not in fields])  # not one declared again
        body["__slots__"] = own
        made = super().__new__(cls, name, bases, body)
        made._fields = fields + own
        made._defaults = defaults
        return made


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
class Record(metaclass=RecordType):
    """A frozen value with named fields; `TypeError` for a missing or unknown field."""

    def __init__(self, **values: object) -> None:
        """Take every field by name; those with a default may be left out."""
        cls = type(self)
        for field in cls._fields:
            if field in values:
                _set(self, field, values.pop(field))
            elif field in cls._defaults:
                _set(self, field, cls._defaults[field])
            else:
                message = f"{cls.__name__} needs {field}"
                raise TypeError(message)
        if values:
            message = f"{cls.__name__} has no {', '.join(values)}"
            raise TypeError(message)

    def __setattr__(self, name: str, value: object = None) -> None:
        """Refuse, as __delattr__ does: records are values."""
        message = f"{type(self).__name__} is frozen: {name}"
        raise AttributeError(message)

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        """Equal if of the same kind with equal fields."""
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, f) == getattr(other, f) for f in type(self)._fields)

    def __hash__(self) -> int:
        """Hash of kind and fields, where the fields can be hashed."""
        return hash((type(self), *(getattr(self, f) for f in type(self)._fields)))

    def __repr__(self) -> str:
        """Kind(field=value, ...), for golden tests and debug output."""
        inner = ", ".join(f"{f}={getattr(self, f)!r}" for f in type(self)._fields)
        return f"{type(self).__name__}({inner})"


def fields(record: Record) -> dict[str, object]:
    """The fields of a record in order, by name."""
    return {f: getattr(record, f) for f in type(record)._fields}


def replace(record: R, **changes: object) -> R:
    """A copy of the record with some fields changed."""
    return type(record)(**{**fields(record), **changes})
