"""An ordinary user with a manager of units of his own, and containers whose cgroup it makes.

The user is the guest's, "user"; he lingers, so that his manager runs without a session.
"""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.containers import Bundle, wait_until
from tests.support.guest import is_guest
from tests.support.units import CGROUP2, Manager, UnitContainer, show
from tests.support.user_namespaces import give

NAME = "user"
USER = pwd.getpwnam(NAME) if is_guest() else pwd.getpwuid(0)
UID, GID = USER.pw_uid, USER.pw_gid
SERVICE = f"user@{UID}.service"
RUNTIME_DIRECTORY = Path(f"/run/user/{UID}")

# A process of the user in the cgroup of whoever calls, which is not one of his.
BECOME = (
    *("setpriv", f"--reuid={UID}", f"--regid={GID}", "--init-groups"),
    *("env", f"XDG_RUNTIME_DIR={RUNTIME_DIRECTORY}"),
)

# Where the user calls from, by the words before the command.
CALLERS = {
    # a scope of his manager, next to which that may move processes itself
    "manager": (*BECOME, "systemd-run", "--user", "--scope", "--quiet", "--collect"),
    # a service of his manager
    "service": (*BECOME, "systemd-run", "--user", "--pipe", "--wait", "--quiet", "--collect"),
    # a session: user.slice/user-UID.slice/session-N.scope
    "session": (
        *("systemd-run", "--pipe", "--wait", "--quiet", "--collect", f"--property=User={NAME}"),
        *("--property=PAMName=login", f"--setenv=XDG_RUNTIME_DIR={RUNTIME_DIRECTORY}"),
    ),
    # what setpriv, su and sudo do: a cgroup of the system's manager
    "outside": BECOME,
}

MANAGER = Manager(
    [*BECOME, "systemctl", "--user"],
    CGROUP2 / "user.slice" / f"user-{UID}.slice" / SERVICE,
    RUNTIME_DIRECTORY / "systemd" / "transient",
)


@contextmanager
def lingering() -> Iterator[None]:
    """The user's manager runs until the end of this."""
    subprocess.run(["loginctl", "enable-linger", NAME], check=True)
    try:
        wait_until((RUNTIME_DIRECTORY / "bus").exists, 90)
        wait_until(lambda: show(SERVICE, "ActiveState")["ActiveState"] == "active", 90)
        yield
    finally:
        subprocess.run(["loginctl", "disable-linger", NAME], check=True)
        wait_until(lambda: show(SERVICE, "ActiveState")["ActiveState"] == "inactive", 90)


class UserUnitContainer(UnitContainer):
    """A container of the user, called for from `caller`; its state is where users have theirs."""

    manager = MANAGER

    def __init__(self, runtime: Path, directory: Path, bundle: Bundle, container_id: str) -> None:
        """Give the user what is his."""
        super().__init__(runtime, directory, bundle, container_id)
        self.root = RUNTIME_DIRECTORY / "pyoci"
        self.caller = CALLERS["manager"]
        self.options: tuple[str, ...] = ()
        give(bundle.path, UID, GID)

    @property
    def program(self) -> list[str]:
        """The runtime, as the user calls it."""
        driver = ["--systemd-cgroup"] if self.making else []
        return [*self.caller, str(self.runtime), *self.options, *driver]

    def leftovers(self) -> list[str]:
        """What there still is of the container, and the units of the user that have failed."""
        failed = self.manager.find_failed()
        return [*super().leftovers(), *([failed] if failed else [])]
