"""linux.resources.blockIO to io.bfq.weight, io.weight and io.max."""

from __future__ import annotations

import pytest

from pyoci.errors import ConfigError
from pyoci.plan.cgroup.block_io import convert_weight, plan_block_io

PATH = "linux.resources.blockIO"


@pytest.mark.parametrize(
    ("weight", "converted"), [(10, 1), (500, 4950), (505, 5000), (1000, 10000)]
)
def test_weight_has_a_second_file(weight: int, converted: int) -> None:
    (write,) = plan_block_io({"weight": weight})
    assert (write.controller, write.file, write.value) == ("io", "io.bfq.weight", str(weight))
    assert write.instead is not None
    assert (write.instead.file, write.instead.value) == ("io.weight", str(converted))
    assert write.config_path == write.instead.config_path == f"{PATH}.weight"


def test_zero_weight_is_not_set() -> None:
    assert (
        plan_block_io({"weight": 0, "weightDevice": [{"major": 8, "minor": 0, "weight": 0}]}) == ()
    )


def test_converted_weights_stay_in_the_kernels_range() -> None:
    assert [convert_weight(10), convert_weight(1000)] == [1, 10000]
    assert all(1 <= convert_weight(weight) <= 10000 for weight in range(10, 1001))


def test_device_weights() -> None:
    entries = [
        {"major": 8, "minor": 0, "weight": 500, "leafWeight": 300},
        {"major": 8, "minor": 16, "leafWeight": 300},
        {"major": 259, "minor": 1048575, "weight": 10},
    ]
    first, second = plan_block_io({"weightDevice": entries})
    assert (first.file, first.value) == ("io.bfq.weight", "8:0 500")
    assert first.instead is not None
    assert (first.instead.file, first.instead.value) == ("io.weight", "8:0 4950")
    assert second.value == "259:1048575 10"
    assert second.config_path == f"{PATH}.weightDevice[2].weight"


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("throttleReadBpsDevice", "rbps"),
        ("throttleWriteBpsDevice", "wbps"),
        ("throttleReadIOPSDevice", "riops"),
        ("throttleWriteIOPSDevice", "wiops"),
    ],
)
def test_throttles(key: str, word: str) -> None:
    entries = [{"major": 8, "minor": 0, "rate": 600}, {"major": 8, "minor": 16, "rate": 0}]
    writes = plan_block_io({key: entries})
    assert [write.value for write in writes] == [f"8:0 {word}=600", f"8:16 {word}=max"]
    assert {write.file for write in writes} == {"io.max"}
    assert [write.config_path for write in writes] == [f"{PATH}.{key}[{i}].rate" for i in (0, 1)]


@pytest.mark.parametrize(
    ("block_io", "path"),
    [
        ({"weight": 9}, "weight"),
        ({"weight": 1001}, "weight"),
        ({"weightDevice": [{"major": 8, "minor": 0, "weight": 1}]}, "weightDevice[0].weight"),
        ({"weightDevice": [{"major": -1, "minor": 0, "weight": 10}]}, "weightDevice[0].major"),
        ({"weightDevice": [{"major": 4096, "minor": 0, "weight": 10}]}, "weightDevice[0].major"),
        (
            {"throttleReadBpsDevice": [{"major": 8, "minor": 1 << 20, "rate": 1}]},
            "throttleReadBpsDevice[0].minor",
        ),
        (
            {"throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 2**64}]},
            "throttleWriteIOPSDevice[0].rate",
        ),
    ],
)
def test_refused(block_io: dict[str, object], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_block_io(block_io)
    assert caught.value.path == f"{PATH}.{path}"
