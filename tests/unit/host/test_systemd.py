"""Which manager of units is asked, and by which bus."""

from __future__ import annotations

import os
import posix

import pytest

from pyoci.errors import UnsupportedError
from pyoci.host.systemd import find_bus, find_owner, uses_user_manager

VARIABLES = ("DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bytes]:
    """What is set; nothing that matters at first."""
    variables: dict[bytes, bytes] = {}
    monkeypatch.setattr(posix, "environ", variables)
    return variables


def test_the_systems_bus(environment: dict[bytes, bytes]) -> None:
    assert find_bus(is_users=False) == "unix:path=/run/dbus/system_bus_socket"
    environment[b"DBUS_SYSTEM_BUS_ADDRESS"] = b"unix:path=/s"
    environment[b"DBUS_SESSION_BUS_ADDRESS"] = b"unix:path=/u"
    assert find_bus(is_users=False) == "unix:path=/s"


def test_the_users_bus(environment: dict[bytes, bytes]) -> None:
    environment[b"XDG_RUNTIME_DIR"] = b"/run/user/1000,5%"
    assert find_bus(is_users=True) == "unix:path=/run/user/1000%2c5%25/bus"
    environment[b"DBUS_SESSION_BUS_ADDRESS"] = b"unix:path=/u"
    assert find_bus(is_users=True) == "unix:path=/u"


def test_a_user_without_a_bus_is_told_what_to_do() -> None:
    with pytest.raises(UnsupportedError) as caught:
        find_bus(is_users=True)
    assert caught.value.message.startswith("no session bus: DBUS_SESSION_BUS_ADDRESS and XDG")
    assert "loginctl enable-linger USER" in caught.value.hint


@pytest.mark.parametrize(
    ("cgroup", "uid"),
    [
        ("/user.slice/user-1000.slice/session-1.scope", "1000"),
        ("/user.slice/user-0.slice", "0"),
        ("/system.slice/a.service", ""),
        ("/", ""),
    ],
)
def test_owner(cgroup: str, uid: str) -> None:
    assert find_owner(cgroup) == uid


def test_whose_manager() -> None:
    cgroup = "/user.slice/user-1000.slice/x"
    assert uses_user_manager("true", "/")
    assert not uses_user_manager("false", cgroup)
    # The tests run as root or as a user, and never as root of a namespace.
    assert uses_user_manager("auto", cgroup) == (os.geteuid() != 0)
