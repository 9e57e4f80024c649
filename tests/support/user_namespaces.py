"""Containers in a user namespace, and files that belong to its root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.containers import Config, Container, MakeContainer

ROOT_ID = 200000
IDS = [
    {"containerID": 0, "hostID": ROOT_ID, "size": 1000},
    {"containerID": 1000, "hostID": 300000, "size": 500},
]


def in_user_namespace(config: Config) -> None:
    """A change of the config: a new user namespace, with these ids."""
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"] |= {"uidMappings": IDS, "gidMappings": IDS[:1]}
    config["root"]["readonly"] = False


def mapped(container: MakeContainer, *args: str, **overrides: Any) -> Container:  # noqa: ANN401
    """One in a user namespace, with a root filesystem that belongs to the namespace's root."""
    c = container(*args, mutate=in_user_namespace, **overrides)
    give(c.bundle.rootfs, ROOT_ID)
    return c


def give(root: Path, uid: int, gid: int | None = None) -> None:
    """Everything below the directory, and itself, to somebody else; but for busybox."""
    for directory, _, names in os.walk(root):
        files = [] if directory.endswith("/bin") else names  # those are every bundle's
        for path in (directory, *[f"{directory}/{name}" for name in files]):
            os.chown(path, uid, uid if gid is None else gid, follow_symlinks=False)
