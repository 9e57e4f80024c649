"""linux.resources.cpu to the cpu.* and cpuset.* files."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.cpu import convert_shares, plan_cpu
from pyoci.plan.cgroup.cpuset import plan_cpuset

PATH = "linux.resources.cpu"


def written(cpu: dict[str, object]) -> list[tuple[str, str]]:
    return [(write.file, write.value) for write in plan_cpu(cpu)]


def exact_weight(shares: int) -> Decimal:
    """10 ** ((l^2 + 125 l) / 612 - 7/34), l = log2(shares), to forty digits."""
    with localcontext() as context:
        context.prec = 40
        log = Decimal(shares).ln() / Decimal(2).ln()
        exponent = (log * log + 125 * log) / 612 - Decimal(7) / Decimal(34)
        return Decimal(10) ** exponent


@pytest.mark.parametrize(
    ("shares", "weight"),
    # What runc and crun make of them; outside the range of v1 it is the border.
    [(1, 1), (2, 1), (1024, 100), (262144, 10000), (262145, 10000), (2**64 - 1, 10000)],
)
def test_weight_of_known_shares(shares: int, weight: int) -> None:
    assert convert_shares(shares) == weight


def test_weight_is_the_exact_one_rounded_up() -> None:
    # Every power of two, where log2 is exact, and a stride of primes through the rest.
    for shares in (*(2**n for n in range(2, 18) if n != 10), *range(3, 262144, 6521)):
        exact = exact_weight(shares)
        assert convert_shares(shares) == int(exact) + 1, shares


@pytest.mark.slow
def test_no_weight_depends_on_the_last_bits_of_log2() -> None:
    # Go and C round log2 and pow a little differently. Rounding up hides that as long as no exact
    # value is as near to a whole number as their errors (1e-10 at most), but for the 100 of 1024.
    from math import log2

    for shares in range(3, 262144):
        log = log2(shares)
        value: float = 10.0 ** ((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0)
        assert shares == 1024 or abs(value - round(value)) > 1e-9, shares


def test_weight_grows_with_shares() -> None:
    weights = [convert_shares(shares) for shares in range(2, 262145, 97)]
    assert weights == sorted(weights)


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        ({"shares": 1024}, [("cpu.weight", "100")]),
        ({"shares": 0}, []),
        ({"quota": 50000}, [("cpu.max", "50000 100000")]),
        ({"quota": 50000, "period": 200000}, [("cpu.max", "50000 200000")]),
        ({"quota": -1}, [("cpu.max", "max 100000")]),
        ({"quota": -1, "period": 1000}, [("cpu.max", "max 1000")]),
        ({"quota": 0, "period": 0}, []),
        ({"period": 1000000}, [("cpu.max", "max 1000000")]),
        ({"quota": 1000}, [("cpu.max", "1000 100000")]),
        ({"burst": 0}, [("cpu.max.burst", "0")]),
        ({"burst": 5000}, [("cpu.max.burst", "5000")]),
        ({"idle": 0, "shares": 1024}, [("cpu.idle", "0"), ("cpu.weight", "100")]),
        ({"idle": 1}, [("cpu.idle", "1")]),
        ({"idle": 1, "shares": 1024}, [("cpu.idle", "1")]),
        ({"realtimeRuntime": 5, "realtimePeriod": 10}, []),
    ],
)
def test_writes(cpu: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert written(cpu) == expected


def kernel_takes(writes: list[tuple[str, str]], quota: float, burst: int) -> bool:
    """Whether a cgroup with this quota and burst takes the writes: burst <= quota at each."""
    for file, value in writes:
        if file == "cpu.max":
            word = value.split()[0]
            quota = float("inf") if word == "max" else int(word)
        else:
            burst = int(value)
        if burst > quota:
            return False
    return True


@pytest.mark.parametrize(
    ("old_quota", "old_burst"), [(float("inf"), 0), (10000, 10000), (90000, 0), (90000, 90000)]
)
@pytest.mark.parametrize(("quota", "burst"), [(20000, 20000), (80000, 0), (-1, 50000), (5000, 1)])
def test_no_order_of_values_is_refused_half_way(
    old_quota: float, old_burst: int, quota: int, burst: int
) -> None:
    writes = written({"quota": quota, "burst": burst})
    assert kernel_takes(writes, old_quota, old_burst)
    assert [value for file, value in writes if file == "cpu.max.burst"][-1] == str(burst)


@pytest.mark.parametrize(
    ("cpu", "key"),
    [
        ({"shares": 2**64}, "shares"),
        ({"quota": 999}, "quota"),
        ({"quota": -2}, "quota"),
        ({"quota": 2**44}, "quota"),
        ({"period": 999}, "period"),
        ({"period": 1000001}, "period"),
        ({"idle": 2}, "idle"),
        ({"idle": -1}, "idle"),
        ({"burst": -1}, "burst"),
        ({"quota": 5000, "burst": 5001}, "burst"),
        ({"quota": 2**44 - 1, "burst": 1}, "burst"),
    ],
)
def test_refused(cpu: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_cpu(cpu)
    assert caught.value.path == f"{PATH}.{key}"


@pytest.mark.parametrize("text", ["0", "0-3", "0-3,7", " 0-3, 7 ", "7,0", "3-3"])
def test_cpuset(text: str) -> None:
    (cpus,) = plan_cpuset({"cpus": text})
    assert (cpus.controller, cpus.file, cpus.value) == ("cpuset", "cpuset.cpus", text.strip())
    assert cpus.config_path == f"{PATH}.cpus"
    (mems,) = plan_cpuset({"mems": text})
    assert (mems.controller, mems.file, mems.value) == ("cpuset", "cpuset.mems", text.strip())


def test_empty_cpuset_is_not_set() -> None:
    assert plan_cpuset({"cpus": "", "mems": ""}) == ()


@pytest.mark.parametrize(
    "text", [",", "a", "0-", "-1", "3-1", "0,,1", "0\n1", "+1", "1_0", "٣", "9" * 10]
)
def test_bad_cpuset(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_cpuset({"mems": text})
    assert caught.value.path == f"{PATH}.mems"
