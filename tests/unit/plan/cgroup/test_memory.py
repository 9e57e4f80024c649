"""linux.resources.memory to memory.max, memory.low and memory.swap.max."""

from __future__ import annotations

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.memory import plan_memory, plan_memory_checks
from pyoci.plan.cgroup.model import UsageCheck

PATH = "linux.resources.memory"
MIB = 1 << 20


def written(memory: dict[str, object]) -> list[tuple[str, str]]:
    return [(write.file, write.value) for write in plan_memory(memory, 4096)]


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ({"limit": 64 * MIB}, [("memory.max", "67108864")]),
        ({"limit": 0}, []),
        ({"reservation": MIB}, [("memory.low", "1048576")]),
        ({"reservation": -1}, [("memory.low", "max")]),
        ({"reservation": 0}, []),
        # The sum of v1 becomes swap alone.
        (
            {"limit": MIB, "swap": 3 * MIB},
            [("memory.swap.max", "2097152"), ("memory.max", "1048576")],
        ),
        ({"limit": MIB, "swap": MIB}, [("memory.swap.max", "0"), ("memory.max", "1048576")]),
        ({"limit": MIB, "swap": -1}, [("memory.swap.max", "max"), ("memory.max", "1048576")]),
        ({"limit": MIB, "swap": 0}, [("memory.max", "1048576")]),
        ({"swap": -1}, [("memory.swap.max", "max")]),
        # Without a limit of memory there is nothing to subtract.
        ({"limit": -1, "swap": MIB}, [("memory.swap.max", "1048576"), ("memory.max", "max")]),
        ({"limit": -1}, [("memory.swap.max", "max"), ("memory.max", "max")]),
        ({"limit": -1, "swap": 0}, [("memory.swap.max", "max"), ("memory.max", "max")]),
        (
            {"limit": 2 * MIB, "swap": 3 * MIB, "reservation": MIB},
            [("memory.swap.max", "1048576"), ("memory.max", "2097152"), ("memory.low", "1048576")],
        ),
        ({"limit": 2**63 - 1}, [("memory.max", "9223372036854775807")]),
        ({"kernel": 5, "kernelTCP": 5, "swappiness": 5, "disableOOMKiller": True}, []),
    ],
)
def test_writes(memory: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert written(memory) == expected


def test_write_says_why() -> None:
    swap, limit = plan_memory({"limit": MIB, "swap": MIB}, 4096)
    assert (swap.controller, swap.config_path) == ("memory", f"{PATH}.swap")
    assert (limit.controller, limit.config_path) == ("memory", f"{PATH}.limit")


@pytest.mark.parametrize(
    ("memory", "optional"),
    [
        ({"limit": MIB, "swap": -1}, True),
        ({"limit": MIB, "swap": MIB}, True),
        ({"limit": -1}, True),
        ({"limit": MIB, "swap": 2 * MIB}, False),
    ],
)
def test_no_swap_accounting_matters_only_where_some_is_granted(
    memory: dict[str, object],
    optional: bool,
) -> None:
    swap, limit = plan_memory(memory, 4096)
    assert swap.optional is optional
    assert not limit.optional


@pytest.mark.parametrize(
    ("memory", "key", "reason"),
    [
        ({"limit": -2}, "limit", "-2 is not between"),
        ({"limit": 2**63}, "limit", "is not between"),
        ({"limit": 4095}, "limit", "less than one page"),
        ({"reservation": -2}, "reservation", "is not between"),
        ({"limit": MIB, "swap": -2}, "swap", "is not between"),
        ({"swap": MIB}, "swap", "unable to set swap limit without memory limit"),
        ({"limit": 2 * MIB, "swap": MIB}, "swap", "memory+swap limit should be >= memory limit"),
    ],
)
def test_refused(memory: dict[str, object], key: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_memory(memory, 4096)
    assert caught.value.path == f"{PATH}.{key}"
    assert reason in caught.value.reason


def test_page_is_the_machines() -> None:
    assert written({"limit": 4096}) == [("memory.max", "4096")]
    with pytest.raises(ConfigError, match="one page"):
        plan_memory({"limit": 4096}, 65536)


def test_check_before_update() -> None:
    memory = {"limit": MIB, "swap": 2 * MIB, "checkBeforeUpdate": True}
    both = ("memory.current", "memory.swap.current")
    assert plan_memory_checks(memory) == (
        UsageCheck(files=both, limit_bytes=2 * MIB, config_path=f"{PATH}.swap"),
        UsageCheck(files=("memory.current",), limit_bytes=MIB, config_path=f"{PATH}.limit"),
    )


@pytest.mark.parametrize(
    "memory",
    [
        {"limit": MIB},
        {"limit": MIB, "checkBeforeUpdate": False},
        {"limit": -1, "checkBeforeUpdate": True},
    ],
)
def test_nothing_to_check(memory: dict[str, object]) -> None:
    assert plan_memory_checks(memory) == ()
