"""Calls of the runtime by an ordinary user, in a mount namespace of the test's own.

There the test's directory is on /mnt, where everybody gets to, and /etc/passwd, subuid and subgid
are the test's; with a delegated cgroup the call comes from within that.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from tests.support.containers import Bundle, Container, find_cgroup2
from tests.support.user_namespaces import give

if TYPE_CHECKING:
    from pathlib import Path

UID, GID = 4711, 4712
SUBORDINATE = 600000
FILES = {
    "passwd": f"root:x:0:0::/:/bin/sh\nordinary:x:{UID}:{GID}::/:/bin/sh\n",
    "subuid": f"ordinary:{SUBORDINATE}:65536\n",
    "subgid": f"ordinary:{SUBORDINATE}:65536\n",
}
SINGLE = {
    "uidMappings": [{"containerID": 0, "hostID": UID, "size": 1}],
    "gidMappings": [{"containerID": 0, "hostID": GID, "size": 1}],
}
# The user is root inside, and has 65536 other ids, as with Podman.
RANGES = {
    name: [
        {"containerID": 0, "hostID": own, "size": 1},
        {"containerID": 1, "hostID": SUBORDINATE, "size": 65536},
    ]
    for name, own in (("uidMappings", UID), ("gidMappings", GID))
}


class Rootless(Container):
    """A container of the user; `cgroup_path` is where the user's calls come from."""

    cgroup_path: Path | None = None
    options: tuple[str, ...] = ()
    user_id, group_id = UID, GID

    def __init__(self, runtime: Path, directory: Path, bundle: Bundle, container_id: str) -> None:
        """Give the user what is his."""
        super().__init__(runtime, directory, bundle, container_id)
        self.root = directory / "run" / "pyoci"
        directory.chmod(0o711)
        for name in ("run", "etc"):
            (directory / name).mkdir(exist_ok=True)
        (directory / "run").chmod(0o700)
        os.chown(directory / "run", UID, GID)
        give(bundle.path, UID, GID)
        for name, text in FILES.items():
            (directory / "etc" / name).write_text(text)
        self.environment["XDG_RUNTIME_DIR"] = "/mnt/run"

    @property
    def program(self) -> list[str]:
        """The runtime, as the user calls it: its words are those that follow."""
        lines = [f"mount --bind {shlex.quote(str(self.directory))} /mnt", "cd /mnt"]
        lines += [f"mount --bind etc/{name} /etc/{name}" for name in FILES]
        if self.cgroup_path is not None:
            lines.append(f"echo 0 > {shlex.quote(str(self.cgroup_path / 'cgroup.procs'))}")
        lines.append('exec "$@"')
        become = ["setpriv", "--reuid", str(self.user_id), "--regid", str(self.group_id)]
        return [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-ec", "\n".join(lines), "sh"),
            *become,
            *("--clear-groups", str(self.runtime), *self.options),
        ]

    def create(self, *options: str, **settings: Any) -> Any:  # noqa: ANN401
        """As the user sees the bundle."""
        words = ("create", "--bundle", f"/mnt/{self.bundle.path.name}", *options, self.id)
        return self.call_detached(*words, **settings)

    def run(self, *options: str, **settings: Any) -> Any:  # noqa: ANN401
        """The same."""
        words = ("run", "--bundle", f"/mnt/{self.bundle.path.name}", *options, self.id)
        return self.call(*words, **settings)

    def run_detached(self, *options: str, **settings: Any) -> Any:  # noqa: ANN401
        """The same."""
        words = ("run", "--detach", "--bundle", f"/mnt/{self.bundle.path.name}", *options, self.id)
        return self.call_detached(*words, **settings)


def make_delegated(name: str) -> Path | None:
    """A cgroup of the user below the test's, and in it one for his calls; None without cgroup2."""
    mount = find_cgroup2()
    if mount is None:
        return None
    parent = mount / name / "delegated"
    session = parent / "session"
    session.mkdir(parents=True)
    for path in (parent, session):
        os.chown(path, UID, GID)
        for file in ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
            os.chown(path / file, UID, GID)
    return session


def remove_delegated(session: Path) -> None:
    """Take both away again."""
    session.rmdir()
    session.parent.rmdir()
