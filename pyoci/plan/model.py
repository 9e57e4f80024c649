"""What goes into a plan and what comes out: requests, facts about the host, plans."""

from __future__ import annotations

from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.step_types import BeforeStep, BesideStep, InitStep, LimitStep
    from pyoci.plan.steps import ExecuteProcess, LoadSeccomp, RunHooks
    from pyoci.plan.systemd.model import SystemdFacts, UnitPlan
    from pyoci.spec.model import Hooks


class CreateRequest(Record):
    """One `create` or `run`, as the command line asked for it; paths are absolute or empty."""

    command: str
    container_id: str
    bundle: str
    root: str
    pid_file: str = ""
    console_socket: str = ""
    pidfd_socket: str = ""
    config_path: str = "config.json"
    no_pivot: bool = False
    no_new_keyring: bool = False
    preserve_fds: int = 0
    listen_fds: int = 0
    detach: bool = False
    keep: bool = False
    no_subreaper: bool = False
    systemd_cgroup: bool = False
    rootless: str = "auto"
    notify_socket: str = ""


class HostFacts(Record):
    """What a plan depends on of the machine; it can be stale when the plan is carried out.

    `modules` are the security modules that label processes: read for a config that wants one.
    `rootless` is whether it is tolerated that cgroups are not permitted; the caller may then make
    one in `parent_cgroup`, None for nowhere.
    `systemd` is looked for only if it shall make the cgroup.
    """

    machine: str
    euid: int
    cgroup_mount: str
    own_cgroup: str
    modules: tuple[str, ...] = ()
    egid: int = 0
    rootless: bool = False
    parent_cgroup: str | None = None
    systemd: SystemdFacts | None = None


class CreatePlan(Record):
    """Everything that `create` and `run` will do, in order.

    `before` are main's steps up to the clone, `limits` those of the cgroup, set once
    init has made its mounts, `beside` main's others while init waits,
    `init` what init does until its program is to be found, `ready` the filter if it
    has a listener, `start` the hooks and any other filter between start and execve,
    `process` the program (None: config.json has none). With `notify` the state directory has one
    for a socket that the container sends to as services do. `unit` is what has the cgroup where
    systemd makes it.
    """

    container_id: str
    bundle: str
    rootfs: str
    cgroup: str
    before: tuple[BeforeStep, ...]
    limits: tuple[LimitStep, ...]
    beside: tuple[BesideStep, ...]
    init: tuple[InitStep, ...]
    start: tuple[RunHooks | LoadSeccomp, ...]
    process: ExecuteProcess | None
    hooks: Hooks
    own_pid_namespace: bool
    annotations: tuple[tuple[str, str], ...]
    oci_version: str
    warnings: tuple[str, ...] = ()
    ready: tuple[LoadSeccomp, ...] = ()
    notify: bool = False
    unit: UnitPlan | None = None
