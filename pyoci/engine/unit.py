"""The unit of a container whose cgroup systemd makes: started with init in it, changed, removed.

Imported only where the command line, or a saved state, says that systemd makes the cgroup.
"""

from __future__ import annotations

import posix

from pyoci.cgroup import manager
from pyoci.cgroup.changes import Changes
from pyoci.cgroup.systemd import Systemd
from pyoci.engine.containers import has_own_cgroup
from pyoci.engine.waits import pause
from pyoci.errors import PyociError, StepError
from pyoci.host.cgroupfs import find_cgroup_mount, read_cgroup_of
from pyoci.host.systemd import find_bus, uses_user_manager
from pyoci.linux.pidfd import read_kernel_file
from pyoci.plan.systemd.model import SystemdFacts
from pyoci.plan.systemd.properties import plan_limit_properties
from pyoci.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.cgroup.controllers import Uses
    from pyoci.plan.cgroup.model import CgroupWrite
    from pyoci.plan.model import CreateRequest, HostFacts
    from pyoci.plan.systemd.model import Property
    from pyoci.state.store import ContainerState


_SYSTEM_HINT = "is systemd running here, with D-Bus? without --systemd-cgroup neither is needed"
_USER_HINT = (
    "the user needs a manager of units: log in, or run `loginctl enable-linger USER`, "
    "and set XDG_RUNTIME_DIR=/run/user/UID"
)


def add_systemd_facts(facts: HostFacts, request: CreateRequest) -> HostFacts:
    """The facts with those about the manager that shall make the cgroup; it is asked for them."""
    is_users = uses_user_manager(request.rootless, facts.own_cgroup)
    address = find_bus(is_users=is_users)
    with Systemd(address, _USER_HINT if is_users else _SYSTEM_HINT) as systemd:
        version, cgroup = systemd.read_manager()
    found = SystemdFacts(address=address, is_users=is_users, version=version, cgroup=cgroup)
    return replace(facts, systemd=found)


class Unit:
    """The unit of one container, over one connection to its manager; close it."""

    def __init__(self, state: ContainerState) -> None:
        """Connect to the manager that the state names."""
        self.name = state.unit
        self.cgroup_path = state.cgroup_path
        self.systemd = Systemd(state.unit_bus)

    def close(self) -> None:
        """Close the connection."""
        self.systemd.close()

    def find_lacking(self, uses: Uses) -> Uses:
        """Those of the controllers that systemd has not enabled in the unit's cgroup."""
        present = read_kernel_file(f"{self.cgroup_path}/cgroup.controllers").decode().split()
        return {name: use for name, use in uses.items() if name not in present}

    def start(self, properties: tuple[Property, ...], pid: int) -> int:
        """Start it with the process in it; the inode of its cgroup, which no other will ever have.

        StepError, also if the process is not where we look for it.
        """
        is_slice = self.name.endswith(".slice")
        self.systemd.start_unit(self.name, properties, 0 if is_slice else pid)
        if is_slice:  # systemd puts processes into the units of a slice only
            manager.write_value(self.cgroup_path, "cgroup.procs", str(pid))
        cgroup = read_cgroup_of(str(pid))
        if find_cgroup_mount() + cgroup != self.cgroup_path:
            detail = f"init is in cgroup {cgroup}, and not in {self.cgroup_path}"
            raise StepError("main", f"start unit {self.name}", detail)
        return posix.stat(self.cgroup_path).st_ino


def change_limits(
    state: ContainerState, writes: tuple[CgroupWrite, ...], keep: Callable[[], None]
) -> None:
    """Do all the writes, tell systemd the limits that it knows, then `keep` what was done.

    StepError, and all is as it was, if any of them fails. systemd writes the
    files, too, and rounds: they are written once more then.
    """
    path = state.cgroup_path
    with Systemd(state.unit_bus) as systemd:
        version, _ = systemd.read_manager()
        properties = plan_limit_properties(writes, version)
        before = systemd.read_properties(state.unit, [made.name for made in properties])
        former = [replace(made, value=before[made.name]) for made in properties]

        def tell() -> None:
            systemd.set_properties(state.unit, properties)
            try:
                Changes(path).apply(writes, keep)
            except BaseException:
                systemd.set_properties(state.unit, former)
                raise

        # The first to read the files is the last to take back what was done to them.
        Changes(path).apply(writes, tell)


def attach(state: ContainerState, below: str, pid: int) -> None:
    """Have systemd move a process into the unit, or into a cgroup below that; StepError."""
    with Systemd(state.unit_bus) as systemd:
        systemd.attach(state.unit, below, pid)


def remove_unit(state: ContainerState) -> None:
    """Kill what is left in the unit, stop it, and have systemd forget it; nothing if it is gone."""
    is_own = has_own_cgroup(state)
    if is_own:
        if manager.is_populated(state.cgroup_path):
            manager.kill_all(state.cgroup_path, pause)
        manager.remove_cgroup(state.cgroup_path, (), pause)
    try:
        systemd = Systemd(state.unit_bus)
    except PyociError:
        # The manager has ended, and its units with it; if it has only no bus, it notices by itself.
        if not is_own:
            return
        manager.remove_cgroup(state.cgroup_path, (state.cgroup_path,), pause)
        return
    with systemd:
        systemd.stop_unit(state.unit, state.unit_description)
    if is_own and has_own_cgroup(state):
        manager.remove_cgroup(state.cgroup_path, (state.cgroup_path,), pause)
