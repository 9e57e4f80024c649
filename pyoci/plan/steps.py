"""One record per kind of action: what a plan is made of.

A step says *what* and *where in the container*. It never holds a host path
below the rootfs: such a path is resolved when the step is carried out, from a
descriptor. `config` is the JSON path that caused the step, for error messages
and for `pyoci plan`.
"""

from __future__ import annotations

from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.systemd.model import Property
    from pyoci.spec.model import DeviceRule, Hook, IdMapping


class Step(Record):
    """The base of all steps."""

    config: str = ""


class ProcessStep(Step):
    """The base of what init does to itself, becoming the container process."""


# --- main, before init exists


class MakeCgroup(Step):
    """Make the container's cgroup: `path` below the cgroup2 mount."""

    path: str


class EnableControllers(Step):
    """Have these controllers in the container's cgroup (cgroup.subtree_control of all above it)."""

    controllers: tuple[str, ...]


class WriteCgroup(Step):
    """Write a value to a file of the cgroup; without the file `instead`, nothing if `optional`."""

    file: str
    value: str
    instead: WriteCgroup | None = None
    optional: bool = False


class DelegateCgroup(Step):
    """Make this user of the host the owner of the cgroup (config-linux.md, "Cgroup ownership")."""

    uid: int


class AttachDeviceFilter(Step):
    """Attach the eBPF program that decides by the default rules and these; later ones win.

    `optional`: where the kernel permits it.
    """

    rules: tuple[DeviceRule, ...]
    program: bytes
    optional: bool = False


class StartUnit(Step):
    """Have systemd start this unit with init in it, and tell init so."""

    unit: str
    properties: tuple[Property, ...]


class SetUnitProperties(Step):
    """Have systemd change these properties of the unit, as long as it runs."""

    unit: str
    properties: tuple[Property, ...]


class OpenNamespace(Step):
    """Open the namespace to join at a host path, check its type; `enter` it, for our children."""

    kind: str
    path: str
    enter: bool = False


class IdMap(Record):
    """How the ids of a mount are mapped; without mappings as the joined user namespace does."""

    uid_mappings: tuple[IdMapping, ...]
    gid_mappings: tuple[IdMapping, ...]
    recursive: bool = False


class OpenSource(Step):
    """Open a host path as a detached mount for the step of the same `config`, and map its ids."""

    path: str
    recursive: bool
    follow: bool = True
    propagations: tuple[int, ...] = ()
    id_map: IdMap | None = None


class ConnectConsole(Step):
    """Connect to the engine's socket for the terminal; without a path the terminal will be ours."""

    path: str


class CloneInit(Step):
    """Make init with new namespaces of these kinds, in the container's cgroup if that is made."""

    kinds: tuple[str, ...]


class WriteIdMaps(Step):
    """Write uid_map and gid_map of init's new user namespace, or have a helper do it."""

    uid_mappings: tuple[IdMapping, ...]
    gid_mappings: tuple[IdMapping, ...]
    uid_helper: str = ""
    gid_helper: str = ""
    deny_setgroups: bool = False


class SetOomScoreAdj(Step):
    """Write oom_score_adj (proc(5)); if `optional`, unless that would take root."""

    value: int
    optional: bool = False


class MoveNetDevice(Step):
    """Move a network device of the host into the container, under another name."""

    host_name: str
    name: str


class SendSeccompListener(Step):
    """Send the listener of init's filter to the socket at this host path (SCMP_ACT_NOTIFY)."""

    path: str
    metadata: str = ""


class SendPidfd(Step):
    """Send init's pidfd to the socket at this host path, once init is ready."""

    path: str


class RunHooks(Step):
    """Run the hooks of one kind, in order."""

    kind: str
    hooks: tuple[Hook, ...]


# --- init


class AwaitUnit(Step):
    """Wait until systemd has moved us into the container's cgroup."""


class AwaitIdMaps(Step):
    """Wait for main to write the id maps, then become root of the new user namespace.

    `visible`: until then main, an ordinary user, may use our files in /proc.
    """

    visible: bool = False


class JoinNamespace(Step):
    """Enter a namespace that main opened (setns(2))."""

    kind: str


class BecomeRoot(Step):
    """Become user and group 0 of the user namespace that was joined."""


class UnshareNamespaces(Step):
    """Get new namespaces of these kinds, owned by the user namespace that was joined."""

    kinds: tuple[str, ...]


class CloneSibling(Step):
    """Make init proper with such new namespaces, as another child of main; what made it ends."""

    kinds: tuple[str, ...]


class UnshareTimeNamespace(Step):
    """Make a time namespace, which nobody is in yet: its clocks can still be set."""


class SetTimeOffset(Step):
    """How far a clock of the new time namespace is ahead of the host's (time_namespaces(7))."""

    clock: str
    secs: int
    nanosecs: int


class EnterTimeNamespace(Step):
    """Enter the new time namespace."""


class UnshareCgroupNamespace(Step):
    """Get a cgroup namespace whose root is the container's cgroup, which init is in by now."""


class JoinSessionKeyring(Step):
    """Get a session keyring of our own, so that the caller's keys stay outside."""

    name: str


class SetLoopbackUp(Step):
    """Bring `lo` of the new network namespace up."""


class SetUpTerminal(Step):
    """Run on a new pty; /dev/console is made in the mount at `base`, if any; a size 0 is none."""

    base: str
    rows: int
    columns: int


class AwaitHost(Step):
    """Let main do its part (network devices, hooks on the host's side) and wait for it."""


class SetHostname(Step):
    """sethostname(2)."""

    name: str


class SetDomainname(Step):
    """setdomainname(2)."""

    name: str


# --- init, becoming the container process


class SetRlimit(ProcessStep):
    """Set one resource limit; `resource` is RLIMIT_'s number."""

    name: str
    resource: int
    soft: int
    hard: int


class SetNoNewPrivileges(ProcessStep):
    """PR_SET_NO_NEW_PRIVS."""


class SchedulingStep(ProcessStep):
    """The base of what few configs ask for; the kinds are in scheduling.py."""


class LabelStep(ProcessStep):
    """The base of the labels of security modules; the kinds are in labels.py."""


class DropBounding(ProcessStep):
    """Keep only these capabilities (bit mask) in the bounding set, while CAP_SETPCAP is there."""

    keep: int


class SetUser(ProcessStep):
    """Own stdio, then become this user with exactly these groups; capabilities are kept."""

    uid: int
    gid: int
    additional_gids: tuple[int, ...]


class SetCapabilities(ProcessStep):
    """Make the capability sets exactly these (bit masks)."""

    effective: int
    permitted: int
    inheritable: int
    ambient: int


class SetUmask(ProcessStep):
    """umask(2)."""

    mask: int


class ChangeDirectory(ProcessStep):
    """Enter the working directory, still as root: the user may not be allowed to (not an error)."""

    path: str


class VerifyDirectory(ProcessStep):
    """Enter it as the user if root could not, and make sure that it is inside the container."""

    path: str


class LoadSeccomp(Step):
    """Install the system call filter: last before execve, or with a listener, before `ready`."""

    program: bytes
    flags: int


class ExecuteProcess(Step):
    """Look the program up and, once started, become it (execve(2))."""

    args: tuple[str, ...]
    env: tuple[str, ...]
    preserve_fds: int
    uid: int
