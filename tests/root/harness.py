"""What a root test leaves behind: looked for after each of them, and never tolerated."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

from tests.support.containers import find_cgroup2, read_children, reap_children, wait_until

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Orphans come to us, not to a process 1 that may reap late or never (prctl(2))."""
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def make_cgroup_parent(name: str) -> list[Path]:
    """The directories that cgroups of a test go into: on v2, and the same name on v1."""
    cgroup2 = find_cgroup2()
    if cgroup2 is None:
        return []
    (cgroup2 / name).mkdir()
    hierarchies = [path for path in Path("/sys/fs/cgroup").iterdir() if path.is_dir()]
    return list(dict.fromkeys([cgroup2 / name, *[path / name for path in hierarchies]]))


def read_fds() -> dict[int, str]:
    """Our open descriptors, and what they are."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


class Watch:
    """What there was before a test; it looks only at what this one test could have made."""

    def __init__(self, directory: Path, cgroups: list[Path]) -> None:
        """Remember descriptors and children; the directory and the cgroups are the test's own."""
        self.directory = directory
        self.cgroups = cgroups
        self.children = set(read_children())
        self.fds = read_fds()

    def find_leaks(self) -> list[str]:
        """Everything that is new, in words; what can be removed is removed."""
        leaks = [*self._processes(), *self._mounts(), *self._files(), *self._descriptors()]
        return leaks + self._cgroups()

    def _processes(self) -> list[str]:
        """Children that go on without being waited for by anybody; a moment to end is granted."""
        with contextlib.suppress(AssertionError):
            wait_until(self._have_no_children, 2)
        leaks = []
        for pid in set(read_children()) - self.children:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            leaks.append(f"process {pid}: {command!r}")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return leaks

    def _have_no_children(self) -> bool:
        reap_children(self.children)
        return not set(read_children()) - self.children

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [f"mount: {line}" for line in lines if f"{self.directory}/" in line]

    def _files(self) -> list[str]:
        return [f"state: {path}" for path in self.directory.glob("state*/*")]

    def _descriptors(self) -> list[str]:
        now = read_fds()
        return [f"descriptor {fd}: {now[fd]}" for fd in now if self.fds.get(fd) != now[fd]]

    def _cgroups(self) -> list[str]:
        leaks = []
        for parent in self.cgroups:
            below = sorted(parent.glob("**/"), reverse=True) if parent.exists() else []
            leaks += [f"cgroup: {path}" for path in below if path != parent]
            for path in below:
                path.rmdir()
        return leaks
