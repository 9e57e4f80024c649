"""Calls of the runtime by an ordinary user, in a mount namespace of the test's own; fixtures.

There the test's directory is on /mnt, where everybody gets to, and /etc/passwd, subuid and subgid
are the test's; with a delegated cgroup the call comes from within that.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pyoci.spec.defaults import default_config
from tests.support.containers import (
    Bundle,
    Container,
    MakeBundle,
    find_cgroup2,
    merge,
    reap_children,
    wait_until,
)
from tests.support.user_namespaces import give

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
    for controller in (parent.parent / "cgroup.controllers").read_text().split():
        (parent.parent / "cgroup.subtree_control").write_text(f"+{controller}")
    for path in (parent, session):
        os.chown(path, UID, GID)
        for file in ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
            os.chown(path / file, UID, GID)
    return session


def remove_delegated(session: Path) -> None:
    """Take both away again."""
    session.rmdir()
    session.parent.rmdir()


Make: TypeAlias = Callable[..., Rootless]


@pytest.fixture
def rootless(pyoci: Path, tmp_path: Path, test_name: str, bundle: MakeBundle) -> Iterator[Make]:
    """Makes containers of the user from what `spec --rootless` writes, with these members."""
    with contextlib.ExitStack() as stack:

        def make(*args: str, **members: Any) -> Rootless:  # noqa: ANN401
            made = bundle(*args)
            config = json.loads(json.dumps(default_config(rootless=True, uid=UID, gid=GID)))
            process = {"terminal": False, "args": list(args)}
            made.config = merge(merge(config, {"process": process}), members)
            made.write()
            container = Rootless(pyoci, tmp_path, made, f"{test_name}.{made.path.name}")
            stack.callback(container.clean_up)
            return container

        check_reach(make, pyoci)
        yield make
    assert not list((tmp_path / "run").glob("pyoci/*"))


def check_reach(make: Make, pyoci: Path) -> None:
    """Skip where the user cannot get to the runtime, or to its interpreter."""
    if make("true").call("--version").rc:
        pytest.skip(f"{pyoci} or its interpreter is root's alone")


@pytest.fixture
def delegated(test_name: str) -> Iterator[Path]:
    """The cgroup that the user's calls come from, in one that is delegated to him."""
    session = make_delegated(test_name)
    if session is None:
        pytest.skip("needs a cgroup2 filesystem")
    yield session
    wait_until(lambda: "populated 0" in (session.parent / "cgroup.events").read_text())
    remove_delegated(session)


def await_stop(c: Rootless) -> None:
    """Wait for the end of init; its pid namespace ends when what exec made is reaped, by us."""

    def stopped() -> bool:
        reap_children(set())
        return c.status == "stopped"

    wait_until(stopped)
