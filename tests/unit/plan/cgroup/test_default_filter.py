"""The precompiled device filter is what the compiler makes of the default rules."""

from __future__ import annotations

import pytest

from pyoci.plan.cgroup.default_filter import DEFAULT_PROGRAM, plan_device_filter
from pyoci.plan.cgroup.devices import DEFAULT_DEVICE_RULES, compile_device_filter
from pyoci.spec.model import DeviceRule

DENY_ALL = DeviceRule(allow=False)


def test_the_constant_is_the_compiled_default() -> None:
    assert compile_device_filter(DEFAULT_DEVICE_RULES, "little") == DEFAULT_PROGRAM


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (DENY_ALL,),
        (DENY_ALL, DENY_ALL),
        (DENY_ALL, DeviceRule(allow=True, type="c", major=10, minor=229)),
        (DeviceRule(allow=True),),
        (DeviceRule(allow=False, type="b"),),
        (DeviceRule(allow=False, access="w"),),
    ],
)
def test_a_plan_is_what_the_compiler_makes(rules: tuple[DeviceRule, ...]) -> None:
    assert plan_device_filter(rules) == compile_device_filter((*rules, *DEFAULT_DEVICE_RULES))
