"""Builds pyoci: a launcher, and the library directory of compiled modules that it runs.

Run it with the interpreter that pyoci shall run on. It keeps to the syntax of Python 3.7, so
that an interpreter that is too old gets a message instead of a SyntaxError.

    build/pyoci                 the launcher: an absolute interpreter, -ISXutf8, the library's path
    build/lib/pyoci_start.py    packaging/start.py
    build/lib/pyoci/            the package, its bytecode, schemas/ and _build.py
    build/lib/pyoci_commands/   the code of whole commands, by packaging/preload.py

`make install` adds what packaging/share.py makes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)

# The kernel cuts a "#!" line at 256 bytes, older ones at 128 (BINPRM_BUF_SIZE).
LONGEST_INTERPRETER = 120

# What pyoci imports beside the standard library, and Debian's names for it.
LIBRARIES = {
    "click": "python3-click",
    "jsonschema": "python3-jsonschema",
    "jeepney": "python3-jeepney",
    "pyroute2": "python3-pyroute2",
    "prctl": "python3-prctl",
}

# Imports each library and prints the entries of sys.path that they, and what they import, come
# from. -I leaves out the user's own site-packages: root must not run code from there.
PROBE = """
import importlib, json, sys
missing = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        missing.append(name)
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
used = [path for path in sys.path if any(file.startswith(path + "/") for file in files)]
print(json.dumps([missing, used]))
"""

LAUNCHER = """\
#!{python} -ISXutf8
# pyoci, an OCI container runtime. Written by packaging/build.py: change nothing here.
import sys

sys.dont_write_bytecode = True
sys.path.append({library!r})
from pyoci_start import main

main({library!r})
"""

BUILD_MODULE = """\
\"\"\"What the build knows: where its interpreter has the libraries, and the commit.\"\"\"

LIBRARY_PATHS: tuple[str, ...] = {library_paths!r}
COMMIT: str = {commit!r}
"""


class BuildError(Exception):
    """Why pyoci cannot be built or installed, in one line."""


def check_interpreter(python: str, version: tuple[int, ...], implementation: str) -> None:
    """Refuse an interpreter that pyoci cannot run on or a "#!" line cannot name."""
    shown = ".".join(str(number) for number in version[:3])
    if implementation != "cpython" or version[:2] < OLDEST_PYTHON:
        raise BuildError(f"pyoci needs CPython 3.11 or newer; {python} is {implementation} {shown}")
    if len(python) > LONGEST_INTERPRETER or any(letter.isspace() for letter in python):
        raise BuildError(f"{python}: too long for a #! line, or has a space in it")


def find_library_paths(python: str) -> tuple[str, ...]:
    """The site-packages directories in which this interpreter finds our libraries."""
    missing, used = json.loads(run([python, "-I", "-c", PROBE, *LIBRARIES]))
    if missing:
        packages = ", ".join(f"{name} ({LIBRARIES[name]})" for name in missing)
        raise BuildError(f"{python} has no {packages}: `make deps` installs Debian's packages")
    standard = json.loads(run([python, "-ISc", "import json, sys; print(json.dumps(sys.path))"]))
    return tuple(path for path in used if path not in standard)


def check_not_world_writable(path: Path) -> None:
    """Refuse code that anybody could replace before root runs it; a sticky bit prevents that."""
    for part in (path, *path.parents):
        mode = part.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise BuildError(f"{path}: {part} is writable by everyone")


def run(command: list[str]) -> str:
    """The output of a program; BuildError with its complaint if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command[:2])}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def read_commit(root: Path) -> str:
    """The short hash of the checkout; empty if this is none, or git is missing."""
    if not (root / ".git").exists():
        return ""
    try:
        return run(["git", "-C", str(root), "rev-parse", "--short", "HEAD"]).strip()
    except (BuildError, OSError):
        return ""


def write_library(target: Path, runs_from: Path, python: str) -> None:
    """Fill the library directory `target`, which pyoci will find at `runs_from`."""
    for source in sorted((ROOT / "pyoci").rglob("*.py")):
        copy_file(source, target / source.relative_to(ROOT))
    for schema in sorted((ROOT / "schemas").glob("*.json")):
        copy_file(schema, target / "pyoci" / "schemas" / schema.name)
    copy_file(ROOT / "packaging" / "start.py", target / "pyoci_start.py")
    library_paths = find_library_paths(python)
    for path in (python, *library_paths):
        check_not_world_writable(Path(path).resolve())
    text = BUILD_MODULE.format(library_paths=library_paths, commit=read_commit(ROOT))
    (target / "pyoci" / "_build.py").write_text(text)
    preload = str(ROOT / "packaging" / "preload.py")
    run([python, "-IS", "-X", "no_debug_ranges", preload, str(target), str(runs_from)])


def copy_file(source: Path, target: Path) -> None:
    """Copy the content, not the mode: the umask of main() gives 0644 and 0755."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write_launcher(path: Path, python: str, library: Path) -> None:
    """Write the program; by rename, so that a caller sees the old or the new one."""
    fd, new = tempfile.mkstemp(prefix=".pyoci-", dir=path.parent)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(LAUNCHER.format(python=python, library=str(library)))
        os.fchmod(fd, 0o755)
    Path(new).replace(path)


def replace_directory(new: Path, path: Path) -> None:
    """Put the directory `new`, which is on the same file system, in the place of `path`."""
    if path.exists():
        path.rename(new.with_name(f"{new.name}.old"))
    new.rename(path)
    shutil.rmtree(new.with_name(f"{new.name}.old"), ignore_errors=True)


def build(program: Path, library: Path, destdir: str = "") -> None:
    """Put the launcher at `program` and the modules at `library`, both below `destdir`."""
    python = sys.executable
    check_interpreter(python, sys.version_info[:3], sys.implementation.name)
    target = below(destdir, library)
    target.parent.mkdir(parents=True, exist_ok=True)
    below(destdir, program).parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".pyoci-", dir=target.parent))
    try:
        write_library(new, library, python)
        new.chmod(0o755)
        replace_directory(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    write_launcher(below(destdir, program), python, library)


def below(destdir: str, path: Path) -> Path:
    """The absolute path inside the staging directory, if there is one."""
    return Path(destdir + str(path)) if destdir else path


def report(action: str, function: Callable[..., None], *arguments: object) -> int:
    """Call the function; its error becomes one line and status 1."""
    os.umask(0o022)
    try:
        function(*arguments)
    except (BuildError, OSError) as error:
        print(f"{action}: {error}", file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Build into a directory: build/ unless another is given."""
    parser = argparse.ArgumentParser(description="build pyoci")
    parser.add_argument("--output", type=Path, default=ROOT / "build", metavar="DIR")
    output = parser.parse_args(arguments).output.resolve()
    return report("build", build, output / "pyoci", output / "lib")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
