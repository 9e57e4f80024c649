"""linux.seccomp -> the step that installs the filter, and the one that hands its listener over."""

from __future__ import annotations

from pyoci.plan.seccomp.compile import compile_seccomp
from pyoci.plan.steps import LoadSeccomp, SendSeccompListener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import Seccomp


def plan_filter(
    seccomp: Seccomp, machine: str
) -> tuple[LoadSeccomp, SendSeccompListener | None, list[str]]:
    """The filter, what main does with its listener if it has one (SCMP_ACT_NOTIFY), and warnings.

    Raises as `compile_seccomp` does.
    """
    compiled = compile_seccomp(seccomp, machine)
    names = ", ".join(compiled.unknown_names)
    warnings = [f"linux.seccomp: unknown system calls are ignored: {names}"] if names else []
    load = LoadSeccomp(config="linux.seccomp", program=compiled.program, flags=compiled.flags)
    if not compiled.notify:
        return load, None, warnings
    send = SendSeccompListener(
        config="linux.seccomp.listenerPath",
        path=compiled.listener_path,
        metadata=compiled.listener_metadata,
    )
    return load, send, warnings
