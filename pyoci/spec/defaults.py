"""The config.json that ``pyoci spec`` writes (pure): a shell on a terminal, few privileges.

It is runc's, but for the ambient capabilities, which the kernel refuses where they
are not inheritable too (capabilities(7)).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

SPEC_VERSION = "1.3.0"

_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")

_MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
)

_READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def default_config(rootless: bool, uid: int, gid: int) -> Json:
    """The configuration; rootless: for the user of these ids, who becomes root in the container."""
    return {
        "ociVersion": SPEC_VERSION,
        "process": _process(),
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "pyoci",
        "mounts": _mounts(rootless),
        "linux": _rootless_linux(uid, gid) if rootless else _linux(),
    }


def _process() -> Json:
    return {
        "terminal": True,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM=xterm",
        ],
        "cwd": "/",
        "capabilities": {
            name: list(_CAPABILITIES) for name in ("bounding", "effective", "permitted")
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    }


def _mounts(rootless: bool) -> list[Json]:
    # A user namespace of one id has no group 5, and no right to mount a sysfs
    # without a network namespace of its own.
    terminals = "nosuid noexec newinstance ptmxmode=0666 mode=0620"
    sysfs = _mount("/sys", "sysfs", "sysfs", "nosuid noexec nodev ro")
    host_sys = _mount("/sys", "none", "/sys", "rbind nosuid noexec nodev ro")
    return [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", terminals if rootless else f"{terminals} gid=5"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid noexec nodev mode=1777 size=65536k"),  # noqa: S108
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev"),
        host_sys if rootless else sysfs,
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid noexec nodev relatime ro"),
    ]


def _mount(destination: str, kind: str, source: str, options: str = "") -> Json:
    made: Json = {"destination": destination, "type": kind, "source": source}
    if options:
        made["options"] = options.split()
    return made


def _linux() -> Json:
    return {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": _namespaces("pid", "network", "ipc", "uts", "mount"),
        **_paths(),
    }


def _rootless_linux(uid: int, gid: int) -> Json:
    """An ordinary user has no cgroup to limit, and no interface to move."""
    return {
        "uidMappings": [{"containerID": 0, "hostID": uid, "size": 1}],
        "gidMappings": [{"containerID": 0, "hostID": gid, "size": 1}],
        "namespaces": _namespaces("pid", "ipc", "uts", "mount", "user"),
        **_paths(),
    }


def _namespaces(*types: str) -> list[Json]:
    return [{"type": kind} for kind in types]


def _paths() -> Json:
    return {"maskedPaths": list(_MASKED_PATHS), "readonlyPaths": list(_READONLY_PATHS)}
