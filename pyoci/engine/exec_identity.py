"""Who `exec --user` names: ids as they are, names by the container's own files.

Imported only for an exec with that option.
"""

from __future__ import annotations

from pyoci.spec.users import parse_user, resolve_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.spec.users import Identity


def find_identity(user: str, open_root: Callable[[], int]) -> Identity:
    """The ids; UsageError for a word that is no user, PyociError where the files do not have it.

    `open_root` gives a descriptor of the container's root, and is called only for a name.
    """
    word = parse_user(user)
    passwd = _read("/etc/passwd", open_root) if word.needs_passwd else ""
    group = _read("/etc/group", open_root) if word.needs_group else ""
    return resolve_user(word, passwd, group)


def _read(path: str, open_root: Callable[[], int]) -> str:
    from pyoci.host.accounts import read_account_file

    return read_account_file(open_root(), path)
