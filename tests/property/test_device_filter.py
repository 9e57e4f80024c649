"""The compiled device filter decides every request as the rule list does."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.plan.cgroup.devices import DEFAULT_DEVICE_RULES, compile_device_filter
from pyoci.plan.systemd.devices import plan_allowed
from pyoci.spec.model import DeviceRule
from tests.support.ebpf_simulator import Request, decode, run, verify

BITS = {"m": 1, "r": 2, "w": 4}
TYPES = {1: "b", 2: "c"}

# Few numbers, so that rules meet; the largest ones, and neighbours that no rule mentions.
MAJORS, MINORS = (0, 1, 5, 4095), (0, 3, 1048575)
ALL_MAJORS, ALL_MINORS = (*MAJORS, 2), (*MINORS, 7)

rules = st.lists(
    st.builds(
        DeviceRule,
        allow=st.booleans(),
        type=st.sampled_from("abc"),
        major=st.sampled_from((None, -1, *MAJORS)),
        minor=st.sampled_from((None, -1, *MINORS)),
        access=st.sampled_from(("r", "w", "m", "rw", "wr", "rm", "wm", "rwm", "mwr", "rr")),
    ),
    max_size=12,
).map(tuple)


def matches(rule: DeviceRule, request: Request) -> bool:
    return (
        rule.type in ("a", TYPES.get(request.type))
        and rule.major in (None, -1, request.major)
        and rule.minor in (None, -1, request.minor)
    )


def decide_one(rule_list: tuple[DeviceRule, ...], request: Request, letter: str) -> bool:
    """The last rule that matches the device and names the access."""
    for rule in reversed(rule_list):
        if matches(rule, request) and letter in rule.access:
            return rule.allow
    return False


def decide(rule_list: tuple[DeviceRule, ...], request: Request) -> bool:
    asked = [letter for letter, bit in BITS.items() if request.access & bit]
    return all(decide_one(rule_list, request, letter) for letter in asked)


def all_requests() -> list[Request]:
    return [Request(*one) for one in product((1, 2), ALL_MAJORS, ALL_MINORS, range(8))]


@pytest.mark.parametrize("byteorder", ["little", "big"])
@given(rules)
def test_decides_as_the_list_does(byteorder: str, rule_list: tuple[DeviceRule, ...]) -> None:
    program = decode(compile_device_filter(rule_list, byteorder), byteorder)  # type: ignore[arg-type]
    verify(program)
    for request in all_requests():
        assert run(program, request) == decide(rule_list, request), request


@given(rules)
def test_config_cannot_take_the_defaults_away(rule_list: tuple[DeviceRule, ...]) -> None:
    program = decode(compile_device_filter(rule_list + DEFAULT_DEVICE_RULES, "little"), "little")
    verify(program)
    for rule in DEFAULT_DEVICE_RULES:
        access = sum(BITS[letter] for letter in rule.access)
        type_ = 2 if rule.type == "c" else 1
        assert run(program, Request(type_, rule.major or 0, rule.minor or 0, access)) == 1


def decide_as_systemd(entries: list[tuple[str, str]], request: Request) -> bool:
    """Whether one entry covers the request (systemd.resource-control(5), DeviceAllow=)."""
    word = {1: "block", 2: "char"}[request.type]
    names = (f"{word}-*", f"{word}-{request.major}", f"/dev/{word}/{request.major}:{request.minor}")
    asked = {letter for letter, bit in BITS.items() if request.access & bit}
    return any(name in names and asked <= set(access) for name, access in entries)


@given(rules)
def test_systemd_is_told_what_decides_the_same_or_nothing(
    rule_list: tuple[DeviceRule, ...],
) -> None:
    entries = plan_allowed(rule_list)
    if entries is None:
        assert any(rule.allow for rule in rule_list)
        return
    for request in all_requests():
        if request.access:
            assert decide_as_systemd(entries, request) == decide(rule_list, request), request


@given(rules, st.integers(3, 0xFFFF), st.integers(0, 7))
def test_an_unknown_type_is_denied(
    rule_list: tuple[DeviceRule, ...], type_: int, access: int
) -> None:
    program = decode(compile_device_filter(rule_list, "little"), "little")
    assert run(program, Request(type_, 1, 3, access)) == 0


@given(rules, rules)
def test_a_rule_for_everything_forgets_what_was_before(
    before: tuple[DeviceRule, ...], after: tuple[DeviceRule, ...]
) -> None:
    deny_all = (DeviceRule(allow=False),)
    assert compile_device_filter(before + deny_all + after) == compile_device_filter(after)
