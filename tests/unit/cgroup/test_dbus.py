"""The connection to a bus, with a bus of the test's own at its other end."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jeepney
import pytest

from pyoci.cgroup import dbus
from pyoci.cgroup.dbus import BusError, Connection, one_line, parse_address
from pyoci.cgroup.systemd import Systemd
from pyoci.errors import StepError, UnsupportedError
from pyoci.plan.systemd.model import Property

TARGET = ("/a", "a.b", "a.b")
OWNER, STRANGER = ":1.1", ":1.66"
JOB = "/org/freedesktop/systemd1/job/7"

HANG_UP = object()

# Gets each call, says what is sent for it.
Script = Callable[[Any], list[Any]]


class Bus:
    """One end of a connection: it takes a caller, and answers by the script."""

    def __init__(
        self, path: Path, script: Script, greeting: bytes = b"DATA\r\nOK 12ab\r\n"
    ) -> None:
        self.address = f"unix:path={path}"
        self.script = script
        self.greeting = greeting
        self.calls: list[tuple[str, Any]] = []
        self.serial = 100
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        try:
            peer, _ = self.socket.accept()
        except OSError:  # nobody has come: `close`
            return
        with peer:
            said = b""
            while not said.endswith(b"BEGIN\r\n"):
                received = peer.recv(4096)
                if not received:  # the other side has given up
                    return
                said += received
            peer.sendall(self.greeting)
            parser = jeepney.Parser()
            while received := peer.recv(4096):
                parser.add_data(received)
                while (call := parser.get_next_message()) is not None:
                    self.calls.append((call.header.fields[jeepney.HeaderFields.member], call.body))
                    for message in self.script(call):
                        if message is HANG_UP:
                            return
                        self.serial += 1
                        peer.sendall(message.serialise(self.serial))

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes who waits for somebody to come
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.socket.close()


def reply(call: Any, signature: str = "", *body: Any) -> Any:  # noqa: ANN401
    made = jeepney.new_method_return(call, signature or None, body)
    made.header.fields[jeepney.HeaderFields.sender] = OWNER
    return made


def error(call: Any, name: str, text: str) -> Any:  # noqa: ANN401
    return jeepney.new_error(call, name, "s", (text,))


def job_removed(sender: str, job: str, result: str) -> Any:  # noqa: ANN401
    emitter = jeepney.DBusAddress("/org/freedesktop/systemd1", None, "a.Manager")
    made = jeepney.new_signal(emitter, "JobRemoved", "uoss", (7, job, "a.scope", result))
    made.header.fields[jeepney.HeaderFields.sender] = sender
    return made


def member(call: Any) -> str:  # noqa: ANN401
    return str(call.header.fields[jeepney.HeaderFields.member])


@contextmanager
def serving(tmp_path: Path, script: Script, **options: Any) -> Iterator[Bus]:  # noqa: ANN401
    bus = Bus(tmp_path / "bus", script, **options)
    try:
        yield bus
    finally:
        bus.close()


def echo(call: Any) -> list[Any]:  # noqa: ANN401
    return [reply(call, "s", member(call))]


# --- the connection


def test_replies_are_told_apart(tmp_path: Path) -> None:
    held: list[Any] = []

    def script(call: Any) -> list[Any]:  # noqa: ANN401
        if member(call) == "First":
            held.append(reply(call, "s", "one"))
            return []
        return [*([reply(call, "s", "two")]), *held]

    with serving(tmp_path, script) as bus:
        connection = Connection(bus.address)
        first, second = connection.send(TARGET, "First"), connection.send(TARGET, "Second")
        assert connection.receive(first) == ("one",)
        assert connection.receive(second) == ("two",)
        connection.close()


def test_an_error_has_its_name_and_its_words_in_one_line(tmp_path: Path) -> None:
    def script(call: Any) -> list[Any]:  # noqa: ANN401
        return echo(call) if member(call) == "Hello" else [error(call, "a.Bad", "It\n is  bad.")]

    with serving(tmp_path, script) as bus:
        connection = Connection(bus.address)
        with pytest.raises(BusError) as caught:
            connection.call(TARGET, "M")
        assert (caught.value.name, caught.value.message) == ("a.Bad", "It is bad")
        connection.close()


@pytest.mark.parametrize("greeting", [b"REJECTED EXTERNAL\r\n", b"ERROR\r\n", b"x" * 5000])
def test_a_bus_that_refuses(tmp_path: Path, greeting: bytes) -> None:
    with (
        serving(tmp_path, echo, greeting=greeting) as bus,
        pytest.raises(StepError, match="the bus does not take us for who we are"),
    ):
        Connection(bus.address)


def test_a_bus_that_hangs_up(tmp_path: Path) -> None:
    def script(call: Any) -> list[Any]:  # noqa: ANN401
        del call
        return [HANG_UP]

    with (
        serving(tmp_path, script) as bus,
        pytest.raises(StepError, match="the connection was closed") as caught,
    ):
        Connection(bus.address, "do this")
    assert caught.value.hint == "do this"
    assert caught.value.message.startswith(f"cannot reach systemd by {bus.address}: ")


def test_a_bus_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbus, "PATIENCE_S", 0.05)
    with (
        serving(tmp_path, lambda _: []) as bus,
        pytest.raises(StepError, match="nothing was heard for 0 s"),
    ):
        Connection(bus.address)


def test_no_bus(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"cannot reach systemd by unix:path=.*: ENOENT"):
        Connection(f"unix:path={tmp_path}/bus")
    with pytest.raises(StepError, match="by tcp:host=localhost,port=1: EINVAL"):
        Connection("tcp:host=localhost,port=1")


def test_without_jeepney(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jeepney", None)
    with pytest.raises(UnsupportedError, match="needs the Python package jeepney") as caught:
        dbus.import_jeepney()
    assert "install python3-jeepney" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "paths"),
    [
        ("unix:path=/run/user/1000/bus", ["/run/user/1000/bus"]),
        ("unix:guid=1,path=/a%2cb%25;unix:path=/c", ["/a,b%", "/c"]),
        ("unix:path=/a%", ["/a%"]),
        ("unix:path=/%zz", ["/%zz"]),
        ("unix:abstract=/a;tcp:path=/b", []),
        ("", []),
    ],
)
def test_address(address: str, paths: list[str]) -> None:
    assert parse_address(address) == paths


def test_one_line() -> None:
    assert one_line("Unit a.scope was already loaded.\n") == "Unit a.scope was already loaded"


# --- systemd


def manager(*signals: Any, **answers: tuple[str, object]) -> Script:  # noqa: ANN401
    """A manager whose jobs end in these signals; answers are a signature and the values."""

    def script(call: Any) -> list[Any]:  # noqa: ANN401
        name = member(call)
        if name in answers:
            return [reply(call, *answers[name])]
        if name in ("StartTransientUnit", "StopUnit"):
            return [*signals[:-1], reply(call, "o", JOB), *signals[-1:]]
        return [reply(call)]

    return script


def start(bus: Bus) -> None:
    with Systemd(bus.address) as systemd:
        made = Property(name="Delegate", signature="b", value=True)
        systemd.start_unit("a.scope", (made,), 5)


def test_a_job_is_waited_for_and_nobody_else_can_end_it(tmp_path: Path) -> None:
    script = manager(
        job_removed(STRANGER, JOB, "failed"),
        job_removed(OWNER, "/org/freedesktop/systemd1/job/8", "failed"),
        job_removed(OWNER, JOB, "done"),
    )
    with serving(tmp_path, script) as bus:
        start(bus)
    names = [name for name, _ in bus.calls]
    assert names == ["Hello", "AddMatch", "Subscribe", "StartTransientUnit"]
    unit, mode, properties, auxiliary = bus.calls[-1][1]
    assert (unit, mode, auxiliary) == ("a.scope", "fail", [])
    assert properties == [("Delegate", ("b", True)), ("PIDs", ("au", [5]))]


def test_a_job_that_fails(tmp_path: Path) -> None:
    with (
        serving(tmp_path, manager(job_removed(OWNER, JOB, "failed"))) as bus,
        pytest.raises(StepError) as caught,
    ):
        start(bus)
    expected = "start unit a.scope: systemd says: the job ended with the result failed"
    assert caught.value.message == expected
    assert caught.value.hint == "`journalctl -u a.scope` may tell more"


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    def script(call: Any) -> list[Any]:  # noqa: ANN401
        if member(call) == "StartTransientUnit":
            words = "Unit a.scope was already loaded or has a fragment file."
            return [error(call, "org.freedesktop.systemd1.UnitExists", words)]
        return [reply(call)]

    with serving(tmp_path, script) as bus, pytest.raises(StepError) as caught:
        start(bus)
    assert caught.value.message == (
        "start unit a.scope: systemd says: Unit a.scope was already loaded or has a fragment file"
    )
    # It may be one that has failed, which systemd forgets if told so: once more, and no more.
    names = [name for name, _ in bus.calls][3:]
    assert names == ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]


def test_a_unit_of_somebody_else_is_not_stopped(tmp_path: Path) -> None:
    script = manager(GetUnit=("o", "/u"), Get=("v", ("s", "theirs")))
    with serving(tmp_path, script) as bus, Systemd(bus.address) as systemd:
        systemd.stop_unit("a.scope", "ours")
    assert [name for name, _ in bus.calls] == ["Hello", "GetUnit", "Get"]


def test_a_unit_of_ours_is_stopped_and_forgotten(tmp_path: Path) -> None:
    done = job_removed(OWNER, JOB, "done")
    script = manager(done, GetUnit=("o", "/u"), Get=("v", ("s", "ours")))
    with serving(tmp_path, script) as bus, Systemd(bus.address) as systemd:
        systemd.stop_unit("a.scope", "ours")
    assert [name for name, _ in bus.calls][-2:] == ["StopUnit", "ResetFailedUnit"]


@pytest.mark.parametrize(
    ("text", "version"),
    [("252 (252.39-1~deb12u2)", 252), ("v257.2", 257), ("258~rc1", 258), ("", 0)],
)
def test_version(tmp_path: Path, text: str, version: int) -> None:
    with (
        serving(tmp_path, manager(Get=("v", ("s", text)))) as bus,
        Systemd(bus.address) as systemd,
    ):
        assert systemd.read_manager()[0] == version
