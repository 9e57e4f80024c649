"""linux.namespaces of a config, and a container whose namespaces others join."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.support.containers import Config, Container, MakeContainer

# Types of the config, and their names in /proc/PID/ns.
KINDS = {
    "pid": "pid",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "mount": "mnt",
    "cgroup": "cgroup",
}


def namespaces(*kinds: str, **paths: str) -> Callable[[Config], None]:
    """A change of the config: these are new, and those joined."""

    def change(config: Config) -> None:
        wanted: list[dict[str, str]] = [{"type": kind} for kind in kinds]
        wanted += [{"type": kind, "path": path} for kind, path in paths.items()]
        config["linux"]["namespaces"] = wanted
        if "uts" not in {entry["type"] for entry in wanted}:
            config.pop("hostname")

    return change


def read_own(name: str) -> str:
    """Our own namespace, by its name in /proc."""
    return os.readlink(f"/proc/self/ns/{name}")


def hold_namespaces(container: MakeContainer) -> Container:
    """A running container with a namespace of every kind, and `holder` for its hostname."""
    c = container("sleep", "1000", hostname="holder", mutate=namespaces(*KINDS))
    c.run_detached().ok()
    return c
