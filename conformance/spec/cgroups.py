"""config-linux.md, control groups: the path, and limits of whatever controllers are in view.

Intel RDT is here too, as far as it goes without the hardware.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.spec import host
from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.case import Case

HUGE_PAGE = "2MB"
NEEDS_V2 = ("cgroup_v2",)


def cgroups_of(pid: int) -> set[str]:
    """The cgroup paths of a process, of all hierarchies."""
    lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines()
    return {line.split(":", 2)[2] for line in lines}


@statement(
    "config-linux.md/cgroups-path/absolute", "an absolute cgroupsPath is one below the mount point"
)
def absolute_path(case: Case) -> None:
    bundle = case.bundle()
    container = case.container(bundle).created()
    places = [root / bundle.container_id for root in host.hierarchies()]
    expect(any(path.is_dir() for path in places), f"no cgroup at {places[0]}")
    expect(f"/{bundle.container_id}" in cgroups_of(container.pid), "the process is not in it")


@statement("config-linux.md/cgroups-path/nested", "an absolute cgroupsPath may have several parts")
def nested_path(case: Case) -> None:
    bundle = case.bundle()
    parents = [root / case.token for root in host.hierarchies()]
    for parent in parents:
        parent.mkdir()
    path = f"/{case.token}/inner"
    bundle.linux["cgroupsPath"] = path
    container = case.container(bundle).created()
    expect(path in cgroups_of(container.pid), "the process is not in it")
    container.started().wait().deleted()
    for parent in parents:
        host.remove_cgroup(parent)


def where(case: Case, cgroups_path: str) -> set[str]:
    """The cgroups of a container with this cgroupsPath."""
    bundle = case.bundle()
    bundle.linux["cgroupsPath"] = cgroups_path
    container = case.container(bundle).created()
    found = cgroups_of(container.pid)
    container.started().wait().deleted()
    return found


@statement("config-linux.md/cgroups-path/consistent", "one cgroupsPath always means the same place")
def consistent_path(case: Case) -> None:
    for path in (f"/{case.token}-same", f"{case.token}-same"):
        expect_equal(where(case, path), where(case, path), f"the place of {path}")


@statement("config-linux.md/cgroups-path/both-processes", "the program runs in the same cgroup")
def program_in_same_place(case: Case) -> None:
    container = case.container().created()
    before = cgroups_of(container.pid)
    container.bundle.probe_args("block")
    text = container.started().report()["cgroup"]
    expect_equal({line.split(":", 2)[2] for line in text.splitlines()}, before, "its cgroups")


def observe_limits(case: Case, resources: dict[str, Any], *files: tuple[str, str]) -> list[str]:
    """What the container's cgroup files hold while it exists; a file is (controller, name)."""
    bundle = case.bundle()
    bundle.linux["resources"] = resources
    case.container(bundle).created()
    texts = []
    for controller, name in files:
        root = host.controller_directory(controller) or host.CGROUPS
        texts.append((root / bundle.container_id / name).read_text(encoding="ascii").strip())
    return texts


def named(v1: str, v2: str) -> str:
    """The file's name in the hierarchy in view."""
    return v2 if host.is_pure_v2() else v1


@statement("config-linux.md/pids/limit", "pids.limit is applied", needs=("pids",))
def pids_limit(case: Case) -> None:
    seen = observe_limits(case, {"pids": {"limit": 32}}, ("pids", "pids.max"))
    expect_equal(seen, ["32"], "pids.max")


@statement("config-linux.md/memory/limit", "memory.limit is applied", needs=("memory",))
def memory_limit(case: Case) -> None:
    file = named("memory.limit_in_bytes", "memory.max")
    seen = observe_limits(case, {"memory": {"limit": 1 << 26}}, ("memory", file))
    expect_equal(seen, [str(1 << 26)], file)


@statement("config-linux.md/memory/reservation", "memory.reservation is applied", needs=("memory",))
def memory_reservation(case: Case) -> None:
    file = named("memory.soft_limit_in_bytes", "memory.low")
    seen = observe_limits(case, {"memory": {"reservation": 1 << 25}}, ("memory", file))
    expect_equal(seen, [str(1 << 25)], file)


@statement("config-linux.md/cpu/quota", "cpu.quota and cpu.period are applied", needs=("cpu",))
def cpu_quota(case: Case) -> None:
    resources = {"cpu": {"quota": 50000, "period": 200000}}
    if host.is_pure_v2():
        expect_equal(
            observe_limits(case, resources, ("cpu", "cpu.max")), ["50000 200000"], "cpu.max"
        )
        return
    files = (("cpu", "cpu.cfs_quota_us"), ("cpu", "cpu.cfs_period_us"))
    expect_equal(observe_limits(case, resources, *files), ["50000", "200000"], "the cfs files")


@statement("config-linux.md/cpuset/cpus", "cpu.cpus is applied", needs=("cpuset",))
def cpuset_cpus(case: Case) -> None:
    seen = observe_limits(case, {"cpu": {"cpus": "0"}}, ("cpuset", "cpuset.cpus"))
    expect_equal(seen, ["0"], "cpuset.cpus")


@statement(
    "config-linux.md/huge-page-limits/limit", "hugepageLimits are applied", needs=("hugetlb",)
)
def hugepage_limit(case: Case) -> None:
    limits = {"hugepageLimits": [{"pageSize": HUGE_PAGE, "limit": 1 << 23}]}
    file = named(f"hugetlb.{HUGE_PAGE}.limit_in_bytes", f"hugetlb.{HUGE_PAGE}.max")
    expect_equal(observe_limits(case, limits, ("hugetlb", file)), [str(1 << 23)], file)


@statement(
    "config-linux.md/unified/controller",
    "unified enables the controller",
    needs=("cgroup_v2", "hugetlb"),
)
def unified_controller(case: Case) -> None:
    file = f"hugetlb.{HUGE_PAGE}.max"
    seen = observe_limits(case, {"unified": {file: str(1 << 22)}}, ("hugetlb", file))
    expect_equal(seen, [str(1 << 22)], file)


@statement(
    "config-linux.md/unified/any-file", "unified writes files that no runtime knows", needs=NEEDS_V2
)
def unified_any_file(case: Case) -> None:
    wanted = {"cgroup.max.depth": "7", "cgroup.max.descendants": "9"}
    seen = observe_limits(case, {"unified": wanted}, *(("", name) for name in wanted))
    expect_equal(seen, list(wanted.values()), "the files")


@statement(
    "config-linux.md/unified/missing-controller",
    "unified with a controller that is not present is an error",
    needs=("missing_controller",),
)
def unified_missing_controller(case: Case) -> None:
    for name, value in {"rdma.max": "mlx4_0 hca_handle=2", "unknown.max": "1"}.items():
        bundle = case.bundle()
        bundle.linux["resources"] = {"unified": {name: value}}
        case.refuses(bundle, f"unified {name}")


@statement(
    "config-linux.md/unified/not-convertible",
    "cgroup v1 configuration that cannot be converted to v2 is an error",
    needs=NEEDS_V2,
)
def not_convertible(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["resources"] = {"network": {"classID": 1048577}}
    case.refuses(bundle, "network.classID")


@statement(
    "config-linux.md/pids/missing-controller",
    "a limit whose controller is missing cannot be applied: an error",
    needs=("missing_controller",),
)
def limit_without_controller(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["resources"] = {"rdma": {"mlx4_0": {"hcaHandles": 2}}}
    case.refuses(bundle, "an rdma limit without the rdma controller")


@statement(
    "config-linux.md/cgroup-ownership/delegation",
    "a container that may own its cgroup is created whatever files the kernel lists",
    needs=NEEDS_V2,
)
def cgroup_ownership(case: Case) -> None:
    bundle = case.bundle()
    bundle.map_users()
    bundle.namespace("cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev")
    container = case.container(bundle).created()
    place = host.CGROUPS / bundle.container_id
    owners = {
        os.stat(place / name).st_uid
        for name in ("memory.max", "hugetlb.2MB.max")
        if (place / name).exists()
    }
    expect(owners <= {0}, "limits of the cgroup belong to the container")
    container.started().report()


@statement(
    "config-linux.md/intel-rdt/no-resctrl",
    "intelRdt without resctrl is an error",
    needs=("no_resctrl",),
)
def rdt_without_resctrl(case: Case) -> None:
    for member in ({"closID": "group"}, {"l3CacheSchema": "L3:0=f"}):
        bundle = case.bundle()
        bundle.linux["intelRdt"] = member
        case.refuses(bundle, f"intelRdt {member}")


@statement(
    "config-linux.md/intel-rdt/memBwSchema", "a memBwSchema must start with MB:, without newlines"
)
def rdt_bad_schema(case: Case) -> None:
    for value in ("0=20", "MB:0=20\nMB:1=20"):
        bundle = case.bundle()
        bundle.linux["intelRdt"] = {"memBwSchema": value}
        case.refuses(bundle, f"the memBwSchema {value!r}")
