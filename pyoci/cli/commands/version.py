"""``pyoci --version``."""

from __future__ import annotations

import sys

from pyoci import __version__
from pyoci.cli.call import Answer
from pyoci.spec.defaults import SPEC_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(_: Call) -> Answer:
    """Lines that Docker and go-runc parse: only the first may hold the word "version"."""
    lines = (
        f"pyoci version {__version__}",
        f"commit: {_read_commit()}",
        f"spec: {SPEC_VERSION}",
        f"python: {sys.version.split()[0]}",
    )
    return Answer(text="\n".join([*lines, ""]))


def _read_commit() -> str:
    """The commit that was built; a source tree does not know its own."""
    try:
        from pyoci._build import COMMIT
    except ImportError:
        return "unknown"
    return str(COMMIT)
