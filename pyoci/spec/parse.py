"""dict -> Spec: defaults filled in, every absent or null member given its meaning.

Takes a config.json that the schema has accepted (``accept.py``), so no type is
checked here. Members that pyoci does not act on are left behind.
"""

from __future__ import annotations

from pyoci.spec import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias, TypeVar

    Json: TypeAlias = dict[str, Any]
    T = TypeVar("T")


def parse_config(config: Json) -> model.Spec:
    """The Spec of an accepted config.json."""
    root = config.get("root") or {}
    return model.Spec(
        oci_version=config["ociVersion"],
        root=model.Root(path=root.get("path", ""), readonly=bool(root.get("readonly"))),
        mounts=_each(config, "mounts", _mount),
        process=_optional(config, "process", parse_process),
        hostname=config.get("hostname") or "",
        domainname=config.get("domainname") or "",
        hooks=_hooks(config.get("hooks") or {}),
        annotations=_pairs(config, "annotations"),
        linux=_linux(config.get("linux") or {}),
    )


def _each(parent: Json, name: str, parse: Callable[[Any], T]) -> tuple[T, ...]:
    return tuple([parse(item) for item in parent.get(name) or ()])


def _optional(parent: Json, name: str, parse: Callable[[Any], T]) -> T | None:
    item = parent.get(name)
    return None if item is None else parse(item)


def _words(parent: Json, name: str) -> tuple[Any, ...]:
    return tuple(parent.get(name) or ())


def _pairs(parent: Json, name: str) -> tuple[tuple[str, Any], ...]:
    return tuple((parent.get(name) or {}).items())


def _id_mapping(item: Json) -> model.IdMapping:
    return model.IdMapping(
        container_id=item["containerID"], host_id=item["hostID"], size=item["size"]
    )


def _mount(item: Json) -> model.Mount:
    return model.Mount(
        destination=item["destination"],
        type=item.get("type") or "",
        source=item.get("source") or "",
        options=_words(item, "options"),
        uid_mappings=_each(item, "uidMappings", _id_mapping),
        gid_mappings=_each(item, "gidMappings", _id_mapping),
    )


def parse_process(item: Json) -> model.Process:
    """The Process of an accepted `process` object (config.json's, or exec's --process file)."""
    return model.Process(
        args=_words(item, "args"),
        env=_words(item, "env"),
        cwd=item.get("cwd") or "",
        terminal=bool(item.get("terminal")),
        console_size=_optional(item, "consoleSize", _console_size),
        user=_user(item.get("user") or {}),
        capabilities=_optional(item, "capabilities", _capabilities),
        rlimits=_each(item, "rlimits", _rlimit),
        no_new_privileges=bool(item.get("noNewPrivileges")),
        oom_score_adj=item.get("oomScoreAdj"),
        apparmor_profile=item.get("apparmorProfile") or "",
        selinux_label=item.get("selinuxLabel") or "",
        scheduler=_optional(item, "scheduler", _scheduler),
        io_priority=_optional(item, "ioPriority", _io_priority),
        exec_cpu_affinity=_optional(item, "execCPUAffinity", _cpu_affinity),
    )


def _console_size(item: Json) -> model.ConsoleSize:
    return model.ConsoleSize(height=item["height"], width=item["width"])


def _io_priority(item: Json) -> model.IoPriority:
    return model.IoPriority(io_class=item["class"], priority=item.get("priority") or 0)


def _cpu_affinity(item: Json) -> model.CpuAffinity:
    return model.CpuAffinity(initial=item.get("initial") or "", final=item.get("final") or "")


def _user(item: Json) -> model.User:
    return model.User(
        uid=item.get("uid") or 0,
        gid=item.get("gid") or 0,
        umask=item.get("umask"),
        additional_gids=_words(item, "additionalGids"),
    )


def _capabilities(item: Json) -> model.Capabilities:
    return model.Capabilities(
        bounding=_words(item, "bounding"),
        effective=_words(item, "effective"),
        inheritable=_words(item, "inheritable"),
        permitted=_words(item, "permitted"),
        ambient=_words(item, "ambient"),
    )


def _rlimit(item: Json) -> model.Rlimit:
    return model.Rlimit(type=item["type"], soft=item["soft"], hard=item["hard"])


def _scheduler(item: Json) -> model.Scheduler:
    return model.Scheduler(
        policy=item["policy"],
        nice=item.get("nice") or 0,
        priority=item.get("priority") or 0,
        flags=_words(item, "flags"),
        runtime=item.get("runtime") or 0,
        deadline=item.get("deadline") or 0,
        period=item.get("period") or 0,
    )


def _hooks(item: Json) -> model.Hooks:
    if not item:
        return NO_HOOKS
    return model.Hooks(
        prestart=_each(item, "prestart", parse_hook),
        create_runtime=_each(item, "createRuntime", parse_hook),
        create_container=_each(item, "createContainer", parse_hook),
        start_container=_each(item, "startContainer", parse_hook),
        poststart=_each(item, "poststart", parse_hook),
        poststop=_each(item, "poststop", parse_hook),
    )


NO_HOOKS = model.Hooks()


def parse_hook(item: Json) -> model.Hook:
    """One hook of an accepted config."""
    env = item.get("env")
    return model.Hook(
        path=item["path"],
        args=_words(item, "args"),
        env=None if env is None else tuple(env),
        timeout=item.get("timeout"),
    )


def _linux(item: Json) -> model.Linux:
    resources = item.get("resources") or {}
    return model.Linux(
        namespaces=_each(item, "namespaces", _namespace),
        uid_mappings=_each(item, "uidMappings", _id_mapping),
        gid_mappings=_each(item, "gidMappings", _id_mapping),
        time_offsets=tuple(
            model.TimeOffset(
                clock=clock, secs=offset.get("secs") or 0, nanosecs=offset.get("nanosecs") or 0
            )
            for clock, offset in _pairs(item, "timeOffsets")
        ),
        sysctl=_pairs(item, "sysctl"),
        cgroups_path=item.get("cgroupsPath") or "",
        resources=resources or None,
        device_rules=_each(resources, "devices", _device_rule),
        devices=_each(item, "devices", _device),
        net_devices=tuple(
            model.NetDevice(host_name=name, name=(device or {}).get("name") or name)
            for name, device in _pairs(item, "netDevices")
        ),
        seccomp=_optional(item, "seccomp", _seccomp),
        rootfs_propagation=item.get("rootfsPropagation") or "",
        masked_paths=_words(item, "maskedPaths"),
        readonly_paths=_words(item, "readonlyPaths"),
        mount_label=item.get("mountLabel") or "",
        personality=(item.get("personality") or {}).get("domain") or "",
        intel_rdt=item.get("intelRdt"),
        memory_policy=item.get("memoryPolicy"),
    )


def _namespace(item: Json) -> model.Namespace:
    return model.Namespace(type=item["type"], path=item.get("path") or "")


def _number(item: Json, name: str) -> int | None:
    # -1 is how older callers write "every number".
    value = item.get(name)
    return None if value in (None, -1) else int(value)


def _device_rule(item: Json) -> model.DeviceRule:
    return model.DeviceRule(
        allow=item["allow"],
        type=item.get("type") or "a",
        major=_number(item, "major"),
        minor=_number(item, "minor"),
        access=item.get("access") or "rwm",
    )


def _device(item: Json) -> model.Device:
    return model.Device(
        path=item["path"],
        type=item["type"],
        major=item.get("major") or 0,
        minor=item.get("minor") or 0,
        file_mode=item.get("fileMode"),
        uid=item.get("uid") or 0,
        gid=item.get("gid") or 0,
    )


def _seccomp(item: Json) -> model.Seccomp:
    flags = item.get("flags")
    return model.Seccomp(
        default_action=item["defaultAction"],
        default_errno_ret=item.get("defaultErrnoRet"),
        architectures=_words(item, "architectures"),
        flags=None if flags is None else tuple(flags),
        listener_path=item.get("listenerPath") or "",
        listener_metadata=item.get("listenerMetadata") or "",
        syscalls=_each(item, "syscalls", _syscall_rule),
    )


def _syscall_rule(item: Json) -> model.SyscallRule:
    return model.SyscallRule(
        names=_words(item, "names"),
        action=item["action"],
        errno_ret=item.get("errnoRet"),
        args=_each(item, "args", _syscall_arg),
    )


def _syscall_arg(item: Json) -> model.SyscallArg:
    return model.SyscallArg(
        index=item["index"],
        value=item["value"],
        value_two=item.get("valueTwo") or 0,
        op=item["op"],
    )
