"""What is fuzzed: bytes in, and nothing may come out but an error of pyoci's own.

A target returns quietly or raises what is a finding. PyociError is none: it is how bad input is
refused. InternalError is one, and so is an error whose text nobody could print or read.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pyoci import jsonio
from pyoci.cli import argv, click_app, options, output
from pyoci.cli.argv import Invocation
from pyoci.cli.call import Call
from pyoci.cli.commands.exec import exec_request
from pyoci.cli.commands.update import _OPTIONS as UPDATE_OPTIONS
from pyoci.cli.commands.update import parse_options
from pyoci.cli.durations import parse_duration
from pyoci.cli.request import create_request
from pyoci.cli.signals import parse_signal
from pyoci.engine import query
from pyoci.engine.containers import UNTYPED_ERRORS, Container
from pyoci.engine.process_file import read_process_file
from pyoci.engine.remove import read_hooks
from pyoci.errors import InternalError, PyociError
from pyoci.host.resources import read_resources
from pyoci.plan.build import build_plan
from pyoci.plan.cgroup.merge import merge_resources, parse_given, select_changes
from pyoci.plan.cgroup.resources import plan_resources
from pyoci.plan.exec import ExecFacts, ExecRequest, plan_exec, plan_request
from pyoci.plan.render import render_json, render_text
from pyoci.plan.seccomp import arches
from pyoci.plan.seccomp.compile import compile_seccomp, plan_seccomp
from pyoci.plan.seccomp.verdict import find_action
from pyoci.record import replace
from pyoci.spec.accept import accept
from pyoci.spec.document import parse_document
from pyoci.spec.model import Process
from pyoci.spec.parse import parse_config
from pyoci.spec.report import explain
from pyoci.spec.rules import check_spec
from pyoci.spec.users import parse_user, resolve_user
from pyoci.state import store
from tests.support.bpf_simulator import Program
from tests.support.planning import FACTS, REQUEST
from tests.support.seccomp_profiles import MACHINES

if TYPE_CHECKING:
    from pyoci.spec.model import Seccomp, Spec

# Where one part of an input ends: no UTF-8 has these bytes.
SEPARATOR = b"\xff\xfe\xfd"
# An error is for a terminal and a log: whatever it quotes is cut.
MAX_MESSAGE = 1 << 13
CALLS_TO_TRY = 60
MODULES = ("apparmor", "selinux")
EXEC_FACTS = ExecFacts(machine="x86_64", modules=MODULES)
ID = "fuzzed"

Target = Callable[[bytes], None]


def check_error(error: PyociError) -> None:
    """A finding if the error is our own fault, or cannot be shown as one short line."""
    if isinstance(error, InternalError) or "bug in pyoci" in f"{error.message}{error.hint}":
        raise AssertionError(f"blames us: {error.message}") from error
    line = output.one_line(error.message)
    assert line.isprintable(), f"not printable: {line!a}"
    line.encode("utf-8", "backslashreplace")
    assert len(line) <= MAX_MESSAGE, f"{len(line)} characters: {line[:200]!a}"


def refusing(target: Target) -> Target:
    """The target, for which a proper refusal is a good end."""

    def run(data: bytes) -> None:
        try:
            target(data)
        except PyociError as error:
            check_error(error)

    run.__doc__ = target.__doc__
    return run


# --- config.json, and the files of exec and update


def read_spec(document: object) -> Spec:
    """A Spec as create gets it from a document."""
    if not isinstance(document, dict) or not accept(document):
        raise explain(document)
    spec = parse_config(document)
    check_spec(spec)
    return spec


def fuzz_config(data: bytes) -> None:
    """config.json: parse, schema, rules, plan; its text and JSON; what exec makes of it later."""
    document = parse_document(data)
    spec = read_spec(document)
    # The stored copy is what exec, update and delete go by.
    stored: Any = jsonio.loads(jsonio.dumps(document).encode().decode())
    assert parse_config(stored) == spec
    plan = build_plan(spec, REQUEST, replace(FACTS, modules=MODULES))
    assert all(line.isprintable() for line in render_text(plan).splitlines())
    jsonio.dumps(render_json(plan)).encode()
    if spec.process is not None:
        request = ExecRequest(container_id=ID, root="/run/pyoci")
        plan_exec(plan_request(spec.process, request, None), spec.linux, request, EXEC_FACTS)


def with_file(data: bytes, read: Callable[[str], object]) -> object:
    """What `read` makes of a file with these bytes."""
    fd = os.memfd_create("fuzzed")
    try:
        os.write(fd, data)
        return read(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def fuzz_process(data: bytes) -> None:
    """The process file of exec."""
    process = with_file(data, read_process_file)
    assert isinstance(process, Process)
    request = ExecRequest(container_id=ID, root="/run/pyoci", capabilities=("cap_kill",))
    planned = plan_request(process, request, None)
    plan_exec(planned, replace(BASE_SPEC.linux), request, EXEC_FACTS)


def fuzz_resources(data: bytes) -> None:
    """The resources file of update, on top of what the container had."""
    before, _, given = data.rpartition(SEPARATOR)
    had: Any = with_file(before, read_resources) if before else {}
    resources: Any = with_file(given, read_resources)
    changes = parse_given(resources)
    merged = merge_resources(had, changes)
    plan_resources(select_changes(merged, changes))
    jsonio.dumps(merged).encode()


# --- the command line


def no_log(level: str, message: str) -> None:
    """The log of a command that is not run."""


def fuzz_argv(data: bytes) -> None:
    """A command line, words with NUL between them: both parsers, and what commands make of it."""
    words = [word.decode("utf-8", "surrogateescape") for word in data.split(b"\0")]
    fast = argv.parse(words)
    try:
        slow: object = click_app.parse(words)
    except PyociError as error:
        check_error(error)
        slow = None
    assert fast == (slow if isinstance(slow, Invocation) else None), (words, fast, slow)
    if fast is not None and fast.command in options.COMMANDS:
        use(fast)


def use(invocation: Invocation) -> None:
    """What the commands derive from their options before they touch anything."""
    log: Any = no_log
    call = Call(
        command=invocation.command,
        options=invocation.options,
        arguments=invocation.arguments,
        log=log,
    )
    if call.command in ("create", "run", "plan"):
        create_request(call)
    elif call.command == "exec":
        request = exec_request(call)
        plan_request(BASE_SPEC.process or Process(), replace(request, user=""), None)
        if request.user:
            parse_user(request.user)
    elif call.command == "update":
        parse_given(parse_options({name: call.text(name) for name, *_ in UPDATE_OPTIONS}))
    elif call.command == "events":
        parse_duration(call.text("interval"))
    elif call.command == "kill":
        for word in call.arguments[1:]:
            parse_signal(word)


def fuzz_accounts(data: bytes) -> None:
    """exec --user, and the passwd and group files of an image."""
    word, passwd, group = [
        part.decode("utf-8", "surrogateescape") for part in (data.split(SEPARATOR) + [b""] * 3)[:3]
    ]
    identity = resolve_user(parse_user(word), passwd, group)
    for number in (identity.uid, identity.gid or 0, *(identity.additional_gids or ())):
        assert 0 <= number < 2**32 - 1, identity


# --- seccomp


def fuzz_seccomp(data: bytes) -> None:
    """linux.seccomp: a program that is valid, and says what the decisions say."""
    document = {**BASE_CONFIG, "linux": {"seccomp": parse_document(data)}}
    seccomp = read_spec(document).linux.seccomp
    if seccomp is not None:
        for machine in MACHINES:
            compare(seccomp, machine, Random(data))  # noqa: S311  (the same for the same input)


def compare(seccomp: Seccomp, machine: str, random: Random) -> None:
    """The compiled program and the plan agree on some calls."""
    program = Program(
        compile_seccomp(seccomp, machine).program, ">" if arches.is_big_endian(machine) else "<"
    )
    plan = plan_seccomp(seccomp, machine)
    edges = [first for section in plan.sections for first, _ in section.ranges]
    values = [a.value for rule in seccomp.syscalls for a in rule.args] or [0]
    audits = [section.audit for section in plan.sections]
    for _ in range(CALLS_TO_TRY):
        number = (random.choice(edges or [0]) + random.choice((-1, 0, 0, 0, 1))) % 2**32
        args = tuple(
            (random.choice(values) + random.choice((-1, 0, 0, 1))) % 2**64 for _ in range(6)
        )
        audit = random.choice([*audits, 0x12345678])
        said, decided = (
            program.run(number, audit, args).action,
            find_action(plan, audit, number, args),
        )
        assert said == decided, (machine, hex(audit), number, args, hex(said), hex(decided))


# --- the state directory


def fuzz_state(data: bytes) -> None:
    """state.json and config.json of a container: all that reads them."""
    state, _, config = data.partition(SEPARATOR)
    directory = make_state_directory()
    (directory / "state.json").write_bytes(state)
    (directory / "config.json").write_bytes(config)
    root = str(directory.parent)
    states, problems = query.read_list(root, must_exist=True)
    assert len(states) + len(problems) == 1
    jsonio.dumps(states).encode()
    for read in (query.read_state, query.read_processes):
        try_reading(lambda read=read: read(root, ID))  # type: ignore[misc]
    with Container(root, ID) as container:
        try_reading(lambda: plan_by_stored(container))
        for kind in ("poststart", "poststop"):
            try_reading(lambda kind=kind: read_hooks(container.dir_fd, ID, kind))  # type: ignore[misc]


def plan_by_stored(container: Container) -> None:
    """What exec and update make of the stored config, as far as no process is needed for it."""
    stored: Any = store.read_config(container.dir_fd, ID)
    request = ExecRequest(container_id=ID, root="/run/pyoci", args=("sh",))
    try:
        linux = stored.get("linux") or {}
        merge_resources(linux.get("resources") or {}, {"pids": {"limit": 5}})
        spec = parse_config(stored)
        process = plan_request(spec.process or Process(), request, None)
        plan_exec(process, spec.linux, request, EXEC_FACTS)
    except UNTYPED_ERRORS as error:
        raise container.blame(stored, error) from None


@functools.cache
def make_state_directory() -> Path:
    """The state directory of a container below a root; gone when we end."""
    root = Path(tempfile.mkdtemp(prefix="pyoci-fuzz-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    (root / ID).mkdir()
    return root / ID


def try_reading(read: Callable[[], object]) -> None:
    try:
        read()
    except PyociError as error:
        check_error(error)


BASE_CONFIG: dict[str, Any] = {
    "ociVersion": "1.3.0",
    "root": {"path": "rootfs"},
    "process": {"args": ["sh"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
    "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]},
}
BASE_SPEC = read_spec(BASE_CONFIG)

TARGETS: dict[str, Target] = {
    "config": refusing(fuzz_config),
    "argv": refusing(fuzz_argv),
    "seccomp": refusing(fuzz_seccomp),
    "state": refusing(fuzz_state),
    "process": refusing(fuzz_process),
    "resources": refusing(fuzz_resources),
    "accounts": refusing(fuzz_accounts),
}
