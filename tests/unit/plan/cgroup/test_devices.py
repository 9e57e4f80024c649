"""Device rules: what each kind of list decides, what is refused, how large the program gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.devices import (
    DEFAULT_DEVICE_RULES,
    compile_device_filter,
    plan_accesses,
)
from pyoci.plan.cgroup.ebpf import assemble, jump, leave, load_word, set_to
from pyoci.spec.model import DeviceRule
from tests.support.ebpf_simulator import Request, decode, run, verify

if TYPE_CHECKING:
    from pyoci.plan.cgroup.ebpf import Line

MKNOD, READ, WRITE = 1, 2, 4
BLOCK, CHAR = 1, 2


def granted(rules: tuple[DeviceRule, ...], type_: int, major: int, minor: int, access: int) -> bool:
    program = decode(compile_device_filter(rules, "little"), "little")
    verify(program)
    return run(program, Request(type_, major, minor, access)) == 1


def allow(access: str = "rwm", **numbers: int) -> DeviceRule:
    return DeviceRule(allow=True, type="c", access=access, **numbers)


def deny(access: str = "rwm", **numbers: int) -> DeviceRule:
    return DeviceRule(allow=False, type="c", access=access, **numbers)


def test_no_rules_deny() -> None:
    assert not granted((), CHAR, 1, 3, READ)


def test_rule_for_reading_does_not_answer_for_both() -> None:
    rules = (allow("r", major=1, minor=3),)
    assert granted(rules, CHAR, 1, 3, READ)
    assert not granted(rules, CHAR, 1, 3, READ | WRITE)


def test_two_rules_add_up() -> None:
    rules = (allow("r", major=1), allow("w", major=1, minor=3))
    assert granted(rules, CHAR, 1, 3, READ | WRITE)
    assert not granted(rules, CHAR, 1, 5, READ | WRITE)


def test_denied_part_denies_the_whole() -> None:
    rules = (DeviceRule(allow=True), deny("w", major=1, minor=3))
    assert granted(rules, CHAR, 1, 3, READ)
    assert not granted(rules, CHAR, 1, 3, READ | WRITE)
    assert granted(rules, CHAR, 1, 5, READ | WRITE)


def test_denial_inside_a_wildcard() -> None:
    rules = (allow(major=1), deny(minor=3))
    assert not granted(rules, CHAR, 1, 3, READ)
    assert granted(rules, CHAR, 1, 5, READ)


def test_later_rule_wins() -> None:
    assert granted((deny(major=1), allow(major=1)), CHAR, 1, 3, READ)
    assert not granted((allow(major=1), deny(major=1)), CHAR, 1, 3, READ)


def test_existence_may_be_asked_for() -> None:
    assert granted((DeviceRule(allow=False),), BLOCK, 8, 0, 0)


def test_minus_one_is_every_number() -> None:
    assert granted((allow(major=-1, minor=3),), CHAR, 77, 3, READ)


@pytest.mark.parametrize(
    ("type_", "major", "minor", "access", "expected"),
    [
        (CHAR, 1, 3, READ | WRITE | MKNOD, True),  # null
        (CHAR, 1, 5, READ, True),  # zero
        (CHAR, 1, 11, READ, False),  # kmsg
        (CHAR, 1, 1, READ, False),  # mem
        (CHAR, 5, 0, READ | WRITE, True),  # tty
        (CHAR, 5, 1, READ, False),  # console
        (CHAR, 136, 12, READ | WRITE, True),  # pts/12
        (CHAR, 10, 200, READ | WRITE, True),  # net/tun
        (BLOCK, 8, 0, READ, False),  # sda
        (BLOCK, 8, 0, MKNOD, True),
        (BLOCK, 1, 3, READ, False),  # ram3: a number of the other type
    ],
)
def test_default_rules(type_: int, major: int, minor: int, access: int, expected: bool) -> None:
    rules = (DeviceRule(allow=False), *DEFAULT_DEVICE_RULES)
    assert granted(rules, type_, major, minor, access) is expected


def test_table_leaves_out_what_says_nothing_new() -> None:
    rules = (allow("r"), allow("r", major=1, minor=3), allow("r", major=5))
    assert plan_accesses(rules, "c") == {-1: {-1: READ}}


def test_default_program_stays_small() -> None:
    # Loading costs about 3 microseconds an instruction, in every start.
    program = compile_device_filter((DeviceRule(allow=False), *DEFAULT_DEVICE_RULES))
    assert len(program) <= 32 * 8


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        (DeviceRule(allow=True, type="p"), "type"),
        (DeviceRule(allow=True, type=""), "type"),
        (DeviceRule(allow=True, access=""), "access"),
        (DeviceRule(allow=True, access="rx"), "access"),
        (DeviceRule(allow=True, major=4096), "major"),
        (DeviceRule(allow=True, major=-2), "major"),
        (DeviceRule(allow=True, minor=1048576), "minor"),
        (DeviceRule(allow=True, minor=-2), "minor"),
    ],
)
def test_bad_rule_is_named(rule: DeviceRule, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_device_filter((DeviceRule(allow=False), rule))
    assert caught.value.path == f"linux.resources.devices[1].{path}"


def test_largest_list_compiles_and_one_more_is_refused() -> None:
    many = tuple(allow("r", major=1, minor=minor) for minor in range(4096))
    verify(decode(compile_device_filter(many, "little"), "little"))
    with pytest.raises(ConfigError, match=r"linux\.resources\.devices: too many rules"):
        compile_device_filter((*many, allow()))


def test_crossed_wildcards_count_too() -> None:
    majors = tuple(allow("r", major=number) for number in range(100))
    minors = tuple(allow("w", minor=number) for number in range(100))
    with pytest.raises(ConfigError, match="too many rules: 10200 entries"):
        compile_device_filter(majors + minors)


def test_encoding_is_the_kernels() -> None:
    lines = [load_word(3, 1, 8), set_to(0, 1), leave()]
    little = "6113080000000000 b700000001000000 9500000000000000"
    big = "6131000800000000 b700000000000001 9500000000000000"
    assert assemble(lines, "little") == bytes.fromhex(little)
    assert assemble(lines, "big") == bytes.fromhex(big)


def test_jump_that_is_too_far_is_an_error() -> None:
    lines: list[Line] = [jump("end"), *[set_to(0, 0)] * 32768, "end", leave()]
    with pytest.raises(OverflowError):
        assemble(lines, "little")
