"""``pyoci spec``."""

from __future__ import annotations

import posix

from pyoci.cli.call import Answer
from pyoci.cli.output import write_all
from pyoci.errors import PyociError
from pyoci.jsonio import dumps
from pyoci.spec.defaults import default_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call

_NEW_FILE = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC


def execute(call: Call) -> Answer:
    """Write config.json, indented with tabs as runc does; PyociError if there is one."""
    config = default_config(call.flag("rootless"), posix.geteuid(), posix.getegid())
    directory = call.text("bundle")
    _write_new(f"{directory}/config.json" if directory else "config.json", dumps(config, "\t"))
    return Answer()


def _write_new(path: str, text: str) -> None:
    """Write the file as a whole, or not at all."""
    try:
        fd = posix.open(path, _NEW_FILE, 0o666)
    except FileExistsError:
        raise PyociError("File config.json exists. Remove it first") from None
    try:
        write_all(fd, text + "\n")
    except OSError as error:
        posix.unlink(path)
        error.filename = path
        raise
    finally:
        posix.close(fd)
