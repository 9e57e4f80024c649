"""What the config can ask for and cgroup v2 has no place for: noted in the log, as runc does."""

from __future__ import annotations

from pyoci.plan.cgroup.model import RESOURCES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.cgroup.model import Section

# Section, key, and the values that ask for nothing, or for what v2 does anyway.
_V1_ONLY: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("memory", "kernel", (0, -1)),
    ("memory", "kernelTCP", (0, -1)),
    ("memory", "swappiness", ()),
    ("memory", "disableOOMKiller", (False,)),
    ("memory", "useHierarchy", (True,)),
    ("cpu", "realtimeRuntime", (0,)),
    ("cpu", "realtimePeriod", (0,)),
    ("blockIO", "leafWeight", (0,)),
    ("network", "classID", (0,)),
    ("network", "priorities", ([],)),
)


def render_ignored(resources: Section) -> tuple[str, ...]:
    """One line for each setting that is ignored, with its JSON path."""
    return (
        *(
            f"{RESOURCES}.{section}.{key}: ignored: it has no meaning on cgroup v2"
            for section, key, harmless in _V1_ONLY
            if _asks(resources.get(section) or {}, key, harmless)
        ),
        *_leaf_weights(resources.get("blockIO") or {}),
        *_idle_shares(resources.get("cpu") or {}),
    )


def _asks(section: Section, key: str, harmless: tuple[object, ...]) -> bool:
    value = section.get(key)
    return value is not None and value not in harmless


def _leaf_weights(block_io: Section) -> tuple[str, ...]:
    return tuple(
        f"{RESOURCES}.blockIO.weightDevice[{index}].leafWeight: ignored: "
        "it has no meaning on cgroup v2"
        for index, entry in enumerate(block_io.get("weightDevice") or ())
        if entry.get("leafWeight")
    )


def _idle_shares(cpu: Section) -> tuple[str, ...]:
    if cpu.get("idle") == 1 and cpu.get("shares"):
        return (f"{RESOURCES}.cpu.shares: ignored: an idle cgroup has no weight of its own",)
    return ()
