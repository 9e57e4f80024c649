"""Nothing adds up: many containers, one after the other, leave the machine as it was.

The fixture `no_leaks` looks after every root test; here is what only shows after many.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.containers import MakeContainer, find_cgroup2
from tests.support.guest import is_guest

# A guest takes a second for each, and nobody else uses it: few are enough to tell.
TIMES = 40 if is_guest() else 200


def count_what_is_there() -> dict[str, int]:
    """Of what a leak would add to, how much there is (each is the machine's, so roughly)."""
    cgroup2 = find_cgroup2()
    assert cgroup2 is not None
    stat = dict(line.split() for line in (cgroup2 / "cgroup.stat").read_text().splitlines())
    return {
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "living cgroups": int(stat["nr_descendants"]),
    }


def test_many_runs_leave_nothing(container: MakeContainer) -> None:
    c = container("/bin/true")
    before = count_what_is_there()
    for _ in range(TIMES):
        c.run().ok()
    c.assert_gone()
    assert list(c.root.iterdir()) == []
    after = count_what_is_there()
    # Others may use the machine meanwhile, but a leak of ours would be at least TIMES.
    assert all(after[name] < before[name] + TIMES // 2 for name in after), (before, after)


def test_many_failures_leave_nothing(container: MakeContainer) -> None:
    c = container("/no/such/program")
    before = count_what_is_there()
    for _ in range(TIMES // 8):
        c.create().failed("no such file or directory")
    c.assert_gone()
    after = count_what_is_there()
    assert all(after[name] < before[name] + TIMES // 16 for name in after), (before, after)


def test_the_bundle_is_as_it_was(container: MakeContainer) -> None:
    c = container("/bin/true")

    def look() -> list[tuple[str, int, int]]:
        paths = sorted(c.bundle.path.rglob("*"))
        return [(str(p), p.lstat().st_mode, p.lstat().st_size) for p in paths]

    c.run().ok()  # places for the mounts of the config may have to be made
    before = look()
    c.run().ok()
    c.create().ok()
    c.delete().ok()
    assert look() == before
