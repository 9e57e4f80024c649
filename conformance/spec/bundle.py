"""Bundles: the config that tests start from, and its directory.

The root filesystem holds nothing but the probe.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORIES = ("bin", "dev", "etc", "mnt", "out", "proc", "sys", "tmp")

# What a container usually has, less CAP_SYS_RESOURCE, which the machine itself may lack.
NAMES = """
CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
MKNOD AUDIT_WRITE SETFCAP
"""
USUAL_CAPABILITIES = [f"CAP_{name}" for name in NAMES.split()]


def usual_mounts() -> list[dict[str, Any]]:
    """The default filesystems of config-linux.md."""
    dev = ["nosuid", "strictatime", "mode=755", "size=65536k"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": dev},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
    ]


def usual_config(container_id: str, version: str) -> dict[str, Any]:
    """A small valid config: new namespaces, default filesystems, the probe as program."""
    sets = ("bounding", "effective", "permitted")
    return {
        "ociVersion": version,
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/probe"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {name: list(USUAL_CAPABILITIES) for name in sets},
        },
        "mounts": usual_mounts(),
        "linux": {
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
            "cgroupsPath": f"/{container_id}",
        },
    }


class Bundle:
    """A bundle directory; `config` is written when a container is created from it."""

    def __init__(self, path: Path, probe: Path, container_id: str, version: str) -> None:
        """Makes the directory and its root file system."""
        self.path = path
        self.probe = probe
        self.rootfs = path / "rootfs"
        self.container_id = container_id
        self.config = usual_config(container_id, version)
        self._make_rootfs()

    def _make_rootfs(self) -> None:
        for name in DIRECTORIES:
            (self.rootfs / name).mkdir(parents=True)
        os.chmod(self.path, 0o755)  # noqa: S103 (mapped users must pass)
        self.add_probe("probe")

    def add_probe(self, name: str, mode: int = 0o755) -> None:
        """Puts a copy of the probe into the root filesystem."""
        shutil.copy(self.probe, self.rootfs / name)
        os.chmod(self.rootfs / name, mode)

    @property
    def process(self) -> dict[str, Any]:
        """The config's process."""
        process: dict[str, Any] = self.config["process"]
        return process

    @property
    def linux(self) -> dict[str, Any]:
        """The config's linux section."""
        linux: dict[str, Any] = self.config["linux"]
        return linux

    def probe_args(self, *verbs: str) -> None:
        """Lets the container process be the probe with these verbs."""
        self.process["args"] = ["/probe", *verbs]

    def mount(
        self, destination: str, kind: str, source: str, *options: str, **more: object
    ) -> None:
        """Appends a mount."""
        entry = {"destination": destination, "type": kind, "source": source}
        self.config["mounts"].append({**entry, "options": list(options), **more})

    def bind(self, source: Path | str, destination: str, *options: str) -> None:
        """Appends a bind mount; `options` must hold bind or rbind."""
        self.mount(destination, "none", str(source), *options)

    def namespace(self, kind: str, path: str | None = None) -> None:
        """Adds a namespace, or changes the one of that type, to be joined at `path` or new."""
        self.without_namespace(kind)
        entry = {"type": kind} if path is None else {"type": kind, "path": path}
        self.linux["namespaces"].append(entry)

    def without_namespace(self, kind: str) -> None:
        """Drops the namespaces of a type."""
        kept = [entry for entry in self.linux["namespaces"] if entry["type"] != kind]
        self.linux["namespaces"] = kept

    def map_users(self, host_id: int = 100000, size: int = 1000) -> None:
        """Gives the container a user namespace of its own, its root filesystem included."""
        mapping = [{"containerID": 0, "hostID": host_id, "size": size}]
        self.namespace("user")
        self.linux.update(uidMappings=mapping, gidMappings=mapping)
        for path in (self.rootfs, *self.rootfs.iterdir()):
            os.chown(path, host_id, host_id)

    def hook(self, kind: str, *verbs: str, path: str | None = None, **more: object) -> None:
        """Appends a hook that runs the probe, or `path`.

        It reads standard input to its end: a runtime may take a hook that does not for a failure.
        """
        program = path or ("/probe" if kind == "startContainer" else str(self.probe))
        entry = {"path": program, "args": ["probe", *verbs, "stdin"], **more}
        self.config.setdefault("hooks", {}).setdefault(kind, []).append(entry)

    def write(self) -> None:
        """Writes config.json."""
        text = json.dumps(self.config, indent=1)
        (self.path / "config.json").write_text(text, encoding="utf-8")
