"""Names of kernel parameters, and the namespace that keeps each away from the host (pure)."""

from __future__ import annotations

_SWAP = {ord("."): "/", ord("/"): "."}

# Everything below these belongs to a namespace of this type...
_TREES = {"net/": "network", "user/": "user", "fs/mqueue/": "ipc"}
# ...and of the rest of kernel/, these (ipc/ipc_sysctl.c, kernel/utsname_sysctl.c).
_PARAMETERS = {
    "kernel/domainname": "uts",
    "kernel/msg_next_id": "ipc",
    "kernel/msgmax": "ipc",
    "kernel/msgmnb": "ipc",
    "kernel/msgmni": "ipc",
    "kernel/sem": "ipc",
    "kernel/sem_next_id": "ipc",
    "kernel/shm_next_id": "ipc",
    "kernel/shm_rmid_forced": "ipc",
    "kernel/shmall": "ipc",
    "kernel/shmmax": "ipc",
    "kernel/shmmni": "ipc",
}


def sysctl_path(name: str) -> str:
    """The file below /proc/sys; as in sysctl(8), the first separator decides what the dots are."""
    dot, slash = name.find("."), name.find("/")
    if slash != -1 and (dot == -1 or slash < dot):
        return name
    return name.translate(_SWAP)


def sysctl_namespace(path: str) -> str:
    """The type of the namespace that owns a parameter, given its path below /proc/sys.

    Empty if none does, and if a part of the path is empty, `.` or `..`, which would lead elsewhere.
    """
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        return ""
    for tree, namespace in _TREES.items():
        if path.startswith(tree):
            return namespace
    return _PARAMETERS.get(path, "")
