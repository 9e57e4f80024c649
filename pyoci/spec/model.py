"""Records of the parts of config.json that pyoci acts on (runtime-spec 1.3.0).

Names are the specification's in snake case. ``parse.py`` makes these from a
dict that the schema has accepted; nothing here reads or checks anything.
"""

from __future__ import annotations

from pyoci.record import Record


class Root(Record):
    """config.md, "Root": the container's root filesystem."""

    path: str
    readonly: bool = False


class IdMapping(Record):
    """config-linux.md, "User namespace mappings": `size` ids from `container_id` on."""

    container_id: int
    host_id: int
    size: int


class Mount(Record):
    """config.md, "Mounts"; options are still words."""

    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()


class User(Record):
    """config.md, "User": ids in the container's user namespace; umask None leaves it alone."""

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()


class Capabilities(Record):
    """config.md, "Linux Process": the five sets, as names (CAP_...)."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class Rlimit(Record):
    """config.md, "POSIX process": one resource limit."""

    type: str
    soft: int
    hard: int


class ConsoleSize(Record):
    """config.md, "Process": size of the terminal in characters."""

    height: int
    width: int


class Scheduler(Record):
    """config.md, "Linux Process", scheduler: what sched_setattr(2) takes; times in nanoseconds."""

    policy: str
    nice: int = 0
    priority: int = 0
    flags: tuple[str, ...] = ()
    runtime: int = 0
    deadline: int = 0
    period: int = 0


class IoPriority(Record):
    """config.md, "Linux Process", ioPriority: what ioprio_set(2) takes."""

    io_class: str
    priority: int = 0


class CpuAffinity(Record):
    """config.md, "Linux Process", execCPUAffinity: cpu lists, for exec only."""

    initial: str = ""
    final: str = ""


class Process(Record):
    """config.md, "Process"."""

    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    cwd: str = "/"
    terminal: bool = False
    console_size: ConsoleSize | None = None
    user: User = User()
    capabilities: Capabilities | None = None
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    oom_score_adj: int | None = None
    apparmor_profile: str = ""
    selinux_label: str = ""
    scheduler: Scheduler | None = None
    io_priority: IoPriority | None = None
    exec_cpu_affinity: CpuAffinity | None = None


class Hook(Record):
    """config.md, "POSIX-platform Hooks": env None means that the config gave none; timeout in s."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] | None = None
    timeout: int | None = None


class Hooks(Record):
    """config.md, "POSIX-platform Hooks": the six lists."""

    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


class Namespace(Record):
    """config-linux.md, "Namespaces": new, or the one at `path` if that is not empty."""

    type: str
    path: str = ""


class Device(Record):
    """config-linux.md, "Devices"; file_mode None means 0666."""

    path: str
    type: str
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    uid: int = 0
    gid: int = 0


class DeviceRule(Record):
    """config-linux.md, "Allowed Device list"; major and minor None match every number."""

    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


class NetDevice(Record):
    """config-linux.md, "Network Devices": the host's name, and the one it gets inside."""

    host_name: str
    name: str


class SyscallArg(Record):
    """config-linux.md, "Seccomp": compare argument `index` with `value` (and `value_two`)."""

    index: int
    value: int
    value_two: int = 0
    op: str


class SyscallRule(Record):
    """config-linux.md, "Seccomp": what happens to these calls; errno_ret None is the default."""

    names: tuple[str, ...]
    action: str
    errno_ret: int | None = None
    args: tuple[SyscallArg, ...] = ()


class Seccomp(Record):
    """config-linux.md, "Seccomp"; flags None means that the config gave none."""

    default_action: str
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] | None = None
    listener_path: str = ""
    listener_metadata: str = ""
    syscalls: tuple[SyscallRule, ...] = ()


class TimeOffset(Record):
    """config-linux.md, "Offset for Time Namespace"."""

    clock: str
    secs: int = 0
    nanosecs: int = 0


class Linux(Record):
    """config-linux.md; `resources` stays the dict that plan/cgroup reads, None if absent."""

    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    time_offsets: tuple[TimeOffset, ...] = ()
    sysctl: tuple[tuple[str, str], ...] = ()
    cgroups_path: str = ""
    resources: dict[str, object] | None = None
    device_rules: tuple[DeviceRule, ...] = ()
    devices: tuple[Device, ...] = ()
    net_devices: tuple[NetDevice, ...] = ()
    seccomp: Seccomp | None = None
    rootfs_propagation: str = ""
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    mount_label: str = ""
    personality: str = ""
    intel_rdt: dict[str, object] | None = None
    memory_policy: dict[str, object] | None = None


class Spec(Record):
    """A whole config.json."""

    oci_version: str
    root: Root
    mounts: tuple[Mount, ...] = ()
    process: Process | None = None
    hostname: str = ""
    domainname: str = ""
    hooks: Hooks = Hooks()
    annotations: tuple[tuple[str, str], ...] = ()
    linux: Linux = Linux()
