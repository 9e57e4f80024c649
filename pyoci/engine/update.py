"""update: other limits for a container in use, all of them or none."""

from __future__ import annotations

from pyoci.cgroup.changes import Changes, check_usage
from pyoci.engine.containers import UNTYPED_ERRORS, Container, cgroup_of
from pyoci.linux.pidfd import read_kernel_file
from pyoci.plan.cgroup.merge import merge_resources, parse_given, select_changes
from pyoci.plan.cgroup.resources import needed_controllers, plan_resources
from pyoci.state import store
from pyoci.state.lifecycle import check_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.plan.cgroup.merge import Resources
    from pyoci.plan.cgroup.model import ResourcePlan
    from pyoci.state.store import ContainerState


def update(
    root: str,
    container_id: str,
    read_resources: Callable[[], Resources],
    log: Callable[[str, str], None],
) -> None:
    """Set what the resources say, and keep all the container had that they do not mention.

    `read_resources` gives a `linux.resources` object that the schema has
    accepted; it is called once the container is known to run, since it may
    wait for standard input. ConfigError for a value that cannot be, StepError
    for one that the kernel refuses: both name the key, and nothing is changed.
    """
    with Container(root, container_id) as container:
        _check_status(container)
        given = parse_given(read_resources())
        container.lock()
        state = _check_status(container)
        config = store.read_config(container.dir_fd, container_id)
        try:
            linux = config.get("linux") or {}
            merged = merge_resources(linux.get("resources") or {}, given)
            config["linux"] = linux | {"resources": merged}
        except UNTYPED_ERRORS as error:
            raise container.blame(config, error) from None
        plan = plan_resources(select_changes(merged, given))
        for note in plan.notes:
            log("warning", note)
        _apply(state, plan, lambda: store.write_config(container.dir_fd, config))


def _check_status(container: Container) -> ContainerState:
    state = container.read_state()
    check_operation("update", container.read_status(state), container.container_id)
    return state


def _apply(state: ContainerState, plan: ResourcePlan, keep: Callable[[], None]) -> None:
    path = cgroup_of(state)
    for check in plan.checks:
        check_usage(path, check)
    _enable_controllers(path, plan)
    if not state.unit:
        Changes(path).apply(plan.writes, keep)
        return
    from pyoci.engine.unit import change_limits

    change_limits(state, plan.writes, keep)


def _enable_controllers(path: str, plan: ResourcePlan) -> None:
    """Have the controllers that the writes need; one that comes without a limit changes nothing."""
    present = read_kernel_file(f"{path}/cgroup.controllers").decode().split()
    missing = [name for name in needed_controllers(plan) if name not in present]
    if not missing:
        return
    from pyoci.cgroup.controllers import enable_controllers, first_uses
    from pyoci.host.cgroupfs import find_cgroup_mount

    mount = find_cgroup_mount()
    writes = [(write.file, write.config_path) for write in plan.writes if not write.optional]
    uses = first_uses(missing, writes)
    enable_controllers(mount, path.removeprefix(mount), uses)
