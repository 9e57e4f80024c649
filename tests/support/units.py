"""Containers whose cgroup systemd makes, and what systemd says of their units."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.containers import Container, Result

CGROUP2 = Path("/sys/fs/cgroup")


class Manager:
    """A manager of units: how it is asked, its cgroup, and where it keeps transient units."""

    def __init__(self, systemctl: Sequence[str], cgroup: Path, transient: Path) -> None:
        """Take the words that call systemctl for it."""
        self._systemctl = systemctl
        self.cgroup = cgroup
        self.transient = transient

    def systemctl(self, *words: str) -> str:
        """What systemctl says; CalledProcessError if it fails."""
        return subprocess.run(
            [*self._systemctl, *words], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit, as systemctl writes them."""
        options = [f"--property={name}" for name in names]
        lines = self.systemctl("show", unit, *options).splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def is_loaded(self, unit: str) -> bool:
        """Whether systemd knows a unit of this name, whatever its state; of a slice, an active one.

        Any name of a slice is one that can be loaded.
        """
        found = self.show(unit, "LoadState", "ActiveState")
        if unit.endswith(".slice"):
            return found["ActiveState"] != "inactive"
        return found["LoadState"] != "not-found"

    def find_failed(self) -> str:
        """The units that have failed, as systemctl lists them."""
        return self.systemctl("list-units", "--failed", "--no-legend").strip()


SYSTEM = Manager(["systemctl"], CGROUP2, Path("/run/systemd/transient"))
systemctl, show, is_loaded = SYSTEM.systemctl, SYSTEM.show, SYSTEM.is_loaded


class UnitContainer(Container):
    """A container that is made with --systemd-cgroup; no other command is told so."""

    manager = SYSTEM
    making = False

    @property
    def program(self) -> list[str]:
        """The runtime and its global options."""
        return [*super().program, *(["--systemd-cgroup"] if self.making else [])]

    def create(self, *options: str, **settings: Any) -> Result:  # noqa: ANN401
        """The `create` command."""
        self.making = True
        try:
            return super().create(*options, **settings)
        finally:
            self.making = False

    def run(self, *options: str, **settings: Any) -> Result:  # noqa: ANN401
        """The `run` command in the foreground."""
        self.making = True
        try:
            return super().run(*options, **settings)
        finally:
            self.making = False

    def run_detached(self, *options: str, **settings: Any) -> Result:  # noqa: ANN401
        """The `run --detach` command."""
        self.making = True
        try:
            return super().run_detached(*options, **settings)
        finally:
            self.making = False

    @property
    def unit(self) -> str:
        """The unit, as its config names it."""
        _, prefix, name = self.bundle.config["linux"]["cgroupsPath"].split(":")
        return name if name.endswith(".slice") else f"{prefix}-{name}.scope"

    @property
    def cgroup(self) -> Path:
        """Where systemd puts the unit: a slice is below those that its name begins with."""
        parent, _, name = self.bundle.config["linux"]["cgroupsPath"].split(":")
        parts = (name if name.endswith(".slice") else parent).removesuffix(".slice").split("-")
        slices = ["-".join(parts[: n + 1]) + ".slice" for n in range(len(parts))]
        scope = [] if name.endswith(".slice") else [self.unit]
        return self.manager.cgroup.joinpath(*slices, *scope)

    def show(self, *names: str) -> dict[str, str]:
        """Properties of the unit."""
        return self.manager.show(self.unit, *names)

    def read(self, file: str) -> str:
        """A file of the cgroup."""
        return (self.cgroup / file).read_text().strip()

    def leftovers(self) -> list[str]:
        """What there still is of the container, and of its unit."""
        found = super().leftovers()
        found += [self.unit] if self.manager.is_loaded(self.unit) else []
        return found + [str(path) for path in self.manager.transient.glob(f"{self.unit}*")]
