"""What each command may import: every module on a hot path is a conscious choice.

The real launcher runs under a wrapper that, when the command ends, writes down what was loaded and
a bare interpreter has not; import_budget.toml says what that must be, exactly.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.bundles import PROGRAMS, find_busybox, make_config, write_bundle
from bench.operations import CREATE, OPERATIONS, START, Operation, Stage, prepare, remove
from bench.process import Commands
from bench.runtimes import BUILT, Runtime
from conformance.spec import host, kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

BUDGET: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("import_budget.toml").read_text(encoding="ascii")
)
ENVIRONMENT = {"PATH": os.defpath}

# Imports only what is built in. A command ends in posix._exit, so that is where the list is taken;
# a forked child, which ends there too, is not the command.
WRAPPER = """
import posix, sys

end, me = posix._exit, posix.getpid()
output, *sys.argv = sys.argv[1:]

def report(status):
    if posix.getpid() == me:
        fd = posix.open(output, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
        posix.write(fd, chr(10).join(sys.modules).encode())
        posix.close(fd)
    end(status)

posix._exit = report
with open(sys.argv[0]) as launcher:
    code = compile(launcher.read(), sys.argv[0], "exec")
exec(code, {"__name__": "__main__"})
report(0)
"""

# Containers are at hand for these as for the operations that are timed: what comes before them,
# and their words.
PAUSE = ("pause", "{id}")
NOT_TIMED = {
    "list": ((CREATE, START), ("list",)),
    "ps": ((CREATE, START), ("ps", "--format", "json", "{id}")),
    "pause": ((CREATE, START), PAUSE),
    "resume": ((CREATE, START, PAUSE), ("resume", "{id}")),
    # The one limit that no kernel refuses, since none of cgroup v2 has it.
    "update": ((CREATE, START), ("update", "--cpu-rt-period", "5", "{id}")),
    "events": ((CREATE, START), ("events", "--stats", "{id}")),
}
LIFE = OPERATIONS | {
    name: Operation(name, "wait", set_up, words, ends=False, removes=False)
    for name, (set_up, words) in NOT_TIMED.items()
}

# Without a container, and without root.
PLAIN = {
    "version": (("--version",), 0),
    "list-nothing": (("list",), 0),
    "state-missing": (("state", "missing"), 1),
    "seccomp": (("seccomp", "{bundle}", "read"), 0),
}
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_AARCH64"]}


def wrap(command: list[str], output: Path) -> list[str]:
    """The command, a launcher with an interpreter of its own, under the wrapper."""
    with open(command[0], encoding="utf-8") as launcher:
        interpreter = launcher.readline().removeprefix("#!").split()
    return [*interpreter, "-c", WRAPPER, str(output), *command]


def read_loaded(launcher: Path, output: Path) -> set[str]:
    """What a wrapped command has loaded beyond the interpreter's own start."""
    nothing = output.with_suffix(".nothing")
    nothing.write_text(launcher.read_text(encoding="utf-8").partition("\n")[0], encoding="utf-8")
    bare = output.with_suffix(".bare")
    subprocess.run(wrap([str(nothing)], bare), env=ENVIRONMENT, check=True)
    return set(output.read_text().split()) - set(bare.read_text().split())


def run_wrapped(command: list[str], output: Path, status: int = 0) -> set[str]:
    """The modules that a command loads, which must end with this status."""
    done = subprocess.run(
        wrap(command, output), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return read_loaded(Path(command[0]), output)


def allowed(command: str) -> set[str]:
    """The budget of a command."""
    own = BUDGET["commands"][command]
    groups = [BUDGET["groups"][name] for name in own["groups"]]
    return {module for part in (*groups, own) for module in part.get("modules", [])}


def check_budget(command: str, loaded: set[str]) -> None:
    """Fails with the names of the modules that are too many, or no longer needed."""
    budget = allowed(command)
    beyond, unused = sorted(loaded - budget), sorted(budget - loaded)
    assert not beyond, f"{command} loads what its budget does not have: {', '.join(beyond)}"
    assert not unused, f"{command} has a budget for what it does not load: {', '.join(unused)}"


@pytest.fixture(scope="module")
def launcher() -> Path:
    if not BUILT.exists():
        pytest.skip("build/pyoci is missing: make build")
    return BUILT


@pytest.fixture
def stage(launcher: Path, tmp_path: Path) -> Iterator[Stage]:
    container_id = f"pyoci-imports-{os.getpid()}"
    bundles = {program: tmp_path / program for program in PROGRAMS}
    for program, bundle in bundles.items():
        write_bundle(bundle, make_config("default", program, bundle, ""), find_busybox())
    state_root = tmp_path / "state"
    runtime = Runtime("pyoci", str(launcher), "", ENVIRONMENT)
    kernel.become_subreaper()
    yield Stage(runtime, bundles, state_root, container_id)
    left = host.leftovers(container_id, tmp_path, state_root)
    host.scrub(container_id, tmp_path, state_root)
    kernel.LIBC.prctl(kernel.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    assert left == []


@pytest.mark.root
@pytest.mark.parametrize("operation", LIFE.values(), ids=LIFE)
def test_a_command_loads_its_budget(operation: Operation, stage: Stage, tmp_path: Path) -> None:
    commands = Commands(tmp_path / "errors")
    command = prepare(commands, stage, operation)
    output = tmp_path / "loaded"
    commands.time(wrap(command, output), ENVIRONMENT, ends=operation.ends)
    remove(commands, stage, operation)
    commands.close()
    check_budget(operation.name, read_loaded(Path(stage.runtime.path), output))


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_command_loads_its_budget(name: str, launcher: Path, tmp_path: Path) -> None:
    words, status = PLAIN[name]
    (tmp_path / "state").mkdir(mode=0o700)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    config = {"ociVersion": "1.2.0", "root": {"path": "/"}, "linux": {"seccomp": SECCOMP}}
    (bundle / "config.json").write_text(json.dumps(config))
    words = tuple(word.format(bundle=bundle) for word in words)
    command = [str(launcher), "--root", str(tmp_path / "state"), *words]
    check_budget(name, run_wrapped(command, tmp_path / "loaded", status))


def test_every_command_has_a_budget_and_no_other() -> None:
    assert set(BUDGET["commands"]) == set(LIFE) | set(PLAIN)


@pytest.mark.parametrize("command", BUDGET["commands"])
def test_no_budget_has_what_is_forbidden(command: str) -> None:
    forbidden = set(BUDGET["forbidden"]["everywhere"])
    if command not in BUDGET["forbidden"]["ctypes_allowed_in"]:
        forbidden |= {"ctypes", "_ctypes"}
    tops = {module.partition(".")[0] for module in allowed(command)}
    assert tops & forbidden == set()


TOYS = {
    "ends in _exit": "import _bisect, posix\nposix._exit(3)",
    "has imported _exit": "import _bisect\nfrom posix import _exit\n_exit(3)",
    "has a child that ends first": (
        "import posix, _bisect\n"
        "child = posix.fork()\n"
        "if not child:\n    import _random\n    posix._exit(0)\n"
        "posix.waitpid(child, 0)\n"
        "posix._exit(3)"
    ),
}


@pytest.mark.parametrize("text", TOYS.values(), ids=TOYS)
def test_the_wrapper_sees_what_a_script_loads(text: str, launcher: Path, tmp_path: Path) -> None:
    script = make_script(tmp_path, launcher, text)
    assert run_wrapped([str(script)], tmp_path / "loaded", status=3) == {"_bisect"}


def test_the_wrapper_sees_a_script_that_leaves_by_os(launcher: Path, tmp_path: Path) -> None:
    script = make_script(tmp_path, launcher, "import os, _bisect\nos._exit(3)")
    assert run_wrapped([str(script)], tmp_path / "loaded", status=3) >= {"_bisect", "os"}


def test_the_wrapper_sees_a_script_that_just_ends(launcher: Path, tmp_path: Path) -> None:
    script = make_script(tmp_path, launcher, "import _bisect")
    assert run_wrapped([str(script)], tmp_path / "loaded") == {"_bisect"}


def make_script(directory: Path, launcher: Path, text: str) -> Path:
    """A script for the launcher's interpreter."""
    script = directory / "script"
    interpreter = launcher.read_text(encoding="utf-8").partition("\n")[0]
    script.write_text(f"{interpreter}\n{text}\n", encoding="utf-8")
    return script


def test_a_module_too_many_or_too_few_fails() -> None:
    budget = allowed("version")
    check_budget("version", budget)
    with pytest.raises(AssertionError, match="does not have: json"):
        check_budget("version", budget | {"json"})
    with pytest.raises(AssertionError, match="does not load: pyoci"):
        check_budget("version", budget - {"pyoci"})
