"""config.md, valid values: configs with an invalid value, or without a REQUIRED property."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.spec.verdicts import shorten, statement

if TYPE_CHECKING:
    from conformance.spec.case import Case

MISSING = "MISSING"


def change(config: dict[str, Any], path: str, value: object) -> None:
    """Sets what the dotted path names, or deletes it where `value` is MISSING."""
    *parents, last = path.split(".")
    for parent in parents:
        config = config[parent]
    if value is MISSING:
        del config[last]
    else:
        config[last] = value


def refused(name: str, what: str, path: str, value: object, level: str = "MUST") -> None:
    """Registers: a config changed so is an error, at the latest (process) when it is started."""

    @statement(f"config.md/valid-values/{name}", f"{what} is an error", level=level)
    def check(case: Case) -> None:
        bundle = case.bundle()
        if path.endswith("Mappings"):
            bundle.map_users()
        change(bundle.config, path, value)
        case.refuses(bundle, what, at_start=path.startswith("process"))


def seccomp(rule: dict[str, Any] | None = None, **profile: object) -> dict[str, Any]:
    """A profile that allows everything, with a rule or changed members."""
    rules = [] if rule is None else [rule]
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules, **profile}


PROC = {"destination": "/proc", "type": "proc", "source": "proc"}
MAPPING = {"containerID": 0, "hostID": 100000, "size": 1000}
DEVICE = {"type": "c", "path": "/dev/x", "major": 1, "minor": 3}
RLIMIT = {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}
RULE = {"names": ["times"], "action": "SCMP_ACT_ERRNO"}
ARGUMENT = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
PRIORITY = {"class": "IOPRIO_CLASS_UNKNOWN", "priority": 4}

INVALID: tuple[tuple[str, str, object], ...] = (
    ("ociVersion-syntax", "ociVersion", "one"),
    ("ociVersion-type", "ociVersion", 1.0),
    ("root-type", "root", "rootfs"),
    ("root-path-type", "root.path", ["rootfs"]),
    ("root-readonly-type", "root.readonly", "no"),
    ("hostname-type", "hostname", 5),
    ("mounts-type", "mounts", {}),
    ("mount-options-type", "mounts", [{**PROC, "options": "ro"}]),
    ("process-type", "process", []),
    ("process-args-type", "process.args", "/probe"),
    ("process-env-type", "process.env", {}),
    ("process-uid-negative", "process.user.uid", -1),
    ("process-uid-type", "process.user.uid", "0"),
    ("process-uid-huge", "process.user.uid", 2**32),
    ("process-scheduler", "process.scheduler", {"policy": "SCHED_UNKNOWN"}),
    ("process-ioPriority", "process.ioPriority", PRIORITY),
    ("process-oomScoreAdj", "process.oomScoreAdj", 1001),
    ("annotations-type", "annotations", ["a"]),
    ("annotations-value", "annotations", {"a": 1}),
    ("annotations-empty-key", "annotations", {"": "x"}),
    ("linux-type", "linux", []),
    ("namespace-type", "linux.namespaces", [{"type": "mount"}, {"type": "unknown"}]),
    ("rootfsPropagation", "linux.rootfsPropagation", "unknown"),
    ("personality", "linux.personality", {"domain": "UNKNOWN"}),
    ("memoryPolicy", "linux.memoryPolicy", {"mode": "MPOL_UNKNOWN"}),
    ("device-type", "linux.devices", [{**DEVICE, "type": "x"}]),
    ("seccomp-action", "linux.seccomp", {"defaultAction": "SCMP_ACT_UNKNOWN"}),
    ("seccomp-architecture", "linux.seccomp", seccomp(architectures=["SCMP_ARCH_UNKNOWN"])),
    (
        "seccomp-operator",
        "linux.seccomp",
        seccomp({**RULE, "args": [{**ARGUMENT, "op": "UNKNOWN"}]}),
    ),
    ("sysctl-type", "linux.sysctl", ["net.ipv4.ip_forward=1"]),
    ("maskedPaths-type", "linux.maskedPaths", "/mnt"),
)

for invalid_name, invalid_path, invalid_value in INVALID:
    invalid_what = f"{invalid_path} = {shorten(invalid_value, 60)}"
    refused(invalid_name, invalid_what, invalid_path, invalid_value)


def without(entry: dict[str, Any], key: str) -> dict[str, Any]:
    """The object less one key."""
    return {name: value for name, value in entry.items() if name != key}


def one_by_one(name: str, path: str, entry: dict[str, Any]) -> list[tuple[str, str, object]]:
    """For each key of an entry: the list at `path` holds that entry without it."""
    return [(f"{name}-{key}", path, [without(entry, key)]) for key in entry]


REQUIRED: tuple[tuple[str, str, object], ...] = (
    ("ociVersion", "ociVersion", MISSING),
    ("root", "root", MISSING),
    ("root-path", "root.path", MISSING),
    ("mount-destination", "mounts", [without(PROC, "destination")]),
    ("process-cwd", "process.cwd", MISSING),
    ("process-args", "process.args", MISSING),
    ("process-user-uid", "process.user.uid", MISSING),
    ("process-user-gid", "process.user.gid", MISSING),
    ("namespace-type", "linux.namespaces", [{"type": "mount"}, {"path": "/proc/self/ns/cgroup"}]),
    ("personality-domain", "linux.personality", {}),
    ("seccomp-defaultAction", "linux.seccomp", {"syscalls": []}),
    ("memoryPolicy-mode", "linux.memoryPolicy", {"nodes": "0"}),
    *one_by_one("process-rlimit", "process.rlimits", RLIMIT),
    *one_by_one("device", "linux.devices", DEVICE),
    *one_by_one("uidMappings", "linux.uidMappings", MAPPING),
    *((f"seccomp-rule-{key}", "linux.seccomp", seccomp(without(RULE, key))) for key in RULE),
    *(
        (f"seccomp-arg-{key}", "linux.seccomp", seccomp({**RULE, "args": [without(ARGUMENT, key)]}))
        for key in ARGUMENT
    ),
)

for required_name, required_path, required_value in REQUIRED:
    required_what = f"a config without {required_name}"
    refused(f"{required_name}-required", required_what, required_path, required_value, "REQUIRED")
