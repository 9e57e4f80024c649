"""A manager of units, by D-Bus: start, change, stop (org.freedesktop.systemd1(5)).

What systemd refuses is a StepError with systemd's own words; so is a job that ends badly.
"""

from __future__ import annotations

from pyoci.cgroup.dbus import BusError, Connection
from pyoci.errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any, Self

    from pyoci.plan.systemd.model import Property

_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = (_PATH, _NAME, f"{_NAME}.Manager")
_PROPERTIES = "org.freedesktop.DBus.Properties"
_PEER = (_PATH, _NAME, "org.freedesktop.DBus.Peer")
_BUS = ("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
_JOB_REMOVED = (
    f"type='signal',sender='{_NAME}',path='{_PATH}',interface='{_NAME}.Manager',member='JobRemoved'"
)
_EXISTS = f"{_NAME}.UnitExists"
_MISSING = (f"{_NAME}.NoSuchUnit", "org.freedesktop.DBus.Error.UnknownObject")


class Systemd:
    """A connection to one manager; close it, or use it as a context manager."""

    def __init__(self, address: str, hint: str = "") -> None:
        """Connect; StepError with the hint if that fails."""
        self._bus = Connection(address, hint)
        self._hears_jobs = False

    def __enter__(self) -> Self:
        """The connection itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._bus.close()

    # --- what there is

    def read_manager(self) -> tuple[int, str]:
        """The version of systemd, and the cgroup below which this manager has its units."""
        try:
            found = self._get(_PATH, f"{_NAME}.Manager", ("Version", "ControlGroup"))
        except BusError as error:
            raise _failed("ask systemd for its version", error) from None
        # 252 (252.39-1~deb12u1), v257.2, 258~rc1
        digits = ""
        for char in found["Version"].lstrip("v"):
            if not char.isdigit():
                break
            digits += char
        return int(digits or 0), found["ControlGroup"].rstrip("/")

    def read_properties(self, unit: str, names: Iterable[str]) -> dict[str, Any]:
        """The values of these properties of a unit; StepError if it is not there."""
        kind = unit.rpartition(".")[2].capitalize()
        try:
            return self._get(self._find(unit), f"{_NAME}.{kind}", names)
        except BusError as error:
            raise _failed(f"read the properties of unit {unit}", error) from None

    def _find(self, unit: str) -> str:
        (path,) = self._bus.call(_MANAGER, "GetUnit", "s", unit)
        return str(path)

    def _get(self, path: str, interface: str, names: Iterable[str]) -> dict[str, Any]:
        target = (path, _NAME, _PROPERTIES)
        calls = [(name, self._bus.send(target, "Get", "ss", interface, name)) for name in names]
        # A variant is a pair of type and value.
        return {name: self._bus.receive(serial)[0][1] for name, serial in calls}

    # --- changes

    def start_unit(self, unit: str, properties: Iterable[Property], pid: int) -> None:
        """Start a transient unit with these properties; if pid is not 0, with this process in it.

        StepError if systemd refuses, or the job does not end in `done`.
        """
        made = _render(properties)
        if pid:
            made.append(("PIDs", ("au", [pid])))
        try:
            try:
                job = self._queue("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", made, [])
            except BusError as error:
                if error.name != _EXISTS:
                    raise
                # It may be what is left of one that has failed; one in use stays as it is.
                self._reset_failed(unit)
                job = self._queue("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", made, [])
        except BusError as error:
            raise _failed(f"start unit {unit}", error) from None
        result = self._await_job(job)
        if result != "done":
            detail = f"systemd says: the job ended with the result {result}"
            hint = f"`journalctl -u {unit}` may tell more"
            raise StepError("", f"start unit {unit}", detail, hint=hint)

    def set_properties(self, unit: str, properties: Iterable[Property]) -> None:
        """Change properties for as long as the unit runs; the cgroup's files say so on return.

        StepError if systemd refuses: nothing is changed then.
        """
        made = _render(properties)
        if not made:
            return
        call = self._bus.send(_MANAGER, "SetUnitProperties", "sba(sv)", unit, True, made)
        # systemd replies, then writes the files, and only then takes the next call: this one.
        barrier = self._bus.send(_PEER, "Ping")
        try:
            self._bus.receive(call)
            self._bus.receive(barrier)
        except BusError as error:
            raise _failed(f"set properties of unit {unit}", error) from None

    def attach(self, unit: str, below: str, pid: int) -> None:
        """Move a process into the unit's cgroup, or one below it; StepError."""
        try:
            self._bus.call(_MANAGER, "AttachProcessesToUnit", "ssau", unit, below, [pid])
        except BusError as error:
            raise _failed(f"move the process into unit {unit}", error) from None

    def stop_unit(self, unit: str, description: str) -> None:
        """Stop the unit and forget that it failed, if it is there and is known by this description.

        Another one has taken its name since. StepError if systemd does not do so.
        """
        try:
            found = self._get(self._find(unit), f"{_NAME}.Unit", ("Description",))
            if found["Description"] != description:
                return
            self._await_job(self._queue("StopUnit", "ss", unit, "replace"))
            self._reset_failed(unit)
        except BusError as error:
            if error.name not in _MISSING:
                raise _failed(f"stop unit {unit}", error) from None

    def _reset_failed(self, unit: str) -> None:
        try:
            self._bus.call(_MANAGER, "ResetFailedUnit", "s", unit)
        except BusError as error:
            if error.name not in _MISSING:
                raise

    def _queue(self, method: str, signature: str, *body: object) -> str:
        """Call a method that makes a job; the job's path."""
        if not self._hears_jobs:
            heard = self._bus.send(_BUS, "AddMatch", "s", _JOB_REMOVED)
            subscribed = self._bus.send(_MANAGER, "Subscribe")
            self._bus.receive(heard)
            self._bus.receive(subscribed)
            self._hears_jobs = True
        (job,) = self._bus.call(_MANAGER, method, signature, *body)
        return str(job)

    def _await_job(self, job: str) -> str:
        """The result of a job that this connection has just queued."""
        body = self._bus.await_signal(self._bus.peer, "JobRemoved", lambda body: body[1] == job)
        return str(body[3])


def _render(properties: Iterable[Property]) -> list[tuple[str, tuple[str, Any]]]:
    return [(made.name, (made.signature, made.value)) for made in properties]


def _failed(step: str, error: BusError) -> StepError:
    said = error.message or error.name
    hint = ""
    if error.name == _EXISTS:
        hint = "another linux.cgroupsPath gives another name"
    return StepError("", step, f"systemd says: {said}", hint=hint)
