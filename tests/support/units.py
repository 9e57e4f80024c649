"""Containers whose cgroup systemd makes, and what systemd says of their units."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.support.containers import Container, Result

CGROUP2 = Path("/sys/fs/cgroup")
TRANSIENT = Path("/run/systemd/transient")


def systemctl(*words: str) -> str:
    """What systemctl says; CalledProcessError if it fails."""
    return subprocess.run(
        ["systemctl", *words], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def show(unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit, as systemctl writes them."""
    lines = systemctl("show", unit, *[f"--property={name}" for name in names]).splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def is_loaded(unit: str) -> bool:
    """Whether systemd knows a unit of this name, whatever its state; of a slice, an active one.

    Any name of a slice is one that can be loaded.
    """
    found = show(unit, "LoadState", "ActiveState")
    if unit.endswith(".slice"):
        return found["ActiveState"] != "inactive"
    return found["LoadState"] != "not-found"


class UnitContainer(Container):
    """A container that is made with --systemd-cgroup; no other command is told so."""

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
        return CGROUP2.joinpath(*slices, *scope)

    def show(self, *names: str) -> dict[str, str]:
        """Properties of the unit."""
        return show(self.unit, *names)

    def read(self, file: str) -> str:
        """A file of the cgroup."""
        return (self.cgroup / file).read_text().strip()

    def leftovers(self) -> list[str]:
        """What there still is of the container, and of its unit."""
        found = super().leftovers()
        found += [self.unit] if is_loaded(self.unit) else []
        return found + [str(path) for path in TRANSIENT.glob(f"{self.unit}*")]
