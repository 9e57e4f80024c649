"""What the process prints, logs and returns, in children run as the launcher runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pyoci.cli.main import main; main()"
STRICT = ("-X", "dev", "-W", "default")


def pyoci(
    *words: str | bytes,
    flags: tuple[str, ...] = (),
    **settings: Any,  # noqa: ANN401  (as subprocess.run takes them)
) -> subprocess.CompletedProcess[str]:
    """Run the command line with an empty environment, as some callers do."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-IS", *flags, "-c", PROGRAM, *words]
    settings = {"env": {}, "encoding": "utf-8", "timeout": 60, **pipes, **settings}
    return subprocess.run(command, check=False, **settings)


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "root")


@pytest.mark.parametrize("words", [("--version",), ("list",), ("--help",), ("state", "--help"), ()])
def test_success_is_silent_on_stderr(words: tuple[str, ...], tmp_path: Path) -> None:
    runtime_dir = {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = pyoci(*words, flags=STRICT, env=runtime_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_version_as_docker_reads_it() -> None:
    """moby: a line with "version" is cut there, a line "commit:" is the commit."""
    name = version = commit = ""
    for line in pyoci("--version").stdout.strip().split("\n"):
        if "version" in line:
            parts = line.split("version")
            name, version = parts[0].strip(), parts[-1].strip()
        elif line.startswith("commit:"):
            commit = line.removeprefix("commit:").strip()
    assert name == "pyoci"
    assert version.count(".") == 2
    assert commit


def test_version_as_go_runc_reads_it() -> None:
    """go-runc: prefixes of lines; a first line without "runc version " leaves the version empty."""
    first, *lines = pyoci("--version").stdout.strip().split("\n")
    assert first.startswith("pyoci version ")
    assert [line.partition(": ")[0] for line in lines] == ["commit", "spec", "python"]
    assert lines[1] == "spec: 1.3.0"


@pytest.mark.parametrize("words", [(), ("help",), ("h",), ("create", "--help"), ("-h",)])
def test_help_is_on_stdout(words: tuple[str, ...]) -> None:
    done = pyoci(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: pyoci ")


def test_a_wrong_number_of_arguments() -> None:
    done = pyoci("create")
    assert done.returncode == 1
    assert done.stdout.startswith("Incorrect Usage.\n\nUsage: pyoci create")
    assert done.stderr == 'pyoci: "create" requires exactly 1 argument(s)\n'


def test_an_unknown_option() -> None:
    done = pyoci("state", "-x", "c")
    assert done.returncode == 1
    assert done.stderr == "pyoci: flag provided but not defined: -x\n"
    assert done.stdout.startswith("Incorrect Usage.\n")


def test_an_unknown_command() -> None:
    done = pyoci("frobnicate", "c")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "pyoci: No help topic for 'frobnicate'\n"


def test_a_mistake_is_logged_once(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    words = ("--log", str(log), "--log-format", "json", "create", "--bundle")
    both = [pyoci(*words), pyoci(*words)]
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    for entry, done in zip(entries, both, strict=True):
        assert done.returncode == 1
        assert list(entry) == ["level", "msg", "time"]
        assert entry["level"] == "error"
        assert entry["msg"] + "\n" == done.stderr
        assert "flag needs an argument" in entry["msg"]
        assert datetime.fromisoformat(entry["time"]).utcoffset() is not None


def test_a_json_log_without_a_file_is_stderr() -> None:
    done = pyoci("--log-format", "json", "create")
    assert json.loads(done.stderr)["msg"].endswith('"create" requires exactly 1 argument(s)')


def test_debug_tells_the_place(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    pyoci("--debug", "--log", str(log), "--log-format", "json", "frobnicate")
    entry = json.loads(log.read_text())
    assert "/pyoci/cli/" in entry["file"]
    assert entry["func"]


def test_the_log_is_made_also_where_all_goes_well(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert pyoci("--log", str(log), "spec", "--bundle", str(tmp_path)).returncode == 0
    assert log.read_text() == ""


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    done = pyoci("--log", str(tmp_path / "no" / "log"), "spec", "-b", str(tmp_path))
    assert done.returncode == 1
    assert "no such file or directory" in done.stderr
    assert not (tmp_path / "config.json").exists()


def test_a_full_log_is_no_error(tmp_path: Path) -> None:
    done = pyoci("--log", "/dev/full", "spec", "--bundle", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [("--root", "/", "list"), ("--root=", "list")])
def test_roots_that_are_refused(words: tuple[str, ...]) -> None:
    done = pyoci(*words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--root must not be" in done.stderr


def test_spec_writes_once(tmp_path: Path) -> None:
    assert pyoci("spec", cwd=tmp_path).returncode == 0
    first = (tmp_path / "config.json").read_text()
    assert first.startswith('{\n\t"ociVersion": "1.3.0",\n')
    assert json.loads(first)["root"]["path"] == "rootfs"
    done = pyoci("spec", "--rootless", cwd=tmp_path)
    assert done.returncode == 1
    assert "File config.json exists. Remove it first" in done.stderr
    assert (tmp_path / "config.json").read_text() == first


def test_spec_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    done = pyoci("spec", "--bundle", str(tmp_path / "missing"))
    assert done.returncode == 1
    assert "missing/config.json: ENOENT (no such file or directory)" in done.stderr


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete", "ps"])
def test_a_missing_container(command: str, root: str) -> None:
    done = pyoci("--root", root, command, "missing", flags=STRICT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"pyoci: {command} missing: ")
    assert "does not exist" in done.stderr
    assert done.stderr.count("\n") == 1


def test_kill_looks_for_the_container_before_the_signal(root: str) -> None:
    done = pyoci("--root", root, "kill", "missing", "FOO")
    assert "does not exist" in done.stderr


def test_delete_force_of_a_missing_container_is_silent(root: str) -> None:
    done = pyoci("--root", root, "delete", "--force", "missing", flags=STRICT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\nb", "é", "x" * 1025])
@pytest.mark.parametrize(
    "command", ["create", "delete", "kill", "plan", "ps", "run", "start", "state"]
)
def test_ids_are_checked_first(command: str, name: str, tmp_path: Path) -> None:
    done = pyoci("--root", str(tmp_path / "root"), command, "--", name, cwd=tmp_path)
    assert done.returncode == 1
    assert "container id cannot be empty" in done.stderr or "invalid container ID" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_list_of_nothing(tmp_path: Path) -> None:
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    (tmp_path / "root").mkdir()
    root = ("--root", str(tmp_path / "root"))
    assert pyoci(*root, "list", "--format=json", env=env).stdout.strip() == "[]"
    assert pyoci(*root, "list", "-q", env=env).stdout == ""
    table = pyoci(*root, "list", env=env).stdout
    assert table == "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"


def test_list_of_a_given_root_that_is_missing(root: str) -> None:
    done = pyoci("--root", root, "list")
    assert done.returncode == 1
    assert "no such file or directory" in done.stderr


def test_bytes_that_are_no_text_come_out_escaped(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    done = pyoci("--log", str(log), "--log-format", "json", b"\xff\n\x1b[31m")
    message = "pyoci: No help topic for '\\xff\\n\\x1b[31m'"
    assert done.stderr == message + "\n"
    assert json.loads(log.read_text())["msg"] == message


def test_a_full_stdout_is_an_error() -> None:
    with Path("/dev/full").open("w", encoding="ascii") as full:
        done = pyoci("--version", stdout=full.fileno())
    assert done.returncode == 1
    assert "cannot write to standard output: ENOSPC (no space left on device)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_broken_stdout_is_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = pyoci("--version", stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert "EPIPE (broken pipe)" in done.stderr


def test_a_broken_stderr_changes_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = pyoci("frobnicate", stderr=writer)
    os.close(writer)
    assert done.returncode == 3


@pytest.mark.parametrize("closed", ["0", "1", "2", "01", "012"])
def test_closed_descriptors_are_never_reused(closed: str, tmp_path: Path) -> None:
    """The log would get the number of a closed descriptor, and stdout's text would go there."""
    log = tmp_path / "log"
    closing = " ".join(f"{fd}<&-" for fd in closed)
    line = f'exec "$0" -IS -c "$1" --log "$2" --version {closing}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, PROGRAM, str(log)],
        check=False,
        env={},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr, log.read_text()) == (0, b"", "")
    assert bool(done.stdout) == ("1" not in closed)


def test_stdin_is_left_alone(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"for the container")
    os.close(writer)
    assert pyoci("spec", "-b", str(tmp_path), stdin=reader).returncode == 0
    assert os.read(reader, 100) == b"for the container"
    os.close(reader)


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LANG": "xx_YY"}])
def test_any_locale(locale: dict[str, str], tmp_path: Path) -> None:
    bundle = tmp_path / "bündle"
    done = pyoci("spec", "--bundle", str(bundle), env=locale)
    assert f"{bundle}/config.json: ENOENT" in done.stderr


def test_without_click_a_mistake_is_still_one_line(tmp_path: Path) -> None:
    """A module in sys.modules that is None cannot be imported: as if click were missing."""
    program = PROGRAM.replace("from", "sys.modules['click'] = None; from", 1)
    done = subprocess.run(
        [sys.executable, "-IS", "-c", program, "create"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].endswith("need click")
    assert "Traceback" not in done.stderr


def run_with_command(body: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program with a `version` command whose body is given."""
    program = (
        "import sys, types; module = types.ModuleType('pyoci.cli.commands.version')\n"
        f"def execute(call):\n    {body}\n"
        "module.execute = execute; sys.modules[module.__name__] = module\n"
    )
    return subprocess.run(
        [sys.executable, "-IS", "-c", program + PROGRAM, *words, "--version"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={},
        timeout=60,
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("1 / 0", "internal error: ZeroDivisionError: division by zero"),
        ("raise MemoryError", "internal error: MemoryError: "),
        ("raise SystemExit(0)", "internal error: SystemExit: 0"),
        (
            "raise RuntimeError('two\\nlines \\udcff')",
            "internal error: RuntimeError: two\\nlines \\xff",
        ),
    ],
)
def test_a_bug_is_one_line_and_its_place(body: str, text: str, tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    done = run_with_command(body, "--log", str(log), "--log-format", "json")
    assert done.returncode == 1
    message, hint = done.stderr.splitlines()
    assert message == f"pyoci: version: {text}"
    assert "in execute: this is a bug in pyoci" in hint
    assert json.loads(log.read_text())["msg"] == message


def test_an_interrupt_is_never_printed() -> None:
    done = run_with_command("raise KeyboardInterrupt")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_error_of_the_system_names_the_path() -> None:
    done = run_with_command("open('/nonexistent')")
    assert done.returncode == 1
    assert done.stderr == "pyoci: version: /nonexistent: ENOENT (no such file or directory)\n"


def test_hints_and_notes_are_for_stderr_only(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    body = (
        "from pyoci.errors import PyociError; error = PyociError('it failed', 'try again');"
        " error.add_note('undo failed too'); raise error"
    )
    done = run_with_command(body, "--log", str(log), "--log-format", "json")
    assert done.stderr == "pyoci: version: it failed\ntry again\nundo failed too\n"
    assert json.loads(log.read_text())["msg"] == "pyoci: version: it failed"


@pytest.mark.parametrize(("user", "made"), [("", True), ("someone", True), ("root", False)])
def test_the_root_of_a_user_namespace(user: str, tmp_path: Path, *, made: bool) -> None:
    """Its root user has a state root of its own, unless it came by a login as root."""
    command = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    done = subprocess.run(
        [*command, sys.executable, "-IS", "-c", PROGRAM, "list"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={"PATH": os.defpath, "XDG_RUNTIME_DIR": str(tmp_path), "USER": user},
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == (["pyoci"] if made else [])
    if made:
        assert (tmp_path / "pyoci").stat().st_mode & 0o7777 == 0o1700


HOT = {"posix", "sys", "errno", "time", "builtins", "_json", "_signal", "__future__"}


@pytest.mark.parametrize(
    "line", ["--root /r --log /dev/null state x", "kill x 9", "--version", "run --bundle /b -d x"]
)
def test_the_hot_path_imports_nothing_of_weight(line: str) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules)\n"
        "from pyoci.cli import main\n"
        "assert main.argv.parse(sys.argv[1:])\n"
        "for name in sorted(set(sys.modules) - before): print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-IS", "-c", program, *line.split()],
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    foreign = {name for name in done.stdout.split() if not name.startswith("pyoci")}
    assert foreign <= HOT
