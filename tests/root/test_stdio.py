"""Standard streams and other descriptors: what the caller gives, nothing else, and to whom."""

from __future__ import annotations

import os
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import PATIENCE, Container, MakeContainer, wait_until

LIST_FDS = "for fd in /proc/self/fd/*; do echo ${fd##*/} $(readlink $fd); done"


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[int]:
    """A descriptor that a careless caller lets its children inherit: a directory of the host."""
    directory = tmp_path / "secret"
    directory.mkdir()
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(fd, True)
    yield fd
    os.close(fd)


def list_fds(text: str) -> dict[int, str]:
    """What LIST_FDS printed, but for the descriptor of the directory that it lists."""
    lines = [line.split(" ", 1) for line in text.splitlines()]
    return {int(line[0]): line[-1] for line in lines if "/proc" not in line[-1] and len(line) == 2}


def read_to_end(fd: int) -> bytes:
    """All that comes until end of file; AssertionError if that does not come."""
    parts: list[bytes] = []
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while True:
        assert poller.poll(int(PATIENCE * 1000)), "no end of file"
        part = os.read(fd, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


# --- 0, 1 and 2


@pytest.mark.smoke
def test_run_passes_pipes_through(container: MakeContainer) -> None:
    c = container("sh", "-c", "cat; echo error >&2")
    data = bytes(range(256)) * 1000
    done = subprocess.run(
        [*c.program, "run", "--bundle", c.bundle.path, c.id],
        input=data,
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (data, b"error\n")


def test_create_passes_pipes_through(container: MakeContainer) -> None:
    c = container("sh", "-c", "cat; echo error >&2")
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"from create\n")
    os.close(write_fd)
    c.create(stdin=read_fd).ok()
    os.close(read_fd)
    c.start().ok()
    c.wait_stdout("from create\n")
    wait_until(lambda: c.read_stderr() == "error\n")


def test_create_and_start_read_nothing(container: MakeContainer) -> None:
    c = container("cat")
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"for cat\n")
    c.create(stdin=read_fd).ok()
    other_fd, other_write_fd = os.pipe()
    os.write(other_write_fd, b"for nobody\n")
    c.start(stdin=other_fd).ok()
    c.wait_stdout("for cat\n")
    assert os.read(other_fd, 100) == b"for nobody\n"
    for fd in (read_fd, write_fd, other_fd, other_write_fd):
        os.close(fd)
    c.wait_status("stopped")
    assert c.read_stdout() == "for cat\n"


def test_nobody_but_the_container_holds_the_pipes_of_create(container: MakeContainer) -> None:
    c = container("true")
    read_fd, write_fd = os.pipe()
    c.create(stdout=write_fd, stderr=write_fd).ok()
    os.close(write_fd)
    c.start().ok()
    assert read_to_end(read_fd) == b""
    os.close(read_fd)


def test_the_container_does_not_hold_the_pipes_of_start(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    c.start().ok()  # waits for the end of its own output, in pipes
    assert c.status == "running"


def test_dev_null_stays_dev_null(container: MakeContainer) -> None:
    c = container("sh", "-c", f"({LIST_FDS}) >/fds", root={"readonly": False})
    c.run(stderr=subprocess.DEVNULL).ok()
    fds = list_fds((c.bundle.rootfs / "fds").read_text())
    assert set(fds) == {0, 1, 2}
    assert fds[0] == fds[2] == "/dev/null"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_become_dev_null(
    pyoci: Path, container: MakeContainer, closed: tuple[int, ...]
) -> None:
    c = container("sh", "-c", f"({LIST_FDS}) >/fds", root={"readonly": False})
    redirections = " ".join(f"{fd}<&-" for fd in closed)
    words = [*c.program, "run", "--bundle", str(c.bundle.path), c.id]
    done = c.run_command(["sh", "-c", f'exec "$@" {redirections}', "sh", *words])
    assert done.rc == 0, done
    fds = list_fds((c.bundle.rootfs / "fds").read_text())
    # The list itself goes to 1.
    assert {fd: fds[fd] for fd in closed if fd != 1} == {
        fd: "/dev/null" for fd in closed if fd != 1
    }
    assert set(fds) == {0, 1, 2}


def test_a_reader_that_goes_away_ends_the_program_not_the_runtime(container: MakeContainer) -> None:
    c = container("yes")
    process = c.spawn_run(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(4) == b"y\ny\n"
    process.stdout.close()
    # Process 1 of a pid namespace is ended by SIGPIPE only because the kernel itself sends it.
    assert process.wait() != 0
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    c.assert_gone()


def test_a_full_standard_output_is_an_error(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    with Path("/dev/full").open("wb") as full:
        done = c.call("state", c.id, stdout=full)
        done.failed("standard output", "no space left on device")
        c.call("list", stdout=full).failed("standard output", "no space left on device")


def test_a_reader_that_went_away_is_an_error_of_state(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.create().ok()
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    c.call("state", c.id, stdout=write_fd).failed("standard output", "broken pipe")
    os.close(write_fd)


# --- others


def test_the_container_gets_no_other_descriptor(container: MakeContainer, secret: int) -> None:
    c = container("sh", "-c", LIST_FDS)
    done = c.run(pass_fds=[secret]).ok()
    assert set(list_fds(done.stdout)) == {0, 1, 2}


def test_the_created_container_gets_no_other_descriptor(
    container: MakeContainer, secret: int
) -> None:
    c = container("sh", "-c", f"{LIST_FDS}; echo end")
    c.create(pass_fds=[secret]).ok()
    c.start(pass_fds=[secret]).ok()
    c.wait_stdout("end\n")
    assert set(list_fds(c.read_stdout().removesuffix("end\n"))) == {0, 1, 2}


@pytest.mark.parametrize("prefix", ["/proc/self/fd", "/proc/1/fd"])
def test_a_descriptor_is_no_way_out_of_the_container(
    container: MakeContainer, secret: int, prefix: str
) -> None:
    # CVE-2024-21626: the working directory through a descriptor of the host.
    for fd in {3, 4, 5, 6, 7, 8, 9, 10, secret}:
        c = container("pwd", process={"cwd": f"{prefix}/{fd}"})
        done = c.run(pass_fds=[secret])
        # The container's own root and procfs may be open while it is made; they are no way out.
        if done.stdout not in ("/\n", "/proc\n"):
            done.failed("process.cwd")
        c.assert_gone()


def test_the_runtime_keeps_nothing_of_the_host_open_while_init_waits(
    pyoci: Path, container: MakeContainer, secret: int
) -> None:
    # CVE-2016-9962: another process of the container could open it through /proc.
    c = container("true")
    c.create(pass_fds=[secret]).ok()
    found = [os.readlink(path) for path in Path(f"/proc/{c.pid}/fd").iterdir()]
    streams = {"/dev/null", str(c.stdout_path), str(c.stderr_path)}
    waited_for = {str(c.state_directory / name) for name in ("exec.fifo", "exec.result")}
    assert {path for path in found if path.startswith("/")} - streams - waited_for <= {"/"}


def pass_pipes(c: Container, first: int, count: int, *options: str) -> str:
    """What the container prints; it is given pipes from descriptor `first` on."""
    numbers = " ".join(f"{fd}</dev/zero" for fd in range(first, first + count))
    words = [*c.program, "run", *options, "--bundle", str(c.bundle.path), c.id]
    return c.run_command(["sh", "-c", f'exec "$@" {numbers}', "sh", *words]).ok().stdout


def test_preserve_fds_gives_that_many(container: MakeContainer) -> None:
    c = container("sh", "-c", LIST_FDS)
    fds = list_fds(pass_pipes(c, 3, 4, "--preserve-fds", "2"))
    assert {fd: what for fd, what in fds.items() if fd > 2} == {3: "/dev/zero", 4: "/dev/zero"}


def test_preserved_descriptors_must_be_there(container: MakeContainer) -> None:
    c = container("true")
    words = ["run", "--preserve-fds", "2", "--bundle", str(c.bundle.path), c.id]
    done = c.run_command(["sh", "-c", 'exec "$@" 3</dev/zero 4<&-', "sh", *c.program, *words])
    done.failed("4")
    c.assert_gone()


def test_negative_preserve_fds_are_refused(container: MakeContainer) -> None:
    c = container("true")
    c.run("--preserve-fds", "-1").failed("--preserve-fds")


def test_sockets_of_systemd_are_passed(container: MakeContainer) -> None:
    c = container("sh", "-c", f"env; {LIST_FDS}")
    left, right = socket.socketpair()
    with left, right:
        words = [*c.program, "run", "--bundle", str(c.bundle.path), c.id]
        script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null'
        done = c.run_command(["sh", "-c", script, "sh", *words], stdin=left.fileno())
    lines = done.ok().stdout.splitlines()
    assert "LISTEN_FDS=1" in lines
    assert "LISTEN_PID=1" in lines
    assert any(line.startswith("3 socket:") for line in lines)


def test_sockets_for_somebody_else_are_not_passed(container: MakeContainer) -> None:
    c = container("sh", "-c", f"env; {LIST_FDS}")
    c.environment |= {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    stdout = pass_pipes(c, 3, 1)
    assert "LISTEN" not in stdout
    assert "/dev/zero" not in stdout
