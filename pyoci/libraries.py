"""Where click, jsonschema, jeepney and pyroute2 are found, for the moments that need them.

The interpreter starts without site-packages (``-S``), which saves milliseconds and
keeps foreign code out; the directories join ``sys.path`` only when one is imported.
"""

from __future__ import annotations

import sys


def add_library_paths() -> None:
    """Append the directories of the libraries to sys.path, once.

    A build knows them (``pyoci/_build.py``); a source tree takes those of its interpreter.
    """
    for directory in _library_paths():
        if directory not in sys.path:
            sys.path.append(directory)


def _library_paths() -> tuple[str, ...]:
    try:
        from pyoci._build import LIBRARY_PATHS
    except ImportError:
        return _interpreter_paths()
    return tuple(str(path) for path in LIBRARY_PATHS)


def _interpreter_paths() -> tuple[str, ...]:
    """The site-packages of the running interpreter; its .pth files are not obeyed."""
    if not sys.flags.no_site:
        return ()
    import site

    # Under -S the prefix of a virtual environment is not set: its directory tells.
    prefix = sys.executable.rpartition("/bin/")[0]
    return tuple(dict.fromkeys(site.getsitepackages([prefix, *site.PREFIXES])))
