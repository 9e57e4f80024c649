"""process.capabilities -> bit masks (config.md, "Linux Process"; capabilities(7))."""

from __future__ import annotations

from pyoci.plan.steps import DropBounding, SetCapabilities
from pyoci.spec.model import Capabilities

# In the order of linux/capability.h: the index is the number.
NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
_NUMBERS = {name: number for number, name in enumerate(NAMES)}
CAP_SYS_ADMIN = 1 << _NUMBERS["CAP_SYS_ADMIN"]


def plan_capabilities(
    capabilities: Capabilities | None, *, filter_needs_admin: bool
) -> tuple[DropBounding, SetCapabilities, list[str]]:
    """The five sets as masks in two steps, and warnings; no sets in the config are empty ones.

    A filter without no_new_privileges takes CAP_SYS_ADMIN to install, at the
    very end: it is held until then in the effective and permitted sets, whose
    values execve throws away (capabilities(7), "Transformation of capabilities
    during execve()").
    """
    sets = capabilities or Capabilities()
    warnings: list[str] = []
    bounding = _mask(sets.bounding, "bounding", warnings)
    effective = _mask(sets.effective, "effective", warnings)
    permitted = _mask(sets.permitted, "permitted", warnings)
    inheritable = _mask(sets.inheritable, "inheritable", warnings)
    ambient = _mask(sets.ambient, "ambient", warnings)
    possible = ambient & permitted & inheritable
    if possible != ambient:
        lost = ", ".join(names_of(ambient & ~possible))
        warnings.append(
            "process.capabilities.ambient: ignored where they are not "
            f"in permitted and inheritable too: {lost}"
        )
    hold = CAP_SYS_ADMIN if filter_needs_admin else 0
    drop = DropBounding(config="process.capabilities.bounding", keep=bounding)
    step = SetCapabilities(
        config="process.capabilities",
        effective=effective | hold,
        permitted=permitted | hold,
        inheritable=inheritable,
        ambient=possible,
    )
    return drop, step, warnings


def _mask(names: tuple[str, ...], where: str, warnings: list[str]) -> int:
    mask = 0
    for name in names:
        number = _NUMBERS.get(name.upper())
        if number is None:
            warnings.append(f"process.capabilities.{where}: unknown capability {name!r} is ignored")
        else:
            mask |= 1 << number
    return mask


def names_of(mask: int) -> list[str]:
    """The names of the capabilities in a mask."""
    return [name for number, name in enumerate(NAMES) if mask >> number & 1]
