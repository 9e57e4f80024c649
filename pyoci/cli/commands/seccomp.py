"""``pyoci seccomp``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.paths import absolute_path
from pyoci.engine import explain
from pyoci.errors import UsageError
from pyoci.jsonio import dumps
from pyoci.plan.seccomp.explain import explain_call, explain_profile, parse_argument
from pyoci.plan.seccomp.profile import ARGUMENTS
from pyoci.plan.seccomp.render import render_call, render_profile, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """What the bundle's filter does: with every system call, or with one of them."""
    bundle, name, args = _arguments(call)
    profile = explain.read_seccomp(bundle, call.text("config"))
    machine = call.text("machine") or explain.read_machine()
    as_json = call.text("format") == "json"
    if profile is None:
        said = "null" if as_json else "linux.seccomp is not set: nothing is filtered"
        return Answer(text=f"{said}\n")
    if name:
        decisions = explain_call(profile, machine, name, args)
        text = dumps(to_json(decisions), "  ") + "\n" if as_json else render_call(decisions)
    elif as_json:
        text = dumps(to_json(explain_profile(profile, machine)), "  ") + "\n"
    else:
        text = render_profile(profile, machine)
    return Answer(text=text)


def _arguments(call: Call) -> tuple[str, str, tuple[int, ...] | None]:
    """The bundle, the call if one is given, and its arguments if any are; UsageError."""
    bundle, *rest = call.arguments
    words = rest[1:]
    if len(words) > ARGUMENTS:
        raise UsageError(f"a system call has {ARGUMENTS} arguments at most")
    args = tuple([parse_argument(word) for word in words]) if words else None
    return absolute_path(bundle), rest[0] if rest else "", args
