"""The bundles that are run: what `runc spec` writes, and what Docker writes.

Each is made for two programs: `true`, which ends at once, and `wait`, which stays until killed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = {"true": ["/bin/true"], "wait": ["/bin/sleep", "1000000"]}
DIRECTORIES = ("bin", "dev", "etc", "proc", "sys", "tmp")
BOUND_FILES = ("resolv.conf", "hostname", "hosts")
SYSCALLS = Path(__file__).with_name("syscalls.txt")
ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]

# crun before 1.9 refuses what came after runtime-spec 1.0.
OCI_VERSION = "1.0.2"

ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}

DOCKER_CAPABILITIES = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
]  # fmt: skip

MASKED_PATHS = [
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
]  # fmt: skip
READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

Config = dict[str, Any]


class NoBusyboxError(Exception):
    """There is no static busybox to make a root file system of."""


def find_busybox() -> Path:
    """A static busybox, by its usual places; NoBusyboxError if there is none."""
    for place in ("/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox"):
        if os.access(place, os.X_OK):
            return Path(place)
    raise NoBusyboxError("no busybox found: install busybox-static")


def write_bundle(directory: Path, config: Config, busybox: Path) -> None:
    """A bundle with the config and a root file system of busybox."""
    rootfs = directory / "rootfs"
    for name in DIRECTORIES:
        (rootfs / name).mkdir(parents=True)
    program = rootfs / "bin" / "busybox"
    shutil.copy(busybox, program)
    for applet in ("true", "sleep", "sh"):
        (rootfs / "bin" / applet).hardlink_to(program)
    for name in BOUND_FILES:
        (rootfs / "etc" / name).touch()
        (directory / name).write_text("127.0.0.1 localhost\n", encoding="ascii")
    (directory / "config.json").write_text(json.dumps(config, indent=1), encoding="ascii")


def make_config(kind: str, program: str, directory: Path, cgroups_path: str) -> Config:
    """The config of a kind of BUNDLES for a program of PROGRAMS, in a bundle at the directory."""
    config = BUNDLES[kind](directory, cgroups_path)
    config["process"]["args"] = PROGRAMS[program]
    return config


def make_default(_directory: Path, _cgroups_path: str) -> Config:
    """What `runc spec` prints, without a terminal; the cgroup is where the runtime likes it."""
    capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    return {
        "ociVersion": OCI_VERSION,
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "env": ENVIRONMENT,
            "cwd": "/",
            "capabilities": dict.fromkeys(
                ("bounding", "effective", "permitted", "ambient"), capabilities
            ),
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "runc",
        "mounts": make_system_mounts(),
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": MASKED_PATHS,
            "readonlyPaths": READONLY_PATHS,
        },
    }


def make_docker(directory: Path, cgroups_path: str) -> Config:
    """What Docker writes for user 1000 without a seccomp profile, resource limits apart."""
    return {
        "ociVersion": OCI_VERSION,
        "process": {
            "user": {"uid": 1000, "gid": 1000, "additionalGids": [1000]},
            "env": [*ENVIRONMENT, "HOSTNAME=0123456789ab", "HOME=/"],
            "cwd": "/",
            "capabilities": {"bounding": DOCKER_CAPABILITIES},
            "noNewPrivileges": True,
        },
        "root": {"path": str(directory / "rootfs")},
        "hostname": "0123456789ab",
        "mounts": [*make_system_mounts(), *make_bind_mounts(directory)],
        "linux": {
            "sysctl": {"net.ipv4.ping_group_range": "0 2147483647"},
            "resources": {"devices": make_docker_devices()},
            "cgroupsPath": cgroups_path,
            "namespaces": [
                {"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc", "cgroup")
            ],
            "maskedPaths": [*MASKED_PATHS, "/sys/devices/virtual/powercap", "/proc/interrupts"],
            "readonlyPaths": READONLY_PATHS,
        },
    }


def make_docker_seccomp(directory: Path, cgroups_path: str) -> Config:
    """The same under a profile of the shape and size of Docker's."""
    config = make_docker(directory, cgroups_path)
    config["linux"]["seccomp"] = make_seccomp(SYSCALLS.read_text(encoding="ascii").split())
    return config


BUNDLES: dict[str, Callable[[Path, str], Config]] = {
    "default": make_default,
    "docker": make_docker,
    "docker-seccomp": make_docker_seccomp,
}


def make_system_mounts() -> list[Config]:
    """The seven mounts that every engine asks for."""
    plain = ["nosuid", "noexec", "nodev"]
    kinds: tuple[tuple[str, str, str, list[str]], ...] = (
        ("/proc", "proc", "proc", []),
        ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", "devpts",
         ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ("/dev/shm", "tmpfs", "shm", [*plain, "mode=1777", "size=65536k"]),  # noqa: S108 (the container's)
        ("/dev/mqueue", "mqueue", "mqueue", plain),
        ("/sys", "sysfs", "sysfs", [*plain, "ro"]),
        ("/sys/fs/cgroup", "cgroup", "cgroup", [*plain, "relatime", "ro"]),
    )  # fmt: skip
    return [
        {"destination": place, "type": kind, "source": source, "options": options}
        for place, kind, source, options in kinds
    ]


def make_bind_mounts(directory: Path) -> list[Config]:
    """The three files of an engine that a container sees in /etc."""
    return [
        {
            "destination": f"/etc/{name}",
            "type": "bind",
            "source": str(directory / name),
            "options": ["rbind", "rprivate"],
        }
        for name in BOUND_FILES
    ]


def make_docker_devices() -> list[Config]:
    """Docker's device rules: nothing but the usual nodes; mknod of any."""
    allowed = ((1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1))
    rules: list[Config] = [{"allow": False, "access": "rwm"}]
    rules += [
        {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
        for major, minor in allowed
    ]
    return [*rules, {"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]


def make_seccomp(names: list[str]) -> Config:
    """A profile that allows the names, four of them by argument only, as Docker's does."""
    by_argument: dict[str, list[Config]] = {
        "clone": [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        "socket": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}],
        "personality": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}],
    }
    always = [name for name in names if name not in by_argument and name != "clone3"]
    rules: list[Config] = [{"names": always, "action": "SCMP_ACT_ALLOW"}]
    rules += [
        {"names": [name], "action": "SCMP_ACT_ALLOW", "args": arguments}
        for name, arguments in by_argument.items()
    ]
    rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "architectures": ARCHITECTURES.get(platform.machine(), []),
        "syscalls": rules,
    }
