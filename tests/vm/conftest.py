"""The level that needs a guest's kernel: `make test-guest` runs it (conformance/guest).

Tests run in the User Mode Linux guest, which has the controllers cpu, io, memory and pids. One that
needs more (cpuset, hugetlb, PSI, two CPUs, time namespaces) has the marker `qemu` and runs in that
guest instead, under systemd; one that is about systemd has the marker `systemd`. The fixtures are
the root level's.
"""

from __future__ import annotations

import pytest

from tests.root.conftest import (
    applets,
    bundle,
    container,
    environment,
    no_leaks,
    pyoci,
    runtime,
    subreaper,
    test_name,
)
from tests.support.guest import is_guest
from tests.support.rootless import delegated, rootless  # noqa: F401  (fixtures)

__all__ = [
    "applets",
    "bundle",
    "container",
    "environment",
    "no_leaks",
    "pyoci",
    "runtime",
    "subreaper",
    "test_name",
]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this level."""
    config.addinivalue_line("markers", "qemu: needs what only the QEMU guest has")
    config.addinivalue_line("markers", "selinux: needs the QEMU guest with SELinux for AppArmor")
    config.addinivalue_line("markers", "systemd: needs systemd as process 1, in whichever guest")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside of a guest there is nothing to find out here."""
    if not is_guest():
        for item in items:
            if item.get_closest_marker("vm"):
                item.add_marker(pytest.mark.skip(reason="needs a guest: make test-guest"))
