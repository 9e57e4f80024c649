"""linux.namespaces -> what is made and what is joined (config-linux.md, "Namespaces")."""

from __future__ import annotations

from pyoci.linux import consts as c
from pyoci.plan.steps import (
    AwaitIdMaps,
    BecomeRoot,
    CloneInit,
    CloneSibling,
    EnterTimeNamespace,
    JoinNamespace,
    JoinSessionKeyring,
    OpenNamespace,
    SetLoopbackUp,
    SetTimeOffset,
    UnshareCgroupNamespace,
    UnshareNamespaces,
    UnshareTimeNamespace,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyoci.plan.step_types import InitStep
    from pyoci.plan.steps import OpenSource
    from pyoci.spec.model import IdMapping, Namespace, TimeOffset

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
# The mount namespace is joined last: until then the paths of the host are still there.
_JOIN_ORDER = ("ipc", "uts", "network", "time", "cgroup", "mount")
# Not made by clone3(2): init is to be in its cgroup first; clocks are set before anybody uses them.
_MADE_LATER = ("cgroup", "time")


def map_text(mappings: tuple[IdMapping, ...]) -> str:
    """The mappings as uid_map and gid_map take them (user_namespaces(7))."""
    return "".join([f"{m.container_id} {m.host_id} {m.size}\n" for m in mappings])


class NamespacePlan:
    """The namespaces of one container, sorted into what becomes of them."""

    def __init__(
        self,
        namespaces: tuple[Namespace, ...],
        time_offsets: tuple[TimeOffset, ...] = (),
        *,
        privileged: bool = True,
    ) -> None:
        """Sort them; `privileged` is whether main has rights over its own user namespace."""
        self.privileged = privileged
        self.time_offsets = time_offsets
        self.causes: dict[str, str] = {}
        self.joined: dict[str, str] = {}
        self.new: tuple[str, ...] = ()
        for index, namespace in enumerate(namespaces):
            kind, cause = namespace.type, f"linux.namespaces[{index}]"
            self.causes[kind] = cause
            if namespace.path:
                self.joined[kind] = namespace.path
            else:
                self.new += (kind,)
        # Only with the rights of the joined user namespace can an ordinary user join others.
        self._user_first = "user" in self.joined and not privileged

    def open_steps(self) -> list[OpenNamespace]:
        """Main opens, and checks, every namespace that is joined."""
        return [
            OpenNamespace(
                kind=kind,
                path=path,
                config=self.causes[kind],
                enter=kind == "pid" and not self._user_first,
            )
            for kind, path in self.joined.items()
        ]

    def clone_step(self) -> CloneInit:
        """The clone with the new namespaces; none where a joined user namespace shall own them."""
        kinds = () if "user" in self.joined else self._kinds_to_make()
        return CloneInit(kinds=kinds, config="linux.namespaces")

    def _kinds_to_make(self) -> tuple[str, ...]:
        return tuple([kind for kind in self.new if kind not in _MADE_LATER])

    def init_steps(self, keyring: str, sources: Sequence[OpenSource] = ()) -> list[InitStep]:
        """What init does first: user namespace, clocks, ids, keyring, joins, cgroup, loopback.

        `sources` are what it opens as the user that it was made by.
        """
        first, last = self._join_steps()
        steps = [*first, *self._time_steps()]
        # Until here init has the caller's uid, which owns its files in /proc.
        if "user" in self.new:
            steps += [*sources, self._await_id_maps()]
        if "user" in self.joined:
            steps += [*self._make_in_joined_user_namespace(), *sources]
            steps.append(BecomeRoot(config=self.causes["user"]))
        if keyring:
            steps.append(JoinSessionKeyring(name=keyring))
        steps += last
        if "cgroup" in self.new:
            steps.append(UnshareCgroupNamespace(config=self.causes["cgroup"]))
        if "network" in self.new:
            steps.append(SetLoopbackUp(config=self.causes["network"]))
        return steps

    def _await_id_maps(self) -> AwaitIdMaps:
        return AwaitIdMaps(config="linux.uidMappings", visible=not self.privileged)

    def _make_in_joined_user_namespace(self) -> list[InitStep]:
        """New namespaces that the joined one owns: only from inside of it can they be made.

        A pid namespace, new or joined from in there, takes one more process to be born in it.
        """
        kinds = self._kinds_to_make()
        if "pid" in kinds or ("pid" in self.joined and self._user_first):
            return [CloneSibling(kinds=kinds, config=self.causes["pid"])]
        return [UnshareNamespaces(kinds=kinds, config="linux.namespaces")] if kinds else []

    def _join_steps(self) -> tuple[list[InitStep], list[InitStep]]:
        """The joins before and after init changes its user.

        What is joined along with a user namespace may belong to another one, the runtime's say:
        only before does init have the right to enter it. The mount namespace stays last.
        """
        steps: list[InitStep] = [self._join(kind) for kind in _JOIN_ORDER if kind in self.joined]
        if "user" not in self.joined:
            return [], steps
        at = len(steps) - ("mount" in self.joined)
        user = self._join("user")
        if not self._user_first:
            return [*steps[:at], user], steps[at:]
        pid = [self._join("pid")] if "pid" in self.joined else []
        return [user, *pid, *steps[:at]], steps[at:]

    def _join(self, kind: str) -> JoinNamespace:
        return JoinNamespace(kind=kind, config=self.causes[kind])

    def _time_steps(self) -> list[InitStep]:
        if "time" not in self.new:
            return []
        cause = self.causes["time"]
        offsets = [
            SetTimeOffset(
                config=f"linux.timeOffsets.{offset.clock}",
                clock=offset.clock,
                secs=offset.secs,
                nanosecs=offset.nanosecs,
            )
            for offset in self.time_offsets
        ]
        return [UnshareTimeNamespace(config=cause), *offsets, EnterTimeNamespace(config=cause)]

    def has(self, kind: str) -> bool:
        """Whether the container has this namespace to itself or by path."""
        return kind in self.causes
