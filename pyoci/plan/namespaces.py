"""linux.namespaces -> what is made and what is joined (config-linux.md, "Namespaces")."""

from __future__ import annotations

from pyoci.errors import UnsupportedError
from pyoci.linux import consts as c
from pyoci.plan.steps import (
    AwaitIdMaps,
    CloneInit,
    JoinNamespace,
    JoinSessionKeyring,
    OpenNamespace,
    SetLoopbackUp,
    UnshareCgroupNamespace,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.steps import InitStep
    from pyoci.spec.model import Namespace

CLONE_FLAGS = {
    "user": c.CLONE_NEWUSER,
    "pid": c.CLONE_NEWPID,
    "network": c.CLONE_NEWNET,
    "mount": c.CLONE_NEWNS,
    "ipc": c.CLONE_NEWIPC,
    "uts": c.CLONE_NEWUTS,
    "cgroup": c.CLONE_NEWCGROUP,
    "time": c.CLONE_NEWTIME,
}
# Names in /proc/PID/ns (namespaces(7)).
PROC_NAMES = {
    "user": "user",
    "pid": "pid",
    "network": "net",
    "mount": "mnt",
    "ipc": "ipc",
    "uts": "uts",
    "cgroup": "cgroup",
    "time": "time",
}
# Others are joined first: the paths of the host are still there until the mount namespace is left.
_JOIN_ORDER = ("ipc", "uts", "network", "cgroup", "mount")


class NamespacePlan:
    """The namespaces of one container, sorted into what becomes of them."""

    def __init__(self, namespaces: tuple[Namespace, ...]) -> None:
        """Sort; UnsupportedError for time namespaces and joined user namespaces."""
        self.causes: dict[str, str] = {}
        self.joined: dict[str, str] = {}
        self.new: tuple[str, ...] = ()
        for index, namespace in enumerate(namespaces):
            kind, cause = namespace.type, f"linux.namespaces[{index}]"
            if kind == "time" or (kind == "user" and namespace.path):
                what = "a time namespace" if kind == "time" else "joining a user namespace"
                message = f"{cause}: {what} is not supported by this version of pyoci"
                raise UnsupportedError(message)
            self.causes[kind] = cause
            if namespace.path:
                self.joined[kind] = namespace.path
            else:
                self.new += (kind,)

    def open_steps(self) -> list[OpenNamespace]:
        """Main opens, and checks, every namespace that is joined."""
        return [
            OpenNamespace(kind=kind, path=path, config=self.causes[kind])
            for kind, path in self.joined.items()
        ]

    def clone_step(self) -> CloneInit:
        """The clone with all new namespaces but cgroup, which waits until init is in its cgroup."""
        kinds = tuple(kind for kind in self.new if kind != "cgroup")
        return CloneInit(kinds=kinds, config="linux.namespaces")

    def init_steps(self, keyring: str) -> list[InitStep]:
        """What init does first: ids, keyring, joins, cgroup namespace, loopback."""
        steps: list[InitStep] = []
        if "user" in self.new:
            steps.append(AwaitIdMaps(config="linux.uidMappings"))
        if keyring:
            steps.append(JoinSessionKeyring(name=keyring))
        steps += [
            JoinNamespace(kind=kind, config=self.causes[kind])
            for kind in _JOIN_ORDER
            if kind in self.joined
        ]
        if "cgroup" in self.new:
            steps.append(UnshareCgroupNamespace(config=self.causes["cgroup"]))
        if "network" in self.new:
            steps.append(SetLoopbackUp(config=self.causes["network"]))
        return steps

    def has(self, kind: str) -> bool:
        """Whether the container has this namespace to itself or by path."""
        return kind in self.causes
