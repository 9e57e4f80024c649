"""The device filter: a list of rules to a program that answers for every request.

The kernel runs a BPF_PROG_TYPE_CGROUP_DEVICE program at each open and mknod of
a device in the cgroup; it asks with a type, a major and a minor number, and a
set of accesses (an open for reading and writing asks for both at once).

**What a rule list decides.** Each access is decided by itself, by the last rule
that matches the device and names the access; without such a rule it is denied.
A request is granted if each of its accesses is. So ``allow c 1:3 r`` followed by
``allow c 1:3 w`` grants an open for both; ``allow c 1:3 rwm`` followed by ``deny
c 1:3 w`` grants reading, and denies an open for both; and a request for no access
at all, which access(path, F_OK) makes, is granted. The runtime specification
only says "apply entries in the listed order"; this is how cgroup v1 reads for
whole rules, without its traps.

**What the others do.** runc folds the list into exceptions from "deny all", or,
after a wildcard that allows, from "allow all", and then wants one exception to
cover a request: with "allow all" a denied ``r`` does not stop an open for ``rw``,
``c *:* r`` and ``c 1:3 w`` do not add up, a denial inside a wildcard (``c 1:*``) is
an error, and type ``a`` means every device and access whatever else the rule says.
crun asks rule by rule, last first, for one that covers the whole request: ``r``
and ``w`` in two rules do not add up, and a denied ``r`` does not stop ``rw``.
Where either of them denies and we grant, the list itself grants each part.

**The program.** Not the list but its result is compiled: for each type a table
of the numbers that rules mention, each with the accesses it is left with, and
one entry for all others. That is small, quick, and linear work for the verifier.
"""

from __future__ import annotations

import sys

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.ebpf import (
    assemble,
    jump,
    jump_if_any,
    jump_if_equal,
    jump_if_not_equal,
    leave,
    load_word,
    mask,
    move,
    set_to,
    shift_right,
)
from pyoci.plan.cgroup.model import RESOURCES
from pyoci.spec.model import DeviceRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from pyoci.plan.cgroup.ebpf import ByteOrder, Line

    # Allow?, access bits, major, minor; None is every number.
    Match: TypeAlias = tuple[bool, int, int | None, int | None]
    # The accesses left to a minor number of one major, or to a major number of one type.
    Minors: TypeAlias = dict[int, int]
    Majors: TypeAlias = dict[int, Minors]

_PATH = f"{RESOURCES}.devices"

# linux/bpf.h: BPF_DEVCG_ACC_*, BPF_DEVCG_DEV_*, struct bpf_cgroup_dev_ctx
_ACCESS = {"m": 1, "r": 2, "w": 4}
_ALL_ACCESS = 7
_TYPES = {"b": 1, "c": 2}
_CTX_ACCESS_TYPE, _CTX_MAJOR, _CTX_MINOR = 0, 4, 8

# linux/kdev_t.h: a dev_t has 12 bits for the major number and 20 for the minor.
_MAJOR_MAX, _MINOR_MAX = 2**12 - 1, 2**20 - 1
OTHER = -1  # in a table: every number that is not in it

# Nobody has that many; the work grows with the square, and jumps end at 32767 instructions.
_ENTRIES_MAX = 4096

# The program's registers and labels; the kernel passes the context in register 1.
_RESULT, _CONTEXT, _REQUEST_TYPE, _REQUEST_ACCESS, _REQUEST_MAJOR, _REQUEST_MINOR = range(6)
_ALLOW, _DENY = "allow", "deny"

# What every container may do, as in runc: make any node, and use those without a risk.
# They come after the config's rules, so those cannot take them away.
DEFAULT_DEVICE_RULES = (
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    DeviceRule(allow=True, type="c", major=1, minor=3),  # null
    DeviceRule(allow=True, type="c", major=1, minor=5),  # zero
    DeviceRule(allow=True, type="c", major=1, minor=7),  # full
    DeviceRule(allow=True, type="c", major=1, minor=8),  # random
    DeviceRule(allow=True, type="c", major=1, minor=9),  # urandom
    DeviceRule(allow=True, type="c", major=5, minor=0),  # tty
    DeviceRule(allow=True, type="c", major=5, minor=2),  # ptmx
    DeviceRule(allow=True, type="c", major=136),  # pts/*
    DeviceRule(allow=True, type="c", major=10, minor=200),  # net/tun: engines came to rely on it
)


def compile_device_filter(
    rules: Sequence[DeviceRule], byteorder: ByteOrder = sys.byteorder
) -> bytes:
    """The program (struct bpf_insn) that decides as the rules do; see the module's docstring.

    The config's rules come first and in their order, so that an error
    (ConfigError) can name the one at fault.
    """
    check_device_rules(rules)
    leaves: set[int] = set()
    lines: list[Line] = [
        load_word(_REQUEST_TYPE, _CONTEXT, _CTX_ACCESS_TYPE),
        move(_REQUEST_ACCESS, _REQUEST_TYPE),
        mask(_REQUEST_TYPE, 0xFFFF),
        shift_right(_REQUEST_ACCESS, 16),
        load_word(_REQUEST_MAJOR, _CONTEXT, _CTX_MAJOR),
        load_word(_REQUEST_MINOR, _CONTEXT, _CTX_MINOR),
        jump_if_equal(_REQUEST_TYPE, _TYPES["c"], "c"),
        jump_if_not_equal(_REQUEST_TYPE, _TYPES["b"], _DENY),
        *_compile_type("b", plan_accesses(rules, "b"), leaves),
        "c",
        *_compile_type("c", plan_accesses(rules, "c"), leaves),
        *_compile_leaves(leaves),
        _ALLOW,
        set_to(_RESULT, 1),
        leave(),
        _DENY,
        set_to(_RESULT, 0),
        leave(),
    ]
    return assemble(lines, byteorder)


def check_device_rules(rules: Iterable[DeviceRule]) -> None:
    """Raise ConfigError for a rule that no device or access can match."""
    for index, rule in enumerate(rules):
        path = f"{_PATH}[{index}]"
        if rule.type not in ("a", "b", "c"):
            raise ConfigError(f"{path}.type", f"{rule.type!r} is not one of a, b and c")
        if not rule.access or not set(rule.access) <= set(_ACCESS):
            reason = f"{rule.access!r} is not made of r, w and m"
            raise ConfigError(f"{path}.access", reason)
        _check_number(rule.major, _MAJOR_MAX, f"{path}.major")
        _check_number(rule.minor, _MINOR_MAX, f"{path}.minor")


def _check_number(number: int | None, high: int, path: str) -> None:
    # Docker writes -1 where the specification leaves the number out.
    if number is not None and not -1 <= number <= high:
        raise ConfigError(path, f"{number} is not between 0 and {high}")


def plan_accesses(rules: Iterable[DeviceRule], kind: str) -> Majors:
    """The accesses left to each number that the rules of a type mention, and to all others.

    Entries that say the same as the one for all others are left out.
    """
    matches = [_match(rule) for rule in rules if rule.type in ("a", kind)]
    majors = {match[2] for match in matches if match[2] is not None}
    of_any = {match[3] for match in matches if match[2] is None and match[3] is not None}
    _check_size(len(matches) + len(majors) * len(of_any))
    others = _plan_minors(matches, OTHER, of_any)
    table = {OTHER: others}
    for major in sorted(majors):
        own = {match[3] for match in matches if match[2] == major and match[3] is not None}
        minors = _plan_minors(matches, major, own | of_any)
        if minors != others:
            table[major] = minors
    return table


def _plan_minors(matches: Iterable[Match], major: int, mentioned: set[int]) -> Minors:
    of_major = [match for match in matches if match[2] in (None, major)]
    rest = _decide(of_major, OTHER)
    table = {OTHER: rest}
    for minor in sorted(mentioned):
        bits = _decide(of_major, minor)
        if bits != rest:
            table[minor] = bits
    return table


def _decide(matches: Iterable[Match], minor: int) -> int:
    """The accesses that the rules, in their order, leave to this minor number."""
    bits = 0
    for allow, access, _, of_minor in matches:
        if of_minor is None or of_minor == minor:
            bits = bits | access if allow else bits & ~access
    return bits


def _match(rule: DeviceRule) -> Match:
    access = 0
    for letter in rule.access:
        access |= _ACCESS[letter]
    major = None if rule.major == -1 else rule.major
    minor = None if rule.minor == -1 else rule.minor
    return (rule.allow, access, major, minor)


def accesses_in_words(bits: int) -> str:
    """A set of accesses as a rule of the config has it."""
    return "".join([letter for letter in "rwm" if _ACCESS[letter] & bits])


def _check_size(entries: int) -> None:
    if entries > _ENTRIES_MAX:
        raise ConfigError(_PATH, f"too many rules: {entries} entries, of {_ENTRIES_MAX} possible")


def _compile_type(kind: str, table: Majors, leaves: set[int]) -> list[Line]:
    """The part for one type; `kind` makes its labels its own."""
    lines: list[Line] = []
    parts: list[Line] = []
    for major, minors in table.items():
        if major == OTHER:
            continue
        if len(minors) == 1:
            lines.append(jump_if_equal(_REQUEST_MAJOR, major, _leaf(minors[OTHER], leaves)))
            continue
        label = f"{kind} {major}"
        lines.append(jump_if_equal(_REQUEST_MAJOR, major, label))
        parts += (label, *_compile_minors(minors, leaves))
    return [*lines, *_compile_minors(table[OTHER], leaves), *parts]


def _compile_minors(minors: Minors, leaves: set[int]) -> list[Line]:
    lines: list[Line] = [
        jump_if_equal(_REQUEST_MINOR, minor, _leaf(bits, leaves))
        for minor, bits in minors.items()
        if minor != OTHER
    ]
    lines.append(jump(_leaf(minors[OTHER], leaves)))
    return lines


def _leaf(bits: int, leaves: set[int]) -> str:
    """The label that answers where these accesses are left; remembers that it is needed."""
    if bits == _ALL_ACCESS:
        return _ALLOW
    leaves.add(bits)
    return f"leaves {bits}"


def _compile_leaves(leaves: set[int]) -> list[Line]:
    """For each set of accesses left: deny a request that asks for one that is not in it.

    Only those that are jumped to: old verifiers refuse unreachable code.
    """
    lines: list[Line] = []
    for bits in sorted(leaves):
        lines.append(f"leaves {bits}")
        lines.append(jump_if_any(_REQUEST_ACCESS, _ALL_ACCESS & ~bits, _DENY))
        lines.append(jump(_ALLOW))
    return lines
