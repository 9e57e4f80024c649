"""The device filter of a config without rules of its own, compiled beforehand.

Nearly every container has just this one: compiling it again each time, and
importing the compiler, would cost more than all its mounts. A test compiles
DEFAULT_DEVICE_RULES of ``devices.py`` and compares.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import DeviceRule

# struct bpf_insn on a little-endian machine.
DEFAULT_PROGRAM = bytes.fromhex(
    "6112000000000000bf2300000000000054020000ffff000074030000100000006114040000000000"
    "61150800000000001502020002000000550215000100000005001000000000001504040001000000"
    "150409000500000015040b000a00000015040e008800000005000b000000000015050c0003000000"
    "15050b000500000015050a0007000000150509000800000015050800090000000500050000000000"
    "15050600000000001505050002000000050002000000000015050300c80000000500000000000000"
    "45030300060000000500000000000000b7000000010000009500000000000000b700000000000000"
    "9500000000000000"
)


def plan_device_filter(rules: tuple[DeviceRule, ...]) -> bytes:
    """The program for the config's rules and the default ones after them; ConfigError."""
    if sys.byteorder == "little" and _denies_all(rules):
        return DEFAULT_PROGRAM
    from pyoci.plan.cgroup.devices import DEFAULT_DEVICE_RULES, compile_device_filter

    return compile_device_filter((*rules, *DEFAULT_DEVICE_RULES))


def _denies_all(rules: tuple[DeviceRule, ...]) -> bool:
    """Whether the rules only say what holds without any: nothing is allowed."""
    return all(not rule.allow and rule.type == "a" and rule.access == "rwm" for rule in rules)
