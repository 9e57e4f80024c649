"""`make install`: what it puts where, that it runs anywhere, and that uninstall takes it back.

Marked smoke: the installed program is also tried on the interpreters that are not production's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.smoke

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = Path(os.environ.get("PYOCI_RUNTIME", ROOT / "build" / "pyoci"))
NOBODY = 65534


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """make for the interpreter that the tested build runs on."""
    python = RUNTIME.read_text().splitlines()[0].removeprefix("#!").split()[0]
    # Not the flags of a make that runs the tests.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(
        ["make", "--silent", *words, f"PYTHON={python}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def run(program: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The installed program, with an empty environment unless one is given."""
    command = [str(program), *words]
    settings = {"env": {}, "capture_output": True, "text": True, "check": False} | options
    done: subprocess.CompletedProcess[str] = subprocess.run(command, **settings)  # type: ignore[call-overload]  # noqa: PLW1510
    return done


@pytest.fixture(scope="module")
def prefix() -> Iterator[Path]:
    """A prefix that every user can reach, with pyoci in it."""
    with tempfile.TemporaryDirectory(prefix="pyoci-install-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        done = make("install", f"PREFIX={directory}")
        assert (done.returncode, done.stderr) == (0, "")
        yield directory


@pytest.fixture
def program(prefix: Path) -> Path:
    """The installed program."""
    return prefix / "bin" / "pyoci"


def assert_runs(done: subprocess.CompletedProcess[str]) -> None:
    """It said its version and nothing else."""
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pyoci version ")


def test_it_is_roots_and_only_root_can_change_it(prefix: Path, program: Path) -> None:
    assert program.stat().st_mode & 0o7777 == 0o755
    for path in (program, prefix / "lib" / "pyoci", *(prefix / "lib" / "pyoci").rglob("*")):
        status = path.stat()
        assert (status.st_uid, status.st_gid) == (0, 0), path
        assert status.st_mode & 0o022 == 0, path


SHARED = {
    "share/man/man8/pyoci.8": ".Dd ",
    "share/bash-completion/completions/pyoci": "# bash completion for pyoci",
    "share/zsh/site-functions/_pyoci": "#compdef pyoci",
    "share/fish/vendor_completions.d/pyoci.fish": "# fish completion for pyoci",
}


def test_manual_and_completion_are_installed(prefix: Path, program: Path) -> None:
    for name, begin in SHARED.items():
        path = prefix / name
        assert path.read_text().startswith(begin)
        status = path.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, 0o644)
    for shell, name in zip(("bash", "zsh", "fish"), list(SHARED)[1:], strict=True):
        done = run(program, "completion", shell)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (prefix / name).read_text()


def test_it_runs_with_an_empty_environment(program: Path) -> None:
    assert_runs(run(program, "--version"))


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "tr_TR.ISO-8859-9", "no such locale"])
def test_it_runs_in_any_locale(program: Path, locale: str) -> None:
    assert_runs(run(program, "--version", env={"LC_ALL": locale, "LANG": locale}))


def test_it_runs_in_a_directory_that_is_gone(program: Path, tmp_path: Path) -> None:
    script = 'cd "$1" && rmdir "$1" && exec "$2" --version'
    directory = tmp_path / "gone"
    directory.mkdir()
    assert_runs(run(Path("/bin/sh"), "-c", script, "sh", str(directory), str(program)))


def test_it_takes_no_code_from_the_directory_or_the_environment(
    program: Path, tmp_path: Path
) -> None:
    for name in ("pyoci", "posix", "sitecustomize", "encodings", "json", "pyoci_start", "marshal"):
        (tmp_path / f"{name}.py").write_text("import sys\nsys.exit('planted')\n")
    places = {f"PYTHON{name}": str(tmp_path) for name in ("PATH", "HOME", "USERBASE")}
    environment = places | {"PYTHONSTARTUP": str(tmp_path / "json.py"), "HOME": str(tmp_path)}
    assert_runs(run(program, "--version", cwd=tmp_path, env=environment))


def test_it_runs_through_a_link(program: Path, tmp_path: Path) -> None:
    link = tmp_path / "oci"
    link.symlink_to(program)
    assert_runs(run(link, "--version"))


def test_it_runs_for_every_user(program: Path) -> None:
    named = Path(program.read_text().split()[0].removeprefix("#!"))
    found = named.resolve()  # a virtual environment's is a link
    if not all(path.stat().st_mode & 0o001 for path in (*named.parents, found, *found.parents)):
        pytest.skip("the interpreter is root's alone")
    assert_runs(run(program, "--version", user=NOBODY, group=NOBODY, extra_groups=[], cwd="/"))


def test_it_writes_nothing_where_it_is_installed(prefix: Path, program: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in prefix.rglob("*")}
    run(program, "--version")
    run(program, "--help")
    run(program, "state", "no-such-container")
    assert {path: path.stat().st_mtime_ns for path in prefix.rglob("*")} == before


def test_it_runs_from_its_sources_where_the_bytecode_is_gone(prefix: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(prefix, copy)
    program = copy / "bin" / "pyoci"
    program.write_text(program.read_text().replace(str(prefix), str(copy)))
    for directory in list((copy / "lib" / "pyoci").rglob("__pycache__")):
        shutil.rmtree(directory)
    assert_runs(run(program, "--version"))
    assert not list(copy.rglob("__pycache__"))


def test_it_runs_a_container(program: Path, tmp_path: Path) -> None:
    binaries = tmp_path / "rootfs" / "bin"
    binaries.mkdir(parents=True)
    shutil.copy("/bin/busybox", binaries / "sh")
    assert run(program, "spec", "--bundle", str(tmp_path)).returncode == 0
    config = json.loads((tmp_path / "config.json").read_text())
    config["process"] |= {"terminal": False, "args": ["/bin/sh", "-c", "echo in $$; exit 3"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = ("--root", str(tmp_path / "state"), "run", "--bundle", str(tmp_path), "install-test")
    done = run(program, *words, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout, done.stderr) == (3, "in 1\n", "")


def test_a_staged_install_names_the_place_it_will_have(tmp_path: Path) -> None:
    done = make("install", "PREFIX=/usr", f"DESTDIR={tmp_path}")
    assert (done.returncode, done.stderr) == (0, "")
    program = tmp_path / "usr" / "bin" / "pyoci"
    assert "sys.path.append('/usr/lib/pyoci')" in program.read_text()
    assert str(tmp_path) not in program.read_text()
    top = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*/*")}
    shared = {f"usr/share/{name}" for name in ("man", "bash-completion", "zsh", "fish")}
    assert top == {"usr/bin/pyoci", "usr/lib/pyoci"} | shared
    for compiled in tmp_path.rglob("*.pyc"):
        assert str(tmp_path).encode() not in compiled.read_bytes(), compiled


def test_uninstall_removes_just_that(tmp_path: Path) -> None:
    others = [tmp_path / "bin" / "other", tmp_path / "lib" / "other.py"]
    for other in others:
        other.parent.mkdir()
        other.touch()
    assert make("install", f"PREFIX={tmp_path}").returncode == 0
    done = make("uninstall", f"PREFIX={tmp_path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == others
    assert not (tmp_path / "lib" / "pyoci").exists()
    assert make("uninstall", f"PREFIX={tmp_path}").returncode == 0


def test_uninstall_leaves_alone_what_is_not_ours(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "pyoci"
    library.mkdir(parents=True)
    done = make("uninstall", f"PREFIX={tmp_path}")
    assert done.returncode != 0
    assert f"{library}: not pyoci's library directory" in done.stderr
    assert library.exists()


def test_a_missing_interpreter_is_refused_and_nothing_is_installed(tmp_path: Path) -> None:
    command = ["make", "--silent", "install", f"PREFIX={tmp_path}", "PYTHON=/no/python3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "PYTHON=/no/python3: no such interpreter" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_relative_prefix_is_refused() -> None:
    done = make("install", "PREFIX=here")
    assert done.returncode != 0
    assert "PREFIX=here: not an absolute path" in done.stderr
