"""Installs pyoci below a prefix, and takes it away again.

    PREFIX/bin/pyoci    the launcher, 0755
    PREFIX/lib/pyoci    the library directory; nothing else is in it
    PREFIX/share        the manual page, and completion for bash, zsh and fish (share.py)

DESTDIR stages the same files for a package. Run it with the interpreter that pyoci shall run on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from build import BuildError, below, build, report
from share import remove_files, write_files


def program_and_library(prefix: Path) -> tuple[Path, Path]:
    """Where the launcher and the modules go."""
    if not prefix.is_absolute():
        raise BuildError(f"PREFIX={prefix}: not an absolute path")
    return prefix / "bin" / "pyoci", prefix / "lib" / "pyoci"


def install(prefix: Path, destdir: str) -> None:
    """Install; root's files if root does it."""
    program, library = program_and_library(prefix)
    build(program, library, destdir)
    shared = write_files(below(destdir, prefix / "share"))
    if os.geteuid() == 0:
        for path in shared:
            own(path)
        own(below(destdir, program))
        own(below(destdir, library))


def own(path: Path) -> None:
    """Give the file or tree to root, whatever a set-group-id directory made of it."""
    for part in (path, *path.rglob("*")):
        os.chown(part, 0, 0, follow_symlinks=False)


def uninstall(prefix: Path, destdir: str) -> None:
    """Remove what install put there; BuildError if there is something else in its place."""
    program, library = (below(destdir, path) for path in program_and_library(prefix))
    if library.exists() and not (library / "pyoci" / "_build.py").exists():
        raise BuildError(f"{library}: not pyoci's library directory, left alone")
    if program.exists() and b"packaging/build.py" not in program.read_bytes():
        raise BuildError(f"{program}: not pyoci's launcher, left alone")
    program.unlink(missing_ok=True)
    if library.exists():
        shutil.rmtree(library)
    remove_files(below(destdir, prefix / "share"))


def main(arguments: list[str]) -> int:
    """Install or uninstall."""
    parser = argparse.ArgumentParser(description="install or uninstall pyoci")
    parser.add_argument("action", choices=("install", "uninstall"))
    parser.add_argument("--prefix", type=Path, default=Path("/usr/local"))
    parser.add_argument("--destdir", default="")
    given = parser.parse_args(arguments)
    action = install if given.action == "install" else uninstall
    return report(given.action, action, given.prefix, given.destdir)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
