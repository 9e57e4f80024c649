"""What a program leaves on the machine: containers, processes, mounts, cgroups, files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.runtime_tools.machine import is_below
from conformance.runtime_tools.processes import kill_children
from conformance.spec import kernel
from conformance.spec.host import hierarchies, own_mounts, poll_until, remove_cgroup

if TYPE_CHECKING:
    from conformance.runtime_tools.processes import Reaper
    from conformance.runtime_tools.workshop import Workshop

DELETE_SECONDS = 30
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The two cgroups that programs ask for by name, or make.
FIXED = re.compile(r"/(?:cgrouptest|testdir)(?:/|$)")


def find_cgroups() -> set[str]:
    """All cgroup directories, in every hierarchy in view."""
    return {path for root in hierarchies() for path, _, _ in os.walk(root)}


def select_ours(paths: set[str], calls: str) -> list[str]:
    """The cgroup directories that a program or its containers made, deepest first.

    Containers have UUIDs for names: those in the calls of the runtime. Other directories that
    appeared meanwhile are somebody else's.
    """
    names = UUID.findall(calls)
    ours = (p for p in paths if FIXED.search(p) or any(name in p for name in names))
    return sorted(ours, reverse=True)


class Leftovers:
    """Knows what there was before a program, and so what it left."""

    def __init__(self, workshop: Workshop, reaper: Reaper) -> None:
        """Looks at the machine before the program runs."""
        self._workshop = workshop
        self._reaper = reaper
        self._cgroups = find_cgroups()
        self._mounts = {(mount.device, mount.point) for mount in own_mounts()}

    def clear(self) -> list[str]:
        """Takes away what was left since this object was made; returns it in words."""
        left = [
            *self._delete_containers(),
            *kill_children(self._reaper),
            *self._umount(),
            *self._remove_cgroups(),
        ]
        self._remove_files()
        return left

    def _delete_containers(self) -> list[str]:
        if not self._workshop.state.exists():
            return []
        entries = (path.name for path in self._workshop.state.iterdir())
        names = sorted(name for name in entries if not name.startswith("."))
        for name in names:
            command = [str(self._workshop.wrapper), "delete", "--force", name]
            try:
                subprocess.run(command, capture_output=True, check=False, timeout=DELETE_SECONDS)
            except subprocess.TimeoutExpired:
                continue  # Its processes are killed, its mounts and cgroups removed below.
        return [f"container {name}" for name in names]

    def _umount(self) -> list[str]:
        new = [m.point for m in own_mounts() if (m.device, m.point) not in self._mounts]
        for point in reversed(new):
            kernel.umount(point)
        return [f"mount {point}" for point in new]

    def _remove_cgroups(self) -> list[str]:
        calls = self._workshop.calls.read_text(encoding="utf-8", errors="replace")
        new = select_ours(find_cgroups() - self._cgroups, calls)
        for path in new:
            poll_until(lambda path=path: remove_cgroup(Path(path)), 2.0)  # type: ignore[misc]
        return [f"cgroup {path}" for path in sorted(new)]

    def _remove_files(self) -> None:
        """Removes bundles; not worth a word, as some programs leave theirs whatever the runtime."""
        points = [mount.point for mount in own_mounts()]
        for path in self._workshop.scratch.iterdir():
            # What is still mounted there would be removed with it.
            if not any(is_below(point, path) for point in points):
                shutil.rmtree(path, ignore_errors=True)
