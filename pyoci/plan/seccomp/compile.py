"""The way in: linux.seccomp compiled for a machine."""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.plan.seccomp.arches import is_big_endian, select_arches
from pyoci.plan.seccomp.bpf import MAX_INSTRUCTIONS
from pyoci.plan.seccomp.codegen import Generator
from pyoci.plan.seccomp.decide import plan_sections
from pyoci.plan.seccomp.profile import parse_action, parse_rules
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.seccomp.decide import Plan
    from pyoci.spec.model import Seccomp

# linux/seccomp.h
SECCOMP_FILTER_FLAG_LOG = 0x2
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 0x4
SECCOMP_FILTER_FLAG_NEW_LISTENER = 0x8
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20

_FLAGS = {
    # A container's process has one thread when it gets its filter: there is nothing to
    # synchronise, and the kernel refuses the flag together with a listener. As runc.
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": SECCOMP_FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}
KNOWN_FLAGS = tuple(_FLAGS)
_NOTIFY = "SCMP_ACT_NOTIFY"


class SeccompFilter(Record):
    """A filter ready to install, and what to do with its listener.

    `program` is an array of struct sock_filter in the machine's byte order,
    `flags` are those of seccomp(2). `notify` means that installing returns a
    listener, to be sent to `listener_path` with `listener_metadata`.
    `unknown_names` are the calls that no architecture of the filter has.
    """

    program: bytes
    flags: int
    notify: bool
    listener_path: str
    listener_metadata: str
    unknown_names: tuple[str, ...]


def _parse_flags(profile: Seccomp, *, notify: bool) -> int:
    """The flags for seccomp(2); SPEC_ALLOW if the profile gives none, as with runc and crun."""
    flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW if profile.flags is None else 0
    for i, name in enumerate(profile.flags or ()):
        if name not in _FLAGS:
            raise ConfigError(f"linux.seccomp.flags[{i}]", f"unknown flag {name!r}")
        flags |= _FLAGS[name]
    if notify:
        return flags | SECCOMP_FILTER_FLAG_NEW_LISTENER
    # Without a listener it has no meaning, and the kernel refuses it.
    return flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV


def _check_listener(profile: Seccomp, *, notify: bool) -> None:
    """Refuse notifications that nobody could get, or that would hang the container's start."""
    if profile.default_action == _NOTIFY:
        reason = f"{_NOTIFY} cannot be the default: it would hold up write(2)"
        raise ConfigError("linux.seccomp.defaultAction", reason)
    for i, rule in enumerate(profile.syscalls):
        if rule.action == _NOTIFY and "write" in rule.names:
            path = f"linux.seccomp.syscalls[{i}].names"
            # The listener is handed over by a write(2) that already passes the filter.
            raise ConfigError(path, f"{_NOTIFY} cannot be used for write(2)")
    if notify and not profile.listener_path:
        raise ConfigError("linux.seccomp.listenerPath", f"missing, but {_NOTIFY} needs it")
    if profile.listener_metadata and not profile.listener_path:
        raise ConfigError("linux.seccomp.listenerMetadata", "set without listenerPath")


def plan_seccomp(profile: Seccomp, machine: str) -> Plan:
    """What the profile decides for which call, as data: what `compile_seccomp` compiles.

    Raises as `compile_seccomp` does.
    """
    default = parse_action(
        profile.default_action,
        profile.default_errno_ret,
        "linux.seccomp.defaultAction",
        "linux.seccomp.defaultErrnoRet",
    )
    return plan_sections(parse_rules(profile), select_arches(profile, machine), default)


def compile_seccomp(profile: Seccomp, machine: str) -> SeccompFilter:
    """The filter for this profile on a machine as uname(2) names it.

    ConfigError names the JSON path at fault; UnsupportedError means that pyoci
    has no table for the machine (config-linux.md, "Seccomp"; seccomp(2)).
    """
    notify = any(rule.action == _NOTIFY for rule in profile.syscalls)
    _check_listener(profile, notify=notify)
    flags = _parse_flags(profile, notify=notify)
    plan = plan_seccomp(profile, machine)
    big_endian = is_big_endian(machine)
    code = Generator(plan, big_endian=big_endian).generate()
    if len(code) > MAX_INSTRUCTIONS:
        reason = f"compiles to {len(code)} instructions, the kernel takes {MAX_INSTRUCTIONS}"
        raise ConfigError("linux.seccomp", reason)
    return SeccompFilter(
        program=code.program(big_endian=big_endian),
        flags=flags,
        notify=notify,
        listener_path=profile.listener_path if notify else "",
        listener_metadata=profile.listener_metadata if notify else "",
        unknown_names=plan.unknown_names,
    )
