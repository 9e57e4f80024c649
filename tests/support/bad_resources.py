"""linux.resources that cannot be, and the key at fault in each."""

from __future__ import annotations

from typing import Any, TypeAlias

Bad: TypeAlias = tuple[str, dict[str, Any]]

AT = {"major": 1, "minor": 3}
RATES = (
    *("throttleReadBpsDevice", "throttleWriteBpsDevice"),
    *("throttleReadIOPSDevice", "throttleWriteIOPSDevice"),
)

# The key at fault, relative to linux.resources, and values of it that are below or above its range.
NUMBERS: dict[str, tuple[int, ...]] = {
    "memory.limit": (-2, 1, 4095, 2**63),
    "memory.reservation": (-2, 2**63),
    "memory.kernel": (-(2**63) - 1, 2**63),
    "memory.kernelTCP": (-(2**63) - 1, 2**63),
    "memory.swappiness": (-1, 101),
    "cpu.shares": (-1, 2**64),
    "cpu.quota": (-2, 999, 2**44, 2**63),
    "cpu.burst": (-1, 2**44, 2**64),
    "cpu.period": (-1, 999, 1_000_001, 2**64),
    "cpu.realtimeRuntime": (2**63,),
    "cpu.realtimePeriod": (-1, 2**64),
    "cpu.idle": (-1, 2, 2**63),
    "pids.limit": (-2, 2**22 + 1, 2**63),
    "blockIO.weight": (-1, 9, 1001, 65536),
    "blockIO.leafWeight": (-1, 65536),
    "network.classID": (-1, 2**32),
}

OTHERS: list[Bad] = [
    ("memory.swap", {"memory": {"limit": 8192, "swap": -2}}),
    ("memory.swap", {"memory": {"limit": 8192, "swap": 4096}}),
    ("memory.swap", {"memory": {"swap": 8192}}),
    ("memory.swap", {"memory": {"limit": 8192, "swap": 2**63}}),
    ("memory.disableOOMKiller", {"memory": {"disableOOMKiller": 1}}),
    ("memory.useHierarchy", {"memory": {"useHierarchy": "no"}}),
    ("memory.checkBeforeUpdate", {"memory": {"checkBeforeUpdate": 0}}),
    ("cpu.burst", {"cpu": {"quota": 20000, "burst": 20001}}),
    ("cpu.cpus", {"cpu": {"cpus": "3-1"}}),
    ("cpu.cpus", {"cpu": {"cpus": "-1"}}),
    ("cpu.mems", {"cpu": {"mems": "0,,1"}}),
    ("blockIO.weightDevice[0].weight", {"blockIO": {"weightDevice": [AT | {"weight": 9}]}}),
    ("blockIO.weightDevice[0].weight", {"blockIO": {"weightDevice": [AT | {"weight": -1}]}}),
    (
        "blockIO.weightDevice[0].leafWeight",
        {"blockIO": {"weightDevice": [AT | {"leafWeight": -1}]}},
    ),
    (
        "blockIO.weightDevice[0].major",
        {"blockIO": {"weightDevice": [{"major": 4096, "minor": 0, "weight": 10}]}},
    ),
    *[
        (f"blockIO.{name}[0].rate", {"blockIO": {name: [AT | {"rate": rate}]}})
        for name in RATES
        for rate in (-1, 2**64)
    ],
    (
        "blockIO.throttleReadBpsDevice[0].major",
        {"blockIO": {RATES[0]: [{"major": -1, "minor": 0, "rate": 1}]}},
    ),
    (
        "blockIO.throttleReadBpsDevice[0].minor",
        {"blockIO": {RATES[0]: [{"major": 8, "minor": 2**20, "rate": 1}]}},
    ),
    ("hugepageLimits[0].pageSize", {"hugepageLimits": [{"pageSize": "2", "limit": 0}]}),
    ("hugepageLimits[0].pageSize", {"hugepageLimits": [{"pageSize": "../2MB", "limit": 0}]}),
    ("hugepageLimits[0].limit", {"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}),
    ("hugepageLimits[0].limit", {"hugepageLimits": [{"pageSize": "2MB", "limit": 2**64}]}),
    (
        "network.priorities[0].priority",
        {"network": {"priorities": [{"name": "a", "priority": -1}]}},
    ),
    ("network.priorities[0].name", {"network": {"priorities": [{"name": 1, "priority": 1}]}}),
    ("rdma.mlx.hcaHandles", {"rdma": {"mlx": {"hcaHandles": -1}}}),
    ("rdma.mlx.hcaHandles", {"rdma": {"mlx": {"hcaHandles": 2**31}}}),
    ("rdma.mlx.hcaObjects", {"rdma": {"mlx": {"hcaObjects": 2**32}}}),
    ("rdma.mlx", {"rdma": {"mlx": {}}}),
    ("rdma", {"rdma": {"two words": {"hcaHandles": 1}}}),
    ("unified", {"unified": {"../memory.max": "1"}}),
    ("unified", {"unified": {"memory": "1"}}),
    ("unified", {"unified": {"cgroup.procs": "1"}}),
]

# What only create looks at: update leaves the rules of devices alone.
DEVICES: list[Bad] = [
    ("devices[0].allow", {"devices": [{"allow": 1}]}),
    ("devices[0].type", {"devices": [{"allow": True, "type": "p"}]}),
    ("devices[0].major", {"devices": [{"allow": True, "type": "c", "major": 4096}]}),
    ("devices[0].minor", {"devices": [{"allow": True, "type": "c", "minor": -2}]}),
    ("devices[0].access", {"devices": [{"allow": True, "access": "x"}]}),
]

# What only the kernel knows.
BY_KERNEL: list[Bad] = [
    ("unified['nosuch.max']", {"unified": {"nosuch.max": "1"}}),
    ("unified['cgroup.nosuch']", {"unified": {"cgroup.nosuch": "1"}}),
    ("unified['cgroup.max.depth']", {"unified": {"cgroup.max.depth": "-1"}}),
    ("unified['cgroup.max.depth']", {"unified": {"cgroup.max.depth": "9" * 30}}),
]


def spread(key: str, value: int) -> Bad:
    """A number as the resources that consist of it."""
    section, name = key.split(".")
    return key, {section: {name: value}}


# What is known before anything is done.
REFUSED = [spread(key, value) for key, values in NUMBERS.items() for value in values] + OTHERS
