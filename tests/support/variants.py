"""Variants of a built pyoci: the same modules, some with a piece of code after their own.

As controls (with a measure taken out an attack must succeed) and to look at what only the process
itself can see.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path


class Launcher:
    """What a launcher that `make build` has written says: its interpreter and its modules."""

    def __init__(self, runtime: Path) -> None:
        """Read it."""
        first, self.rest = runtime.read_text(encoding="utf-8").split("\n", 1)
        interpreter, self.options = first.removeprefix("#!").split()
        self.interpreter = Path(interpreter)
        self.library = Path(self.rest.partition("main('")[2].partition("'")[0])

    def write(
        self, path: Path, interpreter: Path | None = None, library: Path | None = None
    ) -> Path:
        """The same with another interpreter, or other modules."""
        rest = self.rest.replace(str(self.library), str(library or self.library))
        first = f"#!{interpreter or self.interpreter} {self.options}"
        path.write_text(f"{first}\n{rest}", encoding="utf-8")
        path.chmod(0o755)
        return path


def make_variant(library: Path, target: Path, additions: Mapping[str, str]) -> None:
    """A copy of the modules; each of the named ones has more code: {"engine/init": "..."}."""
    shutil.copytree(library, target)
    # The code of whole commands: without it the modules are imported one by one.
    shutil.rmtree(target / "pyoci_commands")
    for name, text in additions.items():
        module = target / "pyoci" / f"{name}.py"
        module.write_text(module.read_text(encoding="utf-8") + text, encoding="utf-8")
        for compiled in module.parent.glob(f"__pycache__/{module.stem}.*"):
            compiled.unlink()


def build_variant(runtime: Path, directory: Path, additions: Mapping[str, str]) -> Path:
    """The runtime as such a variant, in a new directory."""
    launcher = Launcher(runtime)
    directory.mkdir()
    make_variant(launcher.library, directory / "lib", additions)
    return launcher.write(directory / "pyoci", library=directory / "lib")
