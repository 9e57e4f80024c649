"""Changes of files are all made or all taken back; a directory stands for the cgroup."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyoci.cgroup.changes import Changes, check_usage
from pyoci.errors import StepError
from pyoci.plan.cgroup.model import CgroupWrite, UsageCheck


def write(
    file: str, value: str, *, instead: CgroupWrite | None = None, optional: bool = False
) -> CgroupWrite:
    path = f"linux.resources.{file}"
    return CgroupWrite(
        controller="", file=file, value=value, config_path=path, instead=instead, optional=optional
    )


def make(directory: Path, **files: str) -> None:
    """Files of one length: unlike a cgroup's, these keep what a shorter write leaves."""
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)


def read(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in directory.iterdir()}


def test_writes_then_stores(tmp_path: Path) -> None:
    make(tmp_path, memory_max="100", pids_max="5")
    stored: list[dict[str, str]] = []
    Changes(str(tmp_path)).apply(
        (write("memory.max", "200"), write("pids.max", "7")), lambda: stored.append(read(tmp_path))
    )
    assert stored == [{"memory.max": "200", "pids.max": "7"}]


def test_a_missing_file_is_named_and_what_came_before_is_rolled_back(tmp_path: Path) -> None:
    make(tmp_path, memory_max="100", pids_max="5")
    writes = (write("memory.max", "200"), write("pids.max", "7"), write("no.such", "1"))
    with pytest.raises(StepError) as caught:
        Changes(str(tmp_path)).apply(writes, lambda: pytest.fail("stored"))
    assert read(tmp_path) == {"memory.max": "100", "pids.max": "5"}
    assert caught.value.message == (
        f"linux.resources.no.such: write '1' to {tmp_path}/no.such: ENOENT (no such file or"
        " directory); what was written before it is rolled back"
    )
    assert caught.value.hint == "the kernel has no such file"


def test_the_first_failure_has_nothing_to_roll_back(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        Changes(str(tmp_path)).apply((write("no.such", "1"),), lambda: None)
    assert "rolled back" not in caught.value.message


def test_the_last_write_is_undone_first(tmp_path: Path) -> None:
    make(tmp_path, cpu_max="1", cpu_max_burst="9")
    steps = ("cpu.max.burst", "0"), ("cpu.max", "2"), ("cpu.max.burst", "5"), ("no.such", "1")
    with pytest.raises(StepError):
        Changes(str(tmp_path)).apply(tuple(write(*step) for step in steps), lambda: None)
    assert read(tmp_path) == {"cpu.max": "1", "cpu.max.burst": "9"}


def test_idle_brings_the_weight_back_too(tmp_path: Path) -> None:
    make(tmp_path, cpu_idle="0", cpu_weight="077")

    def change_and_fail() -> None:
        (tmp_path / "cpu.weight").write_text("000")  # as the kernel does
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Changes(str(tmp_path)).apply((write("cpu.idle", "1"),), change_and_fail)
    assert read(tmp_path) == {"cpu.idle": "0", "cpu.weight": "077"}


def test_a_store_that_fails_takes_the_limits_back_and_says_so(tmp_path: Path) -> None:
    make(tmp_path, pids_max="5")

    def fail() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space") as caught:
        Changes(str(tmp_path)).apply((write("pids.max", "7"),), fail)
    assert read(tmp_path) == {"pids.max": "5"}
    assert caught.value.__notes__ == [
        "the limits were set before it failed: what was written before it is rolled back"
    ]


def test_an_empty_cpuset_comes_back_as_the_list_it_meant(tmp_path: Path) -> None:
    make(tmp_path, cpuset_cpus="\n", cpuset_cpus_effective="0-1\n")
    writes = (write("cpuset.cpus", "1"), write("no.such", "1"))
    with pytest.raises(StepError):
        Changes(str(tmp_path)).apply(writes, lambda: None)
    assert (tmp_path / "cpuset.cpus").read_text() == "0-1"


def test_what_cannot_be_rolled_back_is_named(tmp_path: Path) -> None:
    make(tmp_path, memory_reclaim="a\nb\n")
    writes = (write("memory.reclaim", "1"), write("no.such", "1"))
    with pytest.raises(StepError, match=r"not everything .* memory\.reclaim: its former value"):
        Changes(str(tmp_path)).apply(writes, lambda: None)


def test_another_file_in_its_place_or_none(tmp_path: Path) -> None:
    make(tmp_path, io_weight="100")
    writes = (
        write("io.bfq.weight", "9", instead=write("io.weight", "200")),
        write("memory.swap.max", "0", optional=True),
    )
    Changes(str(tmp_path)).apply(writes, lambda: None)
    assert read(tmp_path) == {"io.weight": "200"}


@pytest.mark.parametrize(("limit", "refused"), [(300, True), (299, True), (301, False)])
def test_usage_that_has_reached_the_limit(tmp_path: Path, limit: int, *, refused: bool) -> None:
    make(tmp_path, memory_current="100\n", memory_swap_current="200\n")
    files = ("memory.current", "memory.swap.current", "no.such")
    check = UsageCheck(files=files, limit_bytes=limit, config_path="linux.resources.memory.swap")
    if not refused:
        check_usage(str(tmp_path), check)
        return
    with pytest.raises(StepError, match=r"^linux\.resources\.memory\.swap: \d+ bytes are no limit"):
        check_usage(str(tmp_path), check)
