"""The limits of a container's cgroup: set once init has made its mounts and devices.

Earlier they would hit init itself: the device filter its mounts of block
devices, a small memory limit the interpreter that it still is. In a cgroup that
was there before, a create that fails sets back what it has changed.
"""

from __future__ import annotations

import posix

from pyoci.cgroup import manager
from pyoci.cgroup.devices import attach_device_filter, load_device_filter, replace_device_filter
from pyoci.engine.naming import Naming
from pyoci.plan import steps as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cgroup.changes import Changes
    from pyoci.engine.undo import Undo
    from pyoci.engine.unit import Unit
    from pyoci.plan.cgroup.model import CgroupWrite
    from pyoci.plan.step_types import LimitStep


class Limits:
    """The limits of one container, to be applied once."""

    # Where systemd has made the cgroup.
    unit: Unit | None = None

    def __init__(
        self, steps: tuple[LimitStep, ...], mount: str, cgroup: str, undo: Undo, *, fresh: bool
    ) -> None:
        """Take the steps, the cgroup2 mount, the cgroup below it, and whether it is a new one."""
        self.changes: Changes | None = None
        self.undo = undo
        self.steps = steps
        self.writes = [step for step in steps if isinstance(step, s.WriteCgroup)]
        self.mount = mount
        self.cgroup = cgroup
        self.fresh = fresh
        self.program_fd = -1

    def prepare(self) -> None:
        """Load the device filter, while init works: it takes the kernel longest."""
        for step in self.steps:
            if isinstance(step, s.AttachDeviceFilter):
                with Naming(step):
                    self._load(step)

    def _load(self, step: s.AttachDeviceFilter) -> None:
        try:
            self.program_fd = load_device_filter(step.program)
        except PermissionError:  # bpf(2) takes CAP_BPF and CAP_NET_ADMIN of the whole machine
            if not step.optional:
                raise

    def apply(self) -> None:
        """Carry the steps out; a second time nothing is done."""
        steps, self.steps = self.steps, ()
        for step in steps:
            with Naming(step):
                self._apply(step)
        if steps and self.fresh and self.limits_memory:
            self._check_init_lives()

    @property
    def limits_memory(self) -> bool:
        """Whether memory.max is among the limits."""
        return any(step.file == "memory.max" for step in self.writes)

    def _apply(self, step: LimitStep) -> None:
        match step:
            case s.EnableControllers():
                self._enable(step)
            case s.SetUnitProperties():
                if self.unit is not None:
                    self.unit.systemd.set_properties(step.unit, step.properties)
            case s.WriteCgroup() if self.fresh:
                self._write(step)
            case s.WriteCgroup():
                self._change(step)
            case s.DelegateCgroup():
                from pyoci.cgroup.delegation import delegate

                delegate(self.mount + self.cgroup, step.uid)
            case s.AttachDeviceFilter():
                if self.program_fd >= 0:
                    self._attach()

    def _check_init_lives(self) -> None:
        """StepError if it was more than the limit already: the kernel kills for it at once."""
        from pyoci.engine.stillborn import was_oom_killed

        if was_oom_killed(self.mount + self.cgroup):
            from pyoci.engine.failures import killed_error

            raise killed_error()

    def _enable(self, step: s.EnableControllers) -> None:
        from pyoci.cgroup.controllers import enable_controllers, first_uses

        writes = [(step.file, step.config) for step in self.writes if not step.optional]
        uses = first_uses(step.controllers, writes)
        if self.unit is not None:
            # systemd delegates most of them, and its slices are not for a user to change.
            uses = self.unit.find_lacking(uses)
        if uses:
            enable_controllers(self.mount, self.cgroup, uses, "main")

    def _write(self, step: s.WriteCgroup) -> None:
        try:
            manager.write_value(self.mount + self.cgroup, step.file, step.value)
        except FileNotFoundError:
            if step.instead is not None:
                self._write(step.instead)
            elif not step.optional:
                raise

    def _change(self, step: s.WriteCgroup) -> None:
        """The same in a cgroup that will stay if the create fails."""
        from pyoci.cgroup.changes import Changes

        if self.changes is None:
            self.changes = Changes(self.mount + self.cgroup)
            self.undo.push("set the limits back", self._roll_back)
        self.changes.make(_as_change(step))

    def _roll_back(self) -> None:
        if self.changes is not None:
            self.changes.roll_back()

    def _attach(self) -> None:
        cgroup_fd = manager.open_cgroup(self.mount + self.cgroup)
        try:
            if self.fresh:
                attach_device_filter(cgroup_fd, self.program_fd)
            else:  # it was there before, perhaps with a filter of somebody else
                replace_device_filter(cgroup_fd, self.program_fd)
        finally:
            posix.close(cgroup_fd)

    def close(self) -> None:
        """Let go of the device filter: the cgroup keeps what is attached."""
        if self.program_fd >= 0:
            posix.close(self.program_fd)
            self.program_fd = -1


def _as_change(step: s.WriteCgroup) -> CgroupWrite:
    from pyoci.plan.cgroup.model import CgroupWrite

    return CgroupWrite(
        controller=step.file.partition(".")[0],
        file=step.file,
        value=step.value,
        config_path=step.config,
        instead=None if step.instead is None else _as_change(step.instead),
        optional=step.optional,
    )
