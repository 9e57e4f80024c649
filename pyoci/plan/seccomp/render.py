"""Explanations of a profile as text and as JSON, for `pyoci seccomp`."""

from __future__ import annotations

from pyoci.plan.seccomp.compile import compile_seccomp
from pyoci.plan.seccomp.explain import explain_profile
from pyoci.record import Record, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyoci.plan.seccomp.explain import ArchDecisions, CallDecision, Explanation
    from pyoci.spec.model import Seccomp

_WIDTH = 100
# What compile_seccomp takes where a profile gives no flags.
_DEFAULT_FLAGS = ("SECCOMP_FILTER_FLAG_SPEC_ALLOW",)


def render_profile(profile: Seccomp, machine: str) -> str:
    """A whole profile: what is decided, architecture by architecture."""
    explained = explain_profile(profile, machine)
    size = len(compile_seccomp(profile, machine).program) // 8
    flags = profile.flags if profile.flags is not None else _DEFAULT_FLAGS
    lines = [
        f"machine   {machine}",
        f"default   {explained.default}",
        f"filter    {size} instructions",
        f"flags     {', '.join(flags) or 'none'}",
    ]
    if profile.listener_path:
        lines.append(f"listener  {profile.listener_path}")
    for where in dict.fromkeys([where for _, where in explained.unknown_names]):
        names = [name for name, at in explained.unknown_names if at == where]
        lines += _wrap(f"unknown   {where}: ", names)
    lines += [f"ignored   {name}: not this machine's" for name in explained.ignored_arches]
    for arch in explained.arches:
        lines += ["", *_render_arch(arch, explained.default)]
    return "\n".join([_printable(line) for line in lines]) + "\n"


def _render_arch(arch: ArchDecisions, default: str) -> Iterator[str]:
    yield f"{arch.name}{' (native)' if arch.native else ''}:"
    older = [call for call in arch.calls if not _is_newer(arch, call)]
    by_action: dict[str, list[str]] = {default: []}
    by_arguments = []
    for call in older:
        if len(call.alternatives) > 1:
            by_arguments.append(call)
        else:
            by_action.setdefault(call.alternatives[0].action, []).append(call.name)
    for action, names in by_action.items():
        what = f"{action}{' (the default)' if action == default else ''}"
        yield from _wrap(f"  {what}: ", sorted(names))
    for call in sorted(by_arguments, key=lambda call: call.name):
        words = [f"{a.action} if {a.when}" for a in call.alternatives[:-1]]
        yield from _wrap(f"  {call.name}: ", [*words, f"else {call.alternatives[-1].action}"])
    if arch.newer_from >= 0:
        names = [call.name for call in arch.calls if _is_newer(arch, call)]
        yield from _wrap(f"  {arch.newer} from {arch.newer_from} on (newer): ", sorted(names))


def _is_newer(arch: ArchDecisions, call: CallDecision) -> bool:
    return 0 <= arch.newer_from <= call.number and call.alternatives[-1].action == arch.newer


def _wrap(title: str, words: Iterable[str]) -> Iterator[str]:
    """The title, then the words with commas, in lines that are not too long."""
    line = title
    for n, word in enumerate(words):
        comma = ", " if n else ""
        if n and len(line) + len(comma) + len(word) > _WIDTH:
            yield f"{line},"
            line, comma = "      ", ""
        line += f"{comma}{word}"
    yield line.rstrip()


def render_call(decisions: list[CallDecision]) -> str:
    """One call, on every architecture that has it."""
    lines: list[str] = []
    for call in decisions:
        if call.number < 0:
            lines.append(f"{call.arch}: has no {call.name}")
            continue
        via = f" through {call.via}" if call.via else ""
        lines.append(f"{call.arch}: {call.name or 'no call'} ({call.number}){via}")
        for alternative in call.alternatives:
            when = f" if {alternative.when}" if alternative.when else ""
            lines.append(f"  {alternative.action}{when}  # {alternative.because}")
    return "\n".join([_printable(line) for line in lines]) + "\n"


def _printable(line: str) -> str:
    """The line as one line, whatever the profile holds; it may go to a terminal."""
    if line.isprintable():
        return line
    return "".join([char if char.isprintable() else ascii(char)[1:-1] for char in line])


def to_json(value: Explanation | list[CallDecision]) -> object:
    """The same for programs: every record as an object of its fields."""
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, Record):
        return {name: _plain(item) for name, item in fields(value).items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
