"""A plan as text and as JSON, and a step in words: for `pyoci plan`, --debug and errors.

Never on the hot path: imported when somebody asks, or when a step has failed.
"""

from __future__ import annotations

from pyoci.linux import consts as c
from pyoci.plan import labels, scheduling
from pyoci.plan import rootfs_steps as r
from pyoci.plan import steps as s
from pyoci.plan.caps import names_of
from pyoci.plan.mounts import ATTRIBUTES, PROPAGATION
from pyoci.record import Record, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.plan.exec import ExecPlan
    from pyoci.plan.model import CreatePlan

_SECTIONS = (
    ("before", "main, before init exists"),
    ("limits", "main, once init has made its mounts"),
    ("beside", "main, while init waits"),
    ("init", "init, until it is ready"),
    ("ready", "init, once its program is found"),
    ("start", "init, after start"),
)
_LATER_HOOKS = (("poststart", "main, after start"), ("poststop", "main, after delete"))


def render_text(plan: CreatePlan) -> str:
    """The plan for people: a line a step, with the config path that caused it."""
    lines = [
        f"container {plan.container_id}",
        f"bundle    {plan.bundle}",
        f"rootfs    {plan.rootfs}",
        f"cgroup    {plan.cgroup or 'none'}",
    ]
    if plan.unit is not None:
        lines.append(f"unit      {plan.unit.name} in {plan.unit.slice}")
    for name, title in _SECTIONS + _LATER_HOOKS:
        steps = _steps(plan, name)
        if name == "start" and plan.process is not None:
            steps = (*steps, plan.process)
        if not steps:
            continue
        lines += ["", f"{title}:"]
        lines += [_line(number, step) for number, step in enumerate(steps, 1)]
    if plan.warnings:
        lines += ["", "warnings:"]
        lines += [f"  {warning}" for warning in plan.warnings]
    return "\n".join([_printable(line) for line in lines]) + "\n"


def render_steps(plan: CreatePlan) -> list[str]:
    """A line for each step that create or start will take: who takes it, and what causes it."""
    lines = [
        f"{title}: {_with_cause(describe(step), step)}"
        for name, title in _SECTIONS
        for step in _steps(plan, name)
    ]
    if plan.process is not None:
        lines.append(f"init, after start: {_with_cause(describe(plan.process), plan.process)}")
    return lines


def render_exec_steps(plan: ExecPlan) -> list[str]:
    """The same for one more process."""
    from pyoci.plan.exec import describe_step

    lines = [_with_cause(describe_step(step), step) for step in plan.init]
    rest = (*plan.ready, *plan.start, plan.process)
    lines += [_with_cause(describe(step), step) for step in rest]
    return [f"the process: {line}" for line in lines]


def _with_cause(words: str, step: s.Step) -> str:
    return f"{words} ({step.config})" if step.config else words


def _steps(plan: CreatePlan, name: str) -> tuple[s.Step, ...]:
    """The steps of a section; the hooks that other commands will run, as if they were steps."""
    if name not in ("poststart", "poststop"):
        found: tuple[s.Step, ...] = getattr(plan, name)
        return found
    hooks = getattr(plan.hooks, name)
    return (s.RunHooks(config=f"hooks.{name}", kind=name, hooks=hooks),) if hooks else ()


def _printable(line: str) -> str:
    """The line as one line, whatever names and paths hold; it may go to a terminal."""
    if line.isprintable():
        return line
    return "".join([char if char.isprintable() else ascii(char)[1:-1] for char in line])


def _line(number: int, step: s.Step) -> str:
    text = f"{number:4}. {describe(step)}"
    return f"{text:<76} # {step.config}" if step.config else text


def render_json(plan: CreatePlan) -> dict[str, object]:
    """The plan for programs: every step with its kind, its fields and its cause."""
    made: dict[str, object] = {
        "id": plan.container_id,
        "bundle": plan.bundle,
        "rootfs": plan.rootfs,
        "cgroup": plan.cgroup,
    }
    if plan.unit is not None:
        made["unit"] = _plain(plan.unit)
    for name, _ in _SECTIONS + _LATER_HOOKS:
        made[name] = [_to_dict(step) for step in _steps(plan, name)]
    made["process"] = _to_dict(plan.process) if plan.process is not None else None
    made["warnings"] = list(plan.warnings)
    return made


def _to_dict(step: s.Step) -> dict[str, object]:
    members = {name: _plain(value) for name, value in fields(step).items()}
    return {"step": type(step).__name__, "description": describe(step), **members}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Record):
        return {name: _plain(item) for name, item in fields(value).items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def describe(step: s.Step) -> str:
    """What a step does, in a few words with the container path or value it is about."""
    return _WORDS[type(step)](step)


def _attributes(attr_set: int, attr_clr: int) -> list[str]:
    words = [word for word, (on, _) in ATTRIBUTES.items() if on and attr_set & on]
    if attr_clr & c.MOUNT_ATTR__ATIME and not attr_set & c.MOUNT_ATTR__ATIME:
        words.append("relatime")
    cleared = attr_clr & ~attr_set & ~c.MOUNT_ATTR__ATIME
    return words + [word for word, (on, off) in ATTRIBUTES.items() if not on and off & cleared]


def _mount_options(step: r.Mount) -> str:
    words = _attributes(step.attr_set, step.attr_clr)
    words += [f"r{word}" for word in _attributes(step.recursive_set, step.recursive_clr)]
    names = {flags: word for word, flags in PROPAGATION.items()}
    words += [names[flags] for flags in step.propagations]
    if isinstance(step, r.MountFilesystem):
        words += [key if value is None else f"{key}={value}" for key, value in step.parameters]
        words += ["tmpcopyup"] if step.copy_up else []
        words += [f"label {step.label}"] if step.label else []
    if isinstance(step, r.BindMount) and not step.follow_source:
        words.append("src-nofollow")
    if isinstance(step, r.BindMount) and step.copy_symlink:
        words.append("copy-symlink")
    if not step.follow_destination:
        words.append("dest-nofollow")
    return f" ({', '.join(words)})" if words else ""


def _bind(step: r.BindMount) -> str:
    how = "rbind" if step.recursive else "bind"
    return f"mount {step.source} on {step.destination} by {how}{_mount_options(step)}"


def _source(step: s.OpenSource) -> str:
    words = f"open {step.path} by {'rbind' if step.recursive else 'bind'}"
    if step.id_map is None:
        return words
    maps = (("uid", step.id_map.uid_mappings), ("gid", step.id_map.gid_mappings))
    pairs = [f"{m.container_id}:{m.host_id}:{m.size}" for _, maps in maps for m in maps]
    how = "ridmap" if step.id_map.recursive else "idmap"
    return f"{words}, {how} {' '.join(pairs) or 'as in the joined user namespace'}"


def _id_maps(step: s.WriteIdMaps) -> str:
    deny = "deny setgroups, " if step.deny_setgroups else ""
    by = f"{step.uid_helper or 'ourselves'} and {step.gid_helper or 'ourselves'}"
    helped = step.uid_helper or step.gid_helper
    return f"{deny}write uid_map and gid_map{f', by {by}' if helped else ''}"


def _device(step: r.MakeDevice) -> str:
    how = "bind device" if step.bind else "make device"
    owner = f" of {step.uid}:{step.gid}" if step.uid or step.gid else ""
    return f"{how} {step.path} {step.type} {step.major}:{step.minor} {step.mode:04o}{owner}"


def _cgroup_write(step: s.WriteCgroup) -> str:
    words = f"write {step.value!r} to {step.file}"
    if step.instead is not None:
        return f"{words}, or {_cgroup_write(step.instead)}"
    return f"{words} if it is there" if step.optional else words


def _properties(step: s.StartUnit | s.SetUnitProperties) -> str:
    from pyoci.plan.systemd.words import describe_property

    return ", ".join([describe_property(made) for made in step.properties])


def _execution(step: s.ExecuteProcess) -> str:
    words = f"execute {' '.join(map(repr, step.args))}"
    if not step.preserve_fds:
        return words
    return f"{words} with descriptors 3 to {2 + step.preserve_fds}"


def _capabilities(step: s.SetCapabilities) -> str:
    sets = (
        ("effective", step.effective),
        ("permitted", step.permitted),
        ("inheritable", step.inheritable),
        ("ambient", step.ambient),
    )
    words = [f"{name} {', '.join(names_of(mask)) or 'none'}" for name, mask in sets]
    return f"set capabilities: {'; '.join(words)}"


def _selinux(step: labels.SetSelinuxLabel) -> str:
    what = "program" if step.attribute == labels.SELINUX_EXEC else "keys"
    return f"set SELinux label of the {what} to {step.label}"


def _user(step: s.SetUser) -> str:
    groups = ", ".join(map(str, step.additional_gids)) or "no"
    return f"become user {step.uid}:{step.gid} with {groups} additional groups"


def _scheduler(step: scheduling.SetScheduler) -> str:
    values = (
        ("nice", step.nice),
        ("priority", step.priority),
        ("runtime", step.runtime_ns),
        ("deadline", step.deadline_ns),
        ("period", step.period_ns),
        ("flags", step.flags),
    )
    words = [f"{name} {value}" for name, value in values if value]
    return " ".join(["set scheduler", step.name, *words])


def _memory_policy(step: scheduling.SetMemoryPolicy) -> str:
    nodes = f" on nodes {', '.join(map(str, step.nodes))}" if step.nodes else ""
    return f"set memory policy {' '.join((step.name, *step.flags))}{nodes}"


def _console(step: s.ConnectConsole) -> str:
    return f"connect to console socket {step.path}" if step.path else "await a terminal of our own"


def _terminal(step: s.SetUpTerminal) -> str:
    size = f" of {step.rows} rows and {step.columns} columns" if step.rows or step.columns else ""
    return f"set up a terminal{size}{', bind it on /dev/console' if step.base else ''}"


def _hooks(step: s.RunHooks) -> str:
    return f"run {step.kind} hooks: {', '.join(hook.path for hook in step.hooks)}"


def _new_namespaces(kinds: tuple[str, ...]) -> str:
    return f"with new {', '.join(kinds)} namespaces" if kinds else "without new namespaces"


def _propagation(flags: int) -> str:
    return next(word for word, value in PROPAGATION.items() if value == flags)


_WORDS: dict[type[s.Step], Callable[..., str]] = {
    s.MakeCgroup: lambda step: f"make cgroup {step.path}",
    s.EnableControllers: lambda step: f"enable controllers {', '.join(step.controllers)}",
    s.WriteCgroup: _cgroup_write,
    s.DelegateCgroup: lambda step: f"give the cgroup to user {step.uid}",
    s.AttachDeviceFilter: lambda step: (
        f"attach device filter of the default and {len(step.rules)} more rules"
        f"{', if permitted' if step.optional else ''}"
    ),
    s.StartUnit: lambda step: f"start unit {step.unit}: {_properties(step)}",
    s.SetUnitProperties: lambda step: f"set properties of unit {step.unit}: {_properties(step)}",
    s.OpenNamespace: lambda step: (
        f"{'enter' if step.enter else 'open'} {step.kind} namespace {step.path}"
    ),
    s.ConnectConsole: _console,
    s.OpenSource: _source,
    s.CloneInit: lambda step: f"clone init {_new_namespaces(step.kinds)}",
    s.WriteIdMaps: _id_maps,
    s.SetOomScoreAdj: lambda step: (
        f"set oom_score_adj to {step.value}{', if permitted' if step.optional else ''}"
    ),
    s.MoveNetDevice: lambda step: f"move network device {step.host_name} in as {step.name}",
    s.RunHooks: _hooks,
    s.SendSeccompListener: lambda step: f"send the seccomp listener to {step.path}",
    s.SendPidfd: lambda step: f"send init's pidfd to {step.path}",
    s.AwaitUnit: lambda step: "wait to be in the unit's cgroup",
    s.AwaitIdMaps: lambda step: "wait for the id maps, become 0:0",
    s.JoinNamespace: lambda step: f"join {step.kind} namespace",
    s.BecomeRoot: lambda step: "become 0:0 of the joined user namespace",
    s.UnshareNamespaces: lambda step: f"unshare {', '.join(step.kinds)} namespaces",
    s.CloneSibling: lambda step: f"clone init once more {_new_namespaces(step.kinds)}",
    s.UnshareTimeNamespace: lambda step: "unshare time namespace",
    s.SetTimeOffset: lambda step: (
        f"set clock {step.clock} {step.secs} s + {step.nanosecs} ns ahead"
    ),
    s.EnterTimeNamespace: lambda step: "enter the new time namespace",
    s.UnshareCgroupNamespace: lambda step: "unshare cgroup namespace",
    s.JoinSessionKeyring: lambda step: f"join session keyring {step.name}",
    s.SetLoopbackUp: lambda step: "set loopback up",
    r.SetPropagation: lambda step: f"make all mounts {_propagation(step.flags)}",
    r.BindRootfs: lambda step: f"{'bind' if step.bind else 'open'} rootfs {step.path}",
    r.MountFilesystem: lambda step: (
        f"mount {step.type} on {step.destination}{_mount_options(step)}"
    ),
    r.BindMount: _bind,
    r.ChangeMount: lambda step: f"change mount {step.destination}{_mount_options(step)}",
    r.MakeDirectory: lambda step: f"make directory {step.path} if missing",
    r.MakeDevice: _device,
    r.MakeSymlink: lambda step: (
        f"link {step.path} to {step.target}" + (", if that is there" if step.if_there else "")
    ),
    s.SetUpTerminal: _terminal,
    s.AwaitHost: lambda step: "wait for main's part",
    r.SetSysctl: lambda step: f"set sysctl {step.key} to {step.value!r}",
    r.ReadonlyPath: lambda step: f"make {step.path} read-only",
    r.MaskPath: lambda step: f"mask {step.path}" + (f" (label {step.label})" if step.label else ""),
    r.ReadonlyMount: lambda step: f"make mount {step.destination} read-only",
    r.PivotRoot: lambda step: f"enter the rootfs by {step.how}",
    r.VerifyMount: lambda step: f"verify that {step.destination} is our mount",
    r.ReadonlyRoot: lambda step: "make the root read-only",
    r.SetRootPropagation: lambda step: f"make the root mount {_propagation(step.flags)}",
    s.SetHostname: lambda step: f"set hostname {step.name}",
    s.SetDomainname: lambda step: f"set domainname {step.name}",
    s.SetRlimit: lambda step: f"set {step.name} to {step.soft}:{step.hard}",
    s.SetNoNewPrivileges: lambda step: "set no_new_privs",
    scheduling.SetScheduler: _scheduler,
    scheduling.SetIoPriority: lambda step: f"set I/O priority {step.name} {step.priority}",
    scheduling.SetPersonality: lambda step: f"set personality {step.name}",
    scheduling.SetMemoryPolicy: _memory_policy,
    labels.SetAppArmorProfile: lambda step: f"apply AppArmor profile {step.profile}",
    labels.SetSelinuxLabel: _selinux,
    s.DropBounding: lambda step: (
        f"keep in bounding set: {', '.join(names_of(step.keep)) or 'none'}"
    ),
    s.ChangeDirectory: lambda step: f"change directory to {step.path}",
    s.VerifyDirectory: lambda step: f"verify working directory {step.path}",
    s.SetUser: _user,
    s.SetCapabilities: _capabilities,
    s.SetUmask: lambda step: f"set umask {step.mask:04o}",
    s.LoadSeccomp: lambda step: f"load seccomp filter of {len(step.program) // 8} instructions",
    s.ExecuteProcess: _execution,
}
