"""Files of a cgroup as the members of a stats event."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyoci.cgroup.stats import (
    NO_LIMIT,
    add_memory,
    parse_flat,
    parse_io,
    parse_limit,
    parse_list,
    parse_pressure,
    read_stats,
)

PRESSURE = (
    "some avg10=1.50 avg60=0.25 avg300=0.00 total=123456\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
)
FILES = {
    "cpu.stat": (
        "usage_usec 300\nuser_usec 200\nsystem_usec 100\n"
        "nr_periods 5\nnr_throttled 2\nthrottled_usec 40\n"
    ),
    "cpu.pressure": PRESSURE,
    "cpuset.cpus.effective": "0-1,3\n",
    "cpuset.mems.effective": "0\n",
    "memory.stat": "anon 11\nfile 22\nkernel_stack 33\n",
    "memory.current": "4096\n",
    "memory.peak": "8192\n",
    "memory.max": "1000000\n",
    "memory.events": "low 0\nhigh 0\nmax 6\noom 1\noom_kill 1\n",
    "memory.swap.current": "100\n",
    "memory.swap.max": "max\n",
    "memory.swap.events": "high 0\nmax 0\nfail 0\n",
    "pids.current": "3\n",
    "pids.max": "max\n",
    "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 \n",
    "hugetlb.2MB.current": "2097152\n",
    "hugetlb.2MB.events": "max 4\n",
    "hugetlb.2MB.rsvd.current": "4194304\n",
    "hugetlb.1GB.current": "1073741824\n",
}


def test_every_member(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    data: dict[str, object] = read_stats(str(tmp_path))
    some = {"avg10": 1.5, "avg60": 0.25, "avg300": 0.0, "total": 123456}
    full = {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 7}
    assert data["cpu"] == {
        "usage": {"total": 300_000, "kernel": 100_000, "user": 200_000},
        "throttling": {"periods": 5, "throttledPeriods": 2, "throttledTime": 40_000},
        "psi": {"some": some, "full": full},
    }
    assert data["memory"] == {
        "cache": 22,
        "usage": {"limit": 1_000_000, "usage": 4096, "max": 8192, "failcnt": 6},
        # With the memory in it, as v1 counts.
        "swap": {"limit": NO_LIMIT, "usage": 4196, "max": 0, "failcnt": 0},
        "kernel": {"limit": 0, "usage": 0, "max": 0, "failcnt": 0},
        "kernelTCP": {"limit": 0, "usage": 0, "max": 0, "failcnt": 0},
        "raw": {"anon": 11, "file": 22, "kernel_stack": 33},
    }
    assert data["pids"] == {"current": 3, "limit": 0}
    assert data["hugetlb"] == {
        "1GB": {"usage": 1073741824, "max": 0, "failcnt": 0},
        "2MB": {"usage": 4194304, "max": 0, "failcnt": 4},
    }
    assert data["network_interfaces"] is None
    cpuset, blkio = data["cpuset"], data["blkio"]
    assert isinstance(cpuset, dict)
    assert (cpuset["cpus"], cpuset["mems"], cpuset["sched_load_balance"]) == ([0, 1, 3], [0], 0)
    assert isinstance(blkio, dict)
    assert blkio["ioServicedRecursive"][:2] == [
        {"major": 8, "minor": 0, "op": "Read", "value": 1},
        {"major": 8, "minor": 0, "op": "Write", "value": 2},
    ]
    assert blkio["ioServiceBytesRecursive"][1]["value"] == 20
    assert blkio["ioMergedRecursive"] == []


def test_a_cgroup_without_controllers(tmp_path: Path) -> None:
    data: dict[str, object] = read_stats(str(tmp_path))
    assert data["pids"] == {"current": 0, "limit": 0}
    (tmp_path / "cgroup.procs").write_text("17\n18\n")
    counted: dict[str, object] = read_stats(str(tmp_path))
    assert counted["pids"] == {"current": 2, "limit": 0}
    assert data["hugetlb"] == {}
    assert data["cpu"] == {
        "usage": {"total": 0, "kernel": 0, "user": 0},
        "throttling": {"periods": 0, "throttledPeriods": 0, "throttledTime": 0},
    }


def test_a_cgroup_that_is_gone(tmp_path: Path) -> None:
    assert read_stats(f"{tmp_path}/gone") == read_stats(str(tmp_path))


def test_swap_is_limited_where_both_are() -> None:
    memory = {"limit": 10, "usage": 1, "max": 2, "failcnt": 3}
    swap = {"limit": 5, "usage": 4, "max": 6, "failcnt": 7}
    assert add_memory(swap, memory) == {"limit": 15, "usage": 5, "max": 0, "failcnt": 7}


@pytest.mark.parametrize(("text", "number"), [("max\n", NO_LIMIT), ("5\n", 5), ("", 0)])
def test_limits(text: str, number: int) -> None:
    assert parse_limit(text) == number


def test_lines_that_are_no_pairs_are_left_out() -> None:
    assert parse_flat("a 1\n\nb\nc 2 3\nd max\n") == {"a": 1, "d": NO_LIMIT}


@pytest.mark.parametrize(
    ("text", "numbers"), [("\n", []), ("", []), ("0", [0]), ("0-2,7,9-9", [0, 1, 2, 7, 9])]
)
def test_lists(text: str, numbers: list[int]) -> None:
    assert parse_list(text) == numbers


def test_pressure_of_older_kernels_has_one_line() -> None:
    assert list(parse_pressure(PRESSURE.splitlines()[0])) == ["some"]
    assert parse_pressure("") == {}


def test_other_words_of_io_stat_are_left_out() -> None:
    lists = parse_io("8:0 cost.usage=5 rbytes=1 wbytes=none\n")
    assert [entry["value"] for entry in lists["ioServiceBytesRecursive"]] == [1]
