"""The directory in which programs run, and the command that they are given as their runtime."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.runtime_tools.leftovers import Leftovers
from conformance.runtime_tools.processes import run_program
from conformance.runtime_tools.verdicts import Ended

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.runtime_tools.processes import Reaper
    from conformance.runtime_tools.sources import Suite

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

LOWER_VERSION = """\
previous=
for word; do
    if [ "$previous" = --bundle ]; then
        sed -i 's/"ociVersion": *"1\\.[1-9][^"]*"/"ociVersion": "{version}"/' "$word/config.json"
    fi
    previous=$word
done
"""


@dataclass(frozen=True)
class Workshop:
    """The paths of a run."""

    root: Path

    @property
    def tree(self) -> Path:
        """The working directory of the programs."""
        return self.root / "tree"

    @property
    def scratch(self) -> Path:
        """Where the programs make their bundles."""
        return self.root / "scratch"

    @property
    def state(self) -> Path:
        """The runtime's state directory."""
        return self.root / "state"

    @property
    def wrapper(self) -> Path:
        """The command that the programs call."""
        return self.root / "runtime"

    @property
    def calls(self) -> Path:
        """The calls that the present program has made of the runtime, one a line."""
        return self.root / "calls"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the programs."""
        return {"PATH": PATH, "RUNTIME": str(self.wrapper), "TMPDIR": str(self.scratch)}


def render_wrapper(workshop: Workshop, runtime: Path, oci_version: str) -> str:
    """A script that notes the call and calls the runtime with a state directory of its own.

    `oci_version`, if given, replaces a later one in a bundle's config: old runtimes refuse what
    they do not know.
    """
    lower = LOWER_VERSION.format(version=oci_version) if oci_version else ""
    note = f'echo "$*" >> {shlex.quote(str(workshop.calls))}\n'
    command = f"exec {shlex.quote(str(runtime))} --root {shlex.quote(str(workshop.state))}"
    return f'#!/bin/sh\n{note}{lower}{command} "$@"\n'


def set_up(root: Path, suite: Suite, runtime: Path, oci_version: str) -> Workshop:
    """Copies what the programs want in their working directory: no tree is written to."""
    workshop = Workshop(root)
    for directory in (root, workshop.tree, workshop.scratch):
        directory.mkdir(exist_ok=True)
        # The users that a user namespace maps have to get through to the bundles.
        directory.chmod(0o755)
    for path in suite.files:
        shutil.copy(path, workshop.tree)
    text = render_wrapper(workshop, runtime, oci_version)
    workshop.wrapper.write_text(text, encoding="utf-8")
    workshop.wrapper.chmod(0o755)
    return workshop


def run_in(
    workshop: Workshop, reaper: Reaper, program: Path, seconds: float
) -> tuple[Ended, str, list[str]]:
    """Runs one program: how it ended, its output, and what it left behind (gone by now)."""
    workshop.calls.write_text("", encoding="utf-8")
    leftovers = Leftovers(workshop, reaper)
    os.chdir(workshop.tree)
    try:
        status = run_program(reaper, program, workshop.environment, workshop.root, seconds)
    finally:
        # Also when we are interrupted: bundles must not be removed with mounts in them.
        left = leftovers.clear()
    return (
        Ended(status, read_text(workshop.root / "stderr")),
        read_text(workshop.root / "stdout"),
        left,
    )


def read_text(path: Path) -> str:
    """A file's text, whatever bytes are in it."""
    return path.read_text(encoding="utf-8", errors="replace")


def read_version(runtime: Path) -> str:
    """The first line of `--version`."""
    done = subprocess.run(
        [runtime, "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout.partition("\n")[0].strip()
