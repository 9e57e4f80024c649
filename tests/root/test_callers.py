"""What we say, read by the parsers of the programs that call a runtime (tests/support/callers.py).

Each text that one of them looks for is looked for here as it does it.
"""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import callers
from tests.support.containers import Bundle, Container, MakeBundle, MakeContainer, Result

SLEEP = ("sleep", "1000")


def logged(c: Container, *words: str) -> Result:
    """A call with a log as engines give it, and with both streams together as some read them."""
    log = ("--log", str(c.log_path), "--log-format", "json")
    return c.call(*log, *words)


def combined(c: Container, *words: str) -> bytes:
    """stdout and stderr of a call that succeeds, together."""
    return subprocess.check_output(
        [*c.program, *words], stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=c.environment
    )


def create_words(c: Container) -> tuple[str, ...]:
    return ("create", "--bundle", str(c.bundle.path), c.id)


def failure(c: Container, *words: str) -> str:
    """The error of a call that fails: the same in the log, for some, and on stderr, for others."""
    c.log_path.unlink(missing_ok=True)
    done = logged(c, *words)
    assert done.rc != 0
    text = callers.podman_message(c.log_path)
    assert text == callers.read_last_error(c.log_path)
    assert callers.conmon_message(done.stderr.encode()).partition("\n")[0] == text
    assert len(done.stderr) < 8192
    return text


# --- what is read on success


def test_state_list_and_ps_as_go_runc_reads_them(container: MakeContainer) -> None:
    c = container(*SLEEP, annotations={"a": "b"})
    before = datetime.now(UTC) - timedelta(seconds=1)
    c.create("--pid-file", str(c.directory / "pid")).ok()
    pid = callers.read_pid_file(c.directory / "pid")
    found = callers.read_container(combined(c, "state", c.id))
    assert (found.id, found.pid, found.status) == (c.id, pid, "created")
    assert (found.bundle, found.rootfs) == (str(c.bundle.path), str(c.bundle.rootfs))
    assert found.annotations == {"a": "b"}
    assert before <= found.created <= datetime.now(UTC)
    assert callers.read_list(combined(c, "list", "--format=json")) == [found]
    c.start().ok()
    assert callers.read_pids(combined(c, "ps", "--format", "json", c.id)) == [pid]
    titles, rows = callers.read_top(combined(c, "ps", "--format", "table", c.id, "-ef"))
    assert [row[titles.index("PID")] for row in rows] == [str(pid)]
    assert callers.read_event(combined(c, "events", "--stats", c.id))["type"] == "stats"
    assert callers.crio_state(0, combined(c, "state", c.id)) == ("running", 0)


def test_no_containers_as_go_runc_reads_them(container: MakeContainer) -> None:
    c = container(*SLEEP)
    c.root.mkdir()
    assert callers.read_list(combined(c, "list", "--format=json")) == []


def test_a_pid_file_of_exec_as_conmon_reads_it(container: MakeContainer) -> None:
    c = container(*SLEEP)
    c.run_detached().ok()
    pid_file = c.directory / "pid"
    c.exec("true", options=("--pid-file", str(pid_file))).ok()
    assert callers.read_pid_file(pid_file) > 1
    pid_file.unlink()
    assert c.exec("nosuch", options=("--pid-file", str(pid_file))).rc == 255
    assert not pid_file.exists()  # conmon takes that for the failure


def test_versions(pyoci: Path) -> None:
    text = subprocess.check_output([pyoci, "--version"], text=True)
    name, version, commit = callers.read_version_of_docker(text)
    assert name == "pyoci"
    assert version.count(".") == 2
    assert commit
    assert callers.read_version_of_go_runc(text) == {"runc": "", "commit": commit, "spec": "1.3.0"}


def test_features_as_cri_o_reads_them(pyoci: Path) -> None:
    output = subprocess.check_output([pyoci, "features"], stderr=subprocess.STDOUT)
    assert "rro" in callers.crio_features(output)["mountOptions"]


# --- kill and delete


def test_kill_of_who_is_gone(container: MakeContainer) -> None:
    c = container("true")
    with pytest.raises(callers.NotFound, match="no such container"):
        callers.check_kill_error(failure(c, "kill", c.id, "9"))
    c.run_detached().ok()
    c.wait_status("stopped")
    text = failure(c, "kill", c.id, "9")
    with pytest.raises(callers.NotFound, match="process already finished"):
        callers.check_kill_error(text)
    assert callers.crio_is_gone(c.kill("KILL").stderr)
    # What is wrong with the call itself is no sign that somebody is gone.
    other = c.kill("NOSUCH").stderr
    assert not callers.crio_is_gone(other)
    with pytest.raises(AssertionError):
        callers.check_kill_error(other)


def test_delete_of_what_is_gone(container: MakeContainer) -> None:
    c = container(*SLEEP)
    assert callers.is_deleted(failure(c, "delete", c.id))
    c.run_detached().ok()
    assert not callers.is_deleted(failure(c, "delete", c.id))


def test_state_of_what_is_gone(container: MakeContainer) -> None:
    c = container("true")
    done = c.state()
    assert callers.crio_state(done.rc, done.stdout.encode()) == ("stopped", 255)


# --- what cannot be executed: 126 and 127

UNREADABLE = ("/etc/passwd",)
PROGRAMS: dict[str, tuple[tuple[str, ...], int, int]] = {
    # arguments; exit status with Docker, with Podman
    "not in PATH": (("nosuch",), 127, 127),
    "no file": (("/bin/nosuch",), 127, 127),
    "a directory": (("/etc",), 126, 126),
    "not executable": (UNREADABLE, 126, 126),
    "below a file": (("/etc/passwd/x",), 127, 125),
    "without its interpreter": (("/bin/script",), 127, 127),
}


@pytest.fixture
def scripted(bundle: MakeBundle) -> Bundle:
    made = bundle(*SLEEP)
    made.add_script("/bin/script", "#!/no/such/interpreter\n")
    return made


@pytest.mark.parametrize("command", ["create", "run", "exec"])
@pytest.mark.parametrize(("args", "docker", "podman"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_cannot_be_run(  # noqa: PLR0913  (a table of three, and three fixtures)
    pyoci: Path,
    container: MakeContainer,
    scripted: Bundle,
    command: str,
    args: tuple[str, ...],
    docker: int,
    podman: int,
) -> None:
    c = container(bundle=scripted)
    if command == "exec":
        c.run_detached().ok()
        text = failure(c, "exec", c.id, *args)
    else:
        c.bundle.config["process"]["args"] = list(args)
        c.bundle.write()
        text = failure(c, command, "--bundle", str(c.bundle.path), c.id)
        c.assert_gone()
    assert callers.docker_exit_code(text) == docker
    assert callers.podman_exit_code(text) == podman
    assert args[0] in text
    if args == ("/bin/script",):
        assert "/no/such/interpreter" in text


def test_what_docker_explains_as_a_mount_of_another_kind(container: MakeContainer) -> None:
    mount = {"destination": "/etc/passwd/x", "type": "bind", "source": "/etc", "options": ["bind"]}
    c = container("true", mounts=[mount])
    text = failure(c, *create_words(c))
    assert callers.docker_hints_at_mounts(text)
    assert callers.docker_exit_code(text) == 127
    c.assert_gone()


def test_other_failures_are_not_taken_for_these(container: MakeContainer) -> None:
    c = container("true", hooks={"createRuntime": [{"path": "/bin/false", "args": ["false"]}]})
    text = failure(c, *create_words(c))
    assert (callers.docker_exit_code(text), callers.podman_exit_code(text)) == (128, 125)
    c.bundle.config["hooks"] = {}
    c.bundle.config["process"]["cwd"] = "relative"
    c.bundle.write()
    text = failure(c, *create_words(c))
    assert (callers.docker_exit_code(text), callers.podman_exit_code(text)) == (128, 125)


def test_an_id_that_is_taken(container: MakeContainer) -> None:
    c = container(*SLEEP)
    c.create().ok()
    text = failure(c, *create_words(c))
    assert "container with given ID already exists" in text
    assert callers.docker_exit_code(text) == 128
    assert c.status == "created"


# --- the log


def test_one_log_for_many_calls_as_containerd_has_it(container: MakeContainer) -> None:
    c = container("nosuch")
    assert logged(c, *create_words(c)).rc == 1
    assert "executable file not found" in callers.read_last_error(c.log_path)
    assert logged(c, "state", c.id).rc == 1
    assert "does not exist" in callers.read_last_error(c.log_path)
    assert logged(c, "delete", "--force", c.id).rc == 0
    assert "does not exist" in callers.read_last_error(c.log_path)
    assert len(c.log_path.read_text().splitlines()) == 2


def test_warnings_do_not_stand_in_the_way(container: MakeContainer) -> None:
    """Podman takes the whole file for one object."""
    c = container("nosuch", process={"capabilities": {"bounding": ["CAP_NOSUCH"]}})
    assert "executable file not found" in failure(c, *create_words(c))


def test_a_usage_error_is_logged_as_any_other(container: MakeContainer) -> None:
    c = container("true")
    done = logged(c, "create", "--nosuch", c.id)
    assert done.rc == 1
    assert "flag provided but not defined: -nosuch" in callers.podman_message(c.log_path)


# --- what Podman asks first


def test_what_podman_asks_about_checkpoints(pyoci: Path) -> None:
    """The answers fit each other: there is a command, or there is none."""
    asked = subprocess.run([pyoci, "checkpoint", "--help"], capture_output=True, check=False)
    words = [str(pyoci), "restore", "--lsm-mount-context"]
    restore = subprocess.run(words, capture_output=True, text=True, check=False)
    both = restore.stdout + restore.stderr
    features = callers.crio_features(subprocess.check_output([pyoci, "features"]))
    can = features["annotations"]["org.opencontainers.runc.checkpoint.enabled"] == "true"
    assert callers.podman_can_checkpoint(asked.returncode) == can
    assert callers.podman_can_restore_pods(both) == can
    assert restore.returncode != 0


@pytest.mark.skipif(not shutil.which("env"), reason="needs env")
def test_an_empty_environment(pyoci: Path, container: MakeContainer) -> None:
    """Podman calls kill, delete, pause and resume with next to none."""
    c = container(*SLEEP)
    c.run_detached().ok()
    for words in (
        ("pause", c.id),
        ("resume", c.id),
        ("kill", c.id, "9"),
        ("delete", "--force", c.id),
    ):
        c.run_command(["env", "-i", *c.program, *words]).ok()
    c.assert_gone()
