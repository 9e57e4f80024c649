"""org.systemd.property.NAME: which property of the unit it becomes, and what is refused."""

from __future__ import annotations

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.systemd.annotations import plan_annotations
from pyoci.plan.systemd.model import Property


def plan_one(name: str, text: str) -> Property:
    (made,) = plan_annotations(((f"org.systemd.property.{name}", text),))
    return made


@pytest.mark.parametrize(
    ("name", "text", "made"),
    [
        ("CollectMode", "'inactive-or-failed'", ("CollectMode", "s", "inactive-or-failed")),
        ("TimeoutStopUSec", "uint64 123456789", ("TimeoutStopUSec", "t", 123456789)),
        ("SendSIGHUP", "true", ("SendSIGHUP", "b", True)),
        ("After", "['a.service', 'b.service']", ("After", "as", ["a.service", "b.service"])),
        ("IOWeight", "uint64 300", ("IOWeight", "t", 300)),
        ("DeviceAllow", "[('/dev/null', 'rw')]", ("DeviceAllow", "a(ss)", [("/dev/null", "rw")])),
        # The manual's names of times are in seconds, those of D-Bus in microseconds.
        ("TimeoutStopSec", "30", ("TimeoutStopUSec", "t", 30_000_000)),
        ("TimeoutStopSec", "uint16 30", ("TimeoutStopUSec", "t", 30_000_000)),
        ("TimeoutStopSec", "0.5", ("TimeoutStopUSec", "t", 500_000)),
        ("RuntimeMaxSec", "byte 0", ("RuntimeMaxUSec", "t", 0)),
        ("TimeoutStopUSec", "'5s'", ("TimeoutStopUSec", "s", "5s")),
    ],
)
def test_property(name: str, text: str, made: tuple[str, str, object]) -> None:
    found = plan_one(name, text)
    assert (found.name, found.signature, found.value) == made


def test_others_are_left_alone() -> None:
    others = (("org.systemd.prop", "x"), ("io.x", "y"), ("xorg.systemd.property.A", "z"))
    assert plan_annotations(others) == ()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("", "1", "'' is not the name of a property of systemd"),
        ("Ab", "1", "'Ab' is not the name of a property of systemd"),
        ("A_b", "1", "'A_b' is not the name of a property of systemd"),
        ("Äbc", "1", "'Äbc' is not the name of a property of systemd"),
        ("Slice", "'a.slice'", "Slice is set by linux.cgroupsPath"),
        ("PIDs", "[uint32 1]", "PIDs is set by pyoci"),
        ("Delegate", "false", "Delegate is set by pyoci"),
        ("Description", "5", "it is a string"),
        ("CollectMode", "inactive", "'inactive': 'inactive' is no value"),
        ("CollectMode", "", "'': a value is missing"),
        ("TimeoutStopSec", "'30'", '"\'30\'": a time is a number of seconds'),
        ("TimeoutStopSec", "-1", "'-1': a time is a number from 0 on"),
        ("TimeoutStopSec", "nan", "'nan': a time is a number from 0 on"),
        ("TimeoutStopSec", "inf", "'inf': no time is so long"),
        ("TimeoutStopSec", "uint64 18446744073709551615",
         "'uint64 18446744073709551615': no time is so long"),
    ],
)  # fmt: skip
def test_refused(name: str, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_one(name, text)
    expected = f"annotations['org.systemd.property.{name}']"
    assert (caught.value.path, caught.value.reason) == (expected, reason)
