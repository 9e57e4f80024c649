"""What an installed pyoci has below PREFIX/share: the manual page and completion for shells.

All of it is made of the option table, for the program that is being installed.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "pyoci" / "cli" / "options.py"

MANUAL = "man/man8/pyoci.8"
COMPLETIONS = {
    "bash": "bash-completion/completions/pyoci",
    "zsh": "zsh/site-functions/_pyoci",
    "fish": "fish/vendor_completions.d/pyoci.fish",
}
PATHS = (MANUAL, *COMPLETIONS.values())


def make_files() -> dict[str, str]:
    """The files by their paths below share/."""
    sys.path.insert(0, str(ROOT))
    try:
        from pyoci.cli.completion import script
        from pyoci.cli.manual import manual
    finally:
        sys.path.remove(str(ROOT))
    files = {path: script(shell) for shell, path in COMPLETIONS.items()}
    files[MANUAL] = manual(*read_date())
    return files


def read_date() -> tuple[int, int, int]:
    """The day of the option table, or the one that a reproducible build is given."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    when = time.gmtime(int(given) if given else TABLE.stat().st_mtime)
    return when.tm_year, when.tm_mon, when.tm_mday


def write_files(directory: Path) -> list[Path]:
    """Write them below the directory; the paths of all files."""
    written = []
    for path, text in make_files().items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written


def remove_files(directory: Path) -> None:
    """Take them away; other files of these names are left alone."""
    for path in PATHS:
        target = directory / path
        if target.is_file() and "pyoci" in target.read_text(encoding="utf-8", errors="replace"):
            target.unlink()
