"""process.capabilities -> masks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.plan.caps import CAP_SYS_ADMIN, NAMES, names_of, plan_capabilities
from pyoci.spec.model import Capabilities

HEADER = Path("/usr/include/linux/capability.h")
sets = st.lists(st.sampled_from(NAMES), max_size=5).map(tuple)


def mask(*names: str) -> int:
    return sum(1 << NAMES.index(f"CAP_{name}") for name in set(names))


def test_known_numbers() -> None:
    # capabilities(7) gives no numbers; these are of linux/capability.h.
    numbers = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SYS_ADMIN": 21, "CAP_AUDIT_READ": 37}
    assert {name: NAMES.index(name) for name in numbers} == numbers
    assert NAMES.index("CAP_CHECKPOINT_RESTORE") == len(NAMES) - 1 == 40
    assert CAP_SYS_ADMIN == 1 << 21


@pytest.mark.skipif(not HEADER.exists(), reason="the kernel's headers are not installed")
def test_numbers_are_the_headers() -> None:
    found = re.findall(r"^#define (CAP_\w+)\s+(\d+)$", HEADER.read_text(), re.MULTILINE)
    assert {name: int(number) for name, number in found} == {n: i for i, n in enumerate(NAMES)}


def test_the_table_is_not_older_than_this_kernel() -> None:
    assert int(Path("/proc/sys/kernel/cap_last_cap").read_text()) < len(NAMES)


@given(sets, sets, sets, sets, sets)
def test_masks(
    bounding: tuple[str, ...],
    effective: tuple[str, ...],
    inheritable: tuple[str, ...],
    permitted: tuple[str, ...],
    ambient: tuple[str, ...],
) -> None:
    drop, step, warnings = plan_capabilities(
        Capabilities(
            bounding=bounding,
            effective=effective,
            inheritable=inheritable,
            permitted=permitted,
            ambient=ambient,
        ),
        filter_needs_admin=False,
    )
    assert set(names_of(drop.keep)) == set(bounding)
    assert set(names_of(step.effective)) == set(effective)
    assert set(names_of(step.inheritable)) == set(inheritable)
    assert set(names_of(step.permitted)) == set(permitted)
    # The kernel raises no ambient capability that is not in both of the others.
    assert set(names_of(step.ambient)) == set(ambient) & set(permitted) & set(inheritable)
    assert bool(warnings) is (set(names_of(step.ambient)) != set(ambient))


@pytest.mark.parametrize("capabilities", [None, Capabilities()])
def test_no_sets_are_empty_sets(capabilities: Capabilities | None) -> None:
    drop, step, warnings = plan_capabilities(capabilities, filter_needs_admin=False)
    assert drop.keep == 0
    assert (step.effective, step.permitted, step.inheritable, step.ambient) == (0, 0, 0, 0)
    assert warnings == []


def test_inheritable_is_only_what_the_config_says() -> None:
    # A set that was not asked for was a hole in several engines (CVE-2022-29162).
    names = ("CAP_KILL",)
    _, step, _ = plan_capabilities(
        Capabilities(bounding=names, effective=names, permitted=names), filter_needs_admin=False
    )
    assert step.inheritable == 0


def test_a_filter_without_no_new_privileges_is_loaded_with_admin() -> None:
    names = ("CAP_KILL",)
    wanted = Capabilities(bounding=names, effective=names, permitted=names, inheritable=names)
    drop, step, _ = plan_capabilities(wanted, filter_needs_admin=True)
    assert step.effective == step.permitted == mask("KILL", "SYS_ADMIN")
    # Neither of these, or the program would have it after execve.
    assert drop.keep == step.inheritable == mask("KILL")
    assert step.ambient == 0


def test_unknown_names_warn_and_nothing_else() -> None:
    wanted = Capabilities(bounding=("CAP_NEW", "CAP_KILL", ""), ambient=("KILL",))
    drop, step, warnings = plan_capabilities(wanted, filter_needs_admin=False)
    assert drop.keep == mask("KILL")
    assert step.ambient == 0
    assert warnings == [
        "process.capabilities.bounding: unknown capability 'CAP_NEW' is ignored",
        "process.capabilities.bounding: unknown capability '' is ignored",
        "process.capabilities.ambient: unknown capability 'KILL' is ignored",
    ]


def test_ambient_that_cannot_be_warns() -> None:
    both = ("CAP_KILL", "CAP_CHOWN")
    wanted = Capabilities(permitted=both, inheritable=("CAP_CHOWN",), ambient=both)
    _, step, warnings = plan_capabilities(wanted, filter_needs_admin=False)
    assert step.ambient == mask("CHOWN")
    (warning,) = warnings
    assert warning.startswith("process.capabilities.ambient: ignored")
    assert warning.endswith(": CAP_KILL")


def test_case_does_not_matter() -> None:
    wanted = Capabilities(bounding=("cap_kill",))
    drop, _, warnings = plan_capabilities(wanted, filter_needs_admin=False)
    assert (drop.keep, warnings) == (mask("KILL"), [])
