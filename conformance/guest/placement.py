"""What User Mode Linux lacks: the tests that run in the other guest instead.

A pytest plugin: it gives the tests the marker `qemu`, which tests below tests/vm carry themselves.
An entry that matches no test any more fails the run of the file that it names.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

NO_NUMA = "no NUMA policies"
NO_TIME = "no time namespaces"
REALTIME = "real-time group scheduling: a new cgroup has no real-time budget"
NO_MM_MAP = "no PR_SET_MM_MAP (CONFIG_CHECKPOINT_RESTORE), by which the interpreter is hidden"
LINUX32 = "uname(2) knows no other machine"
NO_BOOT_TIME = "ps -ef finds no boot time"

# Patterns of test ids: only * is special.
TESTS = {
    "tests/root/test_acceptance.py::test_a_life_step_by_step": NO_BOOT_TIME,
    "tests/root/test_callers.py::test_state_list_and_ps_as_go_runc_reads_them": NO_BOOT_TIME,
    "tests/root/test_exec.py::test_nobody_inside_can_look_into_the_runtime*": NO_MM_MAP,
    "tests/root/test_fs_hidden.py::test_the_default_ones": "no /proc/irq/default_smp_affinity",
    "tests/root/test_fs_refused.py::*[[]sys/kernel/ns_last_pid]": "no CONFIG_CHECKPOINT_RESTORE",
    "tests/root/test_interpreter.py::*": NO_MM_MAP,
    "tests/root/test_lifecycle.py::test_ps_prints_the_rows_of_a_table": NO_BOOT_TIME,
    "tests/root/test_process_attributes.py::test_memory_policy*": NO_NUMA,
    "tests/root/test_process_attributes.py::test_a_memory_node_that_is_not_there": NO_NUMA,
    "tests/root/test_process_attributes.py::test_clocks_are_set*": NO_TIME,
    "tests/root/test_process_attributes.py::test_a_new_time_namespace_without_offsets": NO_TIME,
    "tests/root/test_process_attributes.py::test_a_clock_that_would_be_negative": NO_TIME,
    "tests/root/test_process_attributes.py::test_a_time_namespace_can_be_joined": NO_TIME,
    "tests/root/test_process_attributes.py::test_realtime*": REALTIME,
    "tests/root/test_process_attributes.py::test_an_unprivileged_user_still_gets_them": REALTIME,
    "tests/root/test_process_attributes.py::test_linux32_is_another_machine": LINUX32,
    "tests/root/test_user_namespace.py::test_in_a_user_namespace_paths_are_masked": "no /proc/acpi",
}


def find_pattern(test: str) -> str | None:
    """The entry that a test id matches, if any."""
    return next((pattern for pattern in TESTS if fnmatchcase(test, pattern)), None)


def find_unused(tests: list[str]) -> list[str]:
    """The entries whose file is among these tests, but not their test."""
    files = {test.partition("::")[0] for test in tests}
    used = {find_pattern(test) for test in tests}
    return [
        pattern for pattern in TESTS if pattern not in used and pattern.partition("::")[0] in files
    ]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "qemu: needs what only the QEMU guest has")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, before pytest's -m looks at them."""
    unused = find_unused([item.nodeid for item in items])
    if unused:
        raise pytest.UsageError(f"{__name__}: matches no test: {', '.join(unused)}")
    for item in items:
        if find_pattern(item.nodeid):
            item.add_marker("qemu")
