"""pids, hugepageLimits, rdma and unified: a key or two each."""

from __future__ import annotations

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.hugetlb import plan_hugetlb
from pyoci.plan.cgroup.pids import plan_pids
from pyoci.plan.cgroup.rdma import plan_rdma
from pyoci.plan.cgroup.unified import plan_unified

PATH = "linux.resources"


@pytest.mark.parametrize(
    ("limit", "value"), [(-1, "max"), (0, "1"), (1, "1"), (100, "100"), (4194304, "4194304")]
)
def test_pids(limit: int, value: str) -> None:
    (write,) = plan_pids({"limit": limit})
    assert (write.controller, write.file, write.value) == ("pids", "pids.max", value)
    assert write.config_path == f"{PATH}.pids.limit"


def test_pids_without_a_limit() -> None:
    assert plan_pids({}) == ()


@pytest.mark.parametrize("limit", [-2, 4194305, 2**63 - 1])
def test_pids_refused(limit: int) -> None:
    with pytest.raises(ConfigError, match=rf"^linux\.resources\.pids\.limit: {limit} is not"):
        plan_pids({"limit": limit})


def test_hugetlb_limits_use_and_reservation() -> None:
    limits = [{"pageSize": "2MB", "limit": 4194304}, {"pageSize": "1GB", "limit": 0}]
    writes = plan_hugetlb(limits)
    assert [(write.file, write.value, write.optional) for write in writes] == [
        ("hugetlb.2MB.max", "4194304", False),
        ("hugetlb.2MB.rsvd.max", "4194304", True),
        ("hugetlb.1GB.max", "0", False),
        ("hugetlb.1GB.rsvd.max", "0", True),
    ]
    assert {write.controller for write in writes} == {"hugetlb"}
    assert writes[2].config_path == f"{PATH}.hugepageLimits[1].limit"


@pytest.mark.parametrize(
    "size", ["", "2", "MB", "2mb", "2TB", "02MB", "0MB", "-2MB", "../2MB", "2 MB", "٢MB", "2MBMB"]
)
def test_hugetlb_page_size_cannot_name_another_file(size: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_hugetlb([{"pageSize": size, "limit": 1}])
    assert caught.value.path == f"{PATH}.hugepageLimits[0].pageSize"


@pytest.mark.parametrize("limit", [-1, 2**64])
def test_hugetlb_limit_refused(limit: int) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_hugetlb([{"pageSize": "2MB", "limit": limit}])
    assert caught.value.path == f"{PATH}.hugepageLimits[0].limit"


def test_rdma() -> None:
    devices = {
        "mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000},
        "mlx4_0": {"hcaObjects": 0},
        "rxe3": {"hcaHandles": 2147483647},
    }
    writes = plan_rdma(devices)
    assert [write.value for write in writes] == [
        "mlx5_1 hca_handle=3 hca_object=10000",
        "mlx4_0 hca_object=0",
        "rxe3 hca_handle=2147483647",
    ]
    assert {(write.controller, write.file) for write in writes} == {("rdma", "rdma.max")}
    assert writes[0].config_path == f"{PATH}.rdma.mlx5_1"


@pytest.mark.parametrize(
    ("devices", "path"),
    [
        ({"mlx5_1": {}}, "rdma.mlx5_1"),
        ({"mlx5_1": {"hcaHandles": -1}}, "rdma.mlx5_1.hcaHandles"),
        ({"mlx5_1": {"hcaObjects": 2**31}}, "rdma.mlx5_1.hcaObjects"),
        ({"": {"hcaObjects": 1}}, "rdma"),
        ({"a b": {"hcaObjects": 1}}, "rdma"),
        ({"a\nb": {"hcaObjects": 1}}, "rdma"),
        ({"a\0": {"hcaObjects": 1}}, "rdma"),
    ],
)
def test_rdma_refused(devices: dict[str, dict[str, int]], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_rdma(devices)
    assert caught.value.path == f"{PATH}.{path}"


def test_unified_writes_one_line_at_a_time() -> None:
    unified = {
        "io.max": "259:0 rbps=2097152\n253:0 wiops=120\n",
        "hugetlb.1GB.max": "1073741824",
        "cgroup.max.depth": "3",
        "cpuset.cpus": "",
        "future.knob": "on",
    }
    assert [(w.controller, w.file, w.value) for w in plan_unified(unified)] == [
        ("io", "io.max", "259:0 rbps=2097152"),
        ("io", "io.max", "253:0 wiops=120"),
        ("hugetlb", "hugetlb.1GB.max", "1073741824"),
        ("", "cgroup.max.depth", "3"),
        ("cpuset", "cpuset.cpus", ""),
        ("future", "future.knob", "on"),
    ]


def test_unified_says_which_key() -> None:
    (write,) = plan_unified({"memory.high": "max"})
    assert write.config_path == f"{PATH}.unified['memory.high']"


@pytest.mark.parametrize(
    "key",
    [
        "", "memory", "memory.", ".max", ".", "..", "memory..max",
        "../memory.max", "/etc/x.y", "a/b.c",
        "memory.max\n", "memory .max", "memory.\0", "mémory.max",
        "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze",
    ],
)  # fmt: skip
def test_unified_key_refused(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_unified({key: "1"})
    assert caught.value.path == f"{PATH}.unified"
    assert repr(key) in caught.value.reason


def test_unified_value_with_nul_refused() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        plan_unified({"memory.max": "1\0002"})
