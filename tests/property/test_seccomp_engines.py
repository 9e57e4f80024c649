"""The profiles that engines really send, against libseccomp: the same verdict on every call."""

from __future__ import annotations

import pytest

from tests.support.engine_profiles import (
    CAPABILITIES,
    FILES,
    make_systemd_profile,
    read_engine_profile,
    read_systemd_groups,
)
from tests.support.seccomp_comparison import LIBRARY, comparable, compare
from tests.support.seccomp_profiles import MACHINES

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libseccomp.so.2 is not installed")

GROUPS = sorted(read_systemd_groups())
# Some names of a profile are left out because libseccomp knows them otherwise: only so many.
LEAST = 0.9


@pytest.mark.parametrize("machine", [*MACHINES])
@pytest.mark.parametrize("capabilities", [*CAPABILITIES])
@pytest.mark.parametrize("engine", [*FILES])
def test_engines(engine: str, capabilities: str, machine: str) -> None:
    if not FILES[engine].exists():
        pytest.skip(f"the profile of {engine} is not there: sudo make deps")
    profile = read_engine_profile(engine, machine, capabilities)
    compared = comparable(profile)
    names = {name for rule in profile.syscalls for name in rule.names}
    assert len({n for rule in compared.syscalls for n in rule.names}) > LEAST * len(names)
    assert compare(compared, machine) > 300


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("allowed", [True, False])
def test_groups_of_systemd(group: str, allowed: bool) -> None:
    for machine in MACHINES:
        profile = comparable(make_systemd_profile(group, machine, allowed=allowed))
        assert compare(profile, machine) > 300


def test_systemd_has_groups() -> None:
    if not GROUPS:
        pytest.skip("systemd-analyze is not installed")
    groups = read_systemd_groups()
    assert {"mount", "umount2"} <= set(groups["@mount"])
    # A group may hold others.
    assert set(groups["@system-service"]) >= set(groups["@basic-io"])
