"""The value that undoes a write, out of what the file said before it."""

from __future__ import annotations

import pytest

from pyoci.plan.cgroup.restore import is_restorable, plan_restore


@pytest.mark.parametrize(
    ("file", "written", "content", "value"),
    [
        ("memory.max", "4096", "max\n", "max"),
        ("cpu.max", "1000 100000", "max 100000\n", "max 100000"),
        ("cpuset.cpus", "0", "\n", ""),
        ("io.max", "8:0 rbps=1", "", "8:0 rbps=max wbps=max riops=max wiops=max"),
        (
            "io.max",
            "8:0 rbps=1",
            "8:16 rbps=5 wbps=max riops=max wiops=max\n8:0 rbps=7 wbps=max riops=max wiops=max\n",
            "8:0 rbps=7 wbps=max riops=max wiops=max",
        ),
        ("io.weight", "200", "default 100\n8:0 50\n", "default 100"),
        ("io.weight", "8:0 200", "default 100\n8:0 50\n", "8:0 50"),
        ("io.weight", "8:16 200", "default 100\n8:0 50\n", "8:16 default"),
        ("io.bfq.weight", "200", "100\n", "100"),
        ("io.latency", "8:0 target=5", "", "8:0 target=max"),
        (
            "rdma.max",
            "mlx4_0 hca_handle=2",
            "mlx4_0 hca_handle=max hca_object=max\nocrdma1 hca_handle=3 hca_object=max\n",
            "mlx4_0 hca_handle=max hca_object=max",
        ),
        # Nothing that we know of brings these back.
        ("misc.max", "res_a 5", "res_b max\n", None),
        ("memory.stat", "1", "anon 0\nfile 0\n", None),
    ],
)
def test_what_brings_a_file_back(file: str, written: str, content: str, value: str | None) -> None:
    assert plan_restore(file, written, content) == value


def test_the_weight_of_an_idle_group_is_none() -> None:
    assert not is_restorable("cpu.weight", "0")
    assert is_restorable("cpu.weight", "100")
    assert is_restorable("cpu.idle", "0")
