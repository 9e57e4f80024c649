"""``pyoci ps``: ps(1), cut down to the processes of one container."""

from __future__ import annotations

import posix

from pyoci.cli.call import Answer
from pyoci.cli.paths import decode
from pyoci.engine import query
from pyoci.errors import PyociError, describe_oserror
from pyoci.jsonio import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pyoci.cli.call import Call

# Not the caller's PATH, which may be empty, and which root should not follow.
_DIRECTORIES = ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin")

# Python ignores these; ps must not inherit that (SIGPIPE, SIGXFSZ).
_IGNORED_SIGNALS = (13, 25)


def execute(call: Call) -> Answer:
    """The processes as ps's table or, as JSON, their ids and nothing else."""
    pids = query.read_processes(call.root, call.container_id())
    if call.text("format") == "json":
        return Answer(text=dumps(pids) + "\n")
    listing = run_ps(call.arguments[1:] or ("-ef",))
    return Answer(text=select_rows(listing, pids))


def select_rows(listing: str, pids: Collection[int]) -> str:
    """The header of ps's output and the rows of these processes; PyociError if it has no PID."""
    header, *rows = listing.splitlines() or [""]
    titles = header.split()
    if "PID" not in titles:
        raise PyociError("cannot find a PID column in the output of ps")
    column = titles.index("PID")
    wanted = {str(pid) for pid in pids}
    chosen = [row for row in rows if wanted.intersection(row.split()[column : column + 1])]
    return "\n".join([header, *chosen, ""])


def run_ps(arguments: Sequence[str]) -> str:
    """What ps prints with these arguments; PyociError if it fails. Its complaints go to stderr."""
    path = _find_ps()
    read_fd, write_fd = posix.pipe()
    try:
        pid = posix.posix_spawn(
            path,
            ["ps", *arguments],
            posix.environ,
            file_actions=[(posix.POSIX_SPAWN_DUP2, write_fd, 1)],
            setsigdef=_IGNORED_SIGNALS,
        )
        posix.close(write_fd)
        write_fd = -1
        text = _read_all(read_fd)
        status = posix.waitstatus_to_exitcode(posix.waitpid(pid, 0)[1])
    except OSError as error:
        raise PyociError(f"cannot run {path}: {describe_oserror(error)}") from error
    finally:
        for fd in (read_fd, write_fd):
            if fd >= 0:
                posix.close(fd)
    if status:
        raise PyociError(f"{path} failed with exit status {status}")
    return text


def _find_ps() -> str:
    for directory in _DIRECTORIES:
        path = f"{directory}/ps"
        if posix.access(path, posix.X_OK):
            return path
    raise PyociError(
        "ps: executable file not found",
        "install ps (Debian: procps), or use --format json",
    )


def _read_all(fd: int) -> str:
    parts = []
    while part := posix.read(fd, 65536):
        parts.append(part)
    return decode(b"".join(parts))
