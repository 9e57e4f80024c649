"""Resources that were set and resources to set now: what holds from now on, and what to write.

For `update`. Both are `linux.resources` objects that the schema has accepted.
The rules of devices are not in it: a container keeps those it was made with.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Resources: TypeAlias = dict[str, Any]

# Zero in these says "not set": engines send every member they know of.
_ZERO_IS_UNSET = {
    "memory": ("limit", "reservation", "swap", "kernel", "kernelTCP"),
    "cpu": ("shares", "quota", "period", "realtimeRuntime", "realtimePeriod"),
    "blockIO": ("weight", "leafWeight"),
}

# Members that one write, or one check, is made of: who changes one needs the others as they are.
_COUPLED = {
    "memory": (("limit", "swap", "checkBeforeUpdate"),),
    "cpu": (("quota", "period", "burst"), ("shares", "idle")),
}

# The entry of a list is known by these of its members.
_ENTRY_KEYS = {
    ("blockIO", "weightDevice"): ("major", "minor"),
    ("blockIO", "throttleReadBpsDevice"): ("major", "minor"),
    ("blockIO", "throttleWriteBpsDevice"): ("major", "minor"),
    ("blockIO", "throttleReadIOPSDevice"): ("major", "minor"),
    ("blockIO", "throttleWriteIOPSDevice"): ("major", "minor"),
    ("", "hugepageLimits"): ("pageSize",),
    ("network", "priorities"): ("name",),
}

# Maps whose members belong together, or stand alone; all other objects are sections of members.
_MAPS = ("rdma", "unified")


def parse_given(resources: Resources) -> Resources:
    """What the object really sets: without devices, null, and values that say "not set"."""
    given: Resources = {}
    for name, section in resources.items():
        if name == "devices" or not section:
            continue
        kept = _kept_members(name, section) if isinstance(section, dict) else section
        if kept:
            given[name] = kept
    return given


def _kept_members(name: str, section: Resources) -> Resources:
    zeros = _ZERO_IS_UNSET.get(name, ())
    return {
        key: value
        for key, value in section.items()
        if value is not None
        and value != []
        and not (key in zeros and value == 0)
        # An empty list of CPUs is not set; an empty value of a cgroup's file is one.
        and (value != "" or name == "unified")
    }


def merge_resources(old: Resources, given: Resources) -> Resources:
    """What holds once `given`, out of `parse_given`, has been set over `old`."""
    merged = dict(old)
    for name, section in given.items():
        before = old.get(name)
        merged[name] = _merge("", name, before, section) if before else section
    _settle_memory(merged, given.get("memory") or {})
    _settle_cpu(merged, given.get("cpu") or {})
    return merged


def _merge(section: str, name: str, old: Any, given: Any) -> Any:  # noqa: ANN401  (JSON)
    if (section, name) in _ENTRY_KEYS:
        return _merge_entries(_ENTRY_KEYS[section, name], old, given)
    if not isinstance(given, dict) or not isinstance(old, dict):
        return given
    if name in _MAPS:
        return old | given
    return old | {key: _merge(name, key, old.get(key) or [], value) for key, value in given.items()}


def _merge_entries(keys: tuple[str, ...], old: list[Resources], given: list[Resources]) -> object:
    """The entries of both; where both have one, its members come together, the new ones first."""
    entries = {tuple(entry.get(key) for key in keys): entry for entry in old}
    for entry in given:
        known = tuple(entry.get(key) for key in keys)
        entries[known] = entries.get(known, {}) | entry
    return list(entries.values())


def _settle_memory(merged: Resources, given: Resources) -> None:
    """Without a limit of memory there is none of memory and swap together, unless it is given."""
    if given.get("limit") == -1 and "swap" not in given:
        merged["memory"] = merged["memory"] | {"swap": -1}


def _settle_cpu(merged: Resources, given: Resources) -> None:
    """Who becomes idle loses the shares: the kernel forgets the weight then."""
    if given.get("idle") == 1 and "shares" not in given:
        merged["cpu"] = {key: value for key, value in merged["cpu"].items() if key != "shares"}


def select_changes(merged: Resources, given: Resources) -> Resources:
    """The part of `merged` to be written for `given`: what was given, and what is coupled to it.

    The rest is left alone: others, such as a kubelet, may have changed it in the
    cgroup since.
    """
    changes = dict(given)
    for name, groups in _COUPLED.items():
        if name in given:
            wanted = set(given[name])
            for group in groups:
                if wanted.intersection(group):
                    wanted.update(group)
            changes[name] = {key: merged[name][key] for key in merged[name] if key in wanted}
    return changes
