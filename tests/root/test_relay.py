"""What goes through a terminal in the foreground, or around it: all of it, unchanged."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support.containers import PATIENCE, Container, MakeContainer, wait_until
from tests.support.terminals import on_terminal

MIB = 1 << 20
RAW = "stty raw -echo"


def run_words(c: Container) -> list[str]:
    return [*c.program, "run", "--bundle", str(c.bundle.path), c.id]


def on_pty(container: MakeContainer, script: str) -> Container:
    """A container with a terminal, whose shell sets it up as the script says."""
    return container("sh", "-c", script, process={"terminal": True})


def blocks(count: int) -> Iterator[bytes]:
    """Some MiB of which none is like the other."""
    pattern = bytes(range(256)) * 4096
    for number in range(count):
        yield number.to_bytes(8, "little") + pattern[8:]


def feed(stream: IO[bytes], count: int) -> str:
    """Write so many MiB and close; their hash."""
    digest = hashlib.sha256()
    for block in blocks(count):
        digest.update(block)
        stream.write(block)
    stream.close()
    return digest.hexdigest()


def ended(c: Container, process: subprocess.Popen[bytes]) -> int:
    """The exit status; the streams are ours to close."""
    status = process.wait(PATIENCE)
    c.spawned.remove(process)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    return status


def drain(stream: IO[bytes]) -> tuple[str, int]:
    """Hash and size of all that comes."""
    digest, size = hashlib.sha256(), 0
    while part := stream.read(MIB):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


# --- pipes: the container has ours


@pytest.mark.slow
def test_a_gibibyte_through_pipes(pyoci: Path, container: MakeContainer) -> None:
    c = container("cat")
    process = c.spawn_run(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    child = os.fork()
    if child == 0:
        process.stdout.close()
        feed(process.stdin, 1024)
        os._exit(0)
    process.stdin.close()
    found = drain(process.stdout)
    os.waitpid(child, 0)
    digest = hashlib.sha256()
    for block in blocks(1024):
        digest.update(block)
    assert found == (digest.hexdigest(), 1024 * MIB)
    assert ended(c, process) == 0


def test_a_pipe_that_is_half_closed(pyoci: Path, container: MakeContainer) -> None:
    """The container's input ends, and it goes on writing."""
    c = container("sh", "-c", "cat >/dev/null; echo after the end")
    process = c.spawn_run(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = process.communicate(b"x")
    assert (process.returncode, out) == (0, b"after the end\n")


# --- a terminal


@pytest.mark.parametrize("mebibytes", [4, pytest.param(64, marks=pytest.mark.slow)])
def test_much_output_of_a_terminal(pyoci: Path, container: MakeContainer, mebibytes: int) -> None:
    c = on_pty(
        container, f"{RAW}; dd if=/dev/zero bs=4096 count={mebibytes * 256} 2>/dev/null; echo end"
    )
    process = c.spawn_run(stdout=subprocess.PIPE)
    assert process.stdout is not None
    digest = hashlib.sha256()
    for _ in range(mebibytes):
        digest.update(bytes(MIB))
    digest.update(b"end\n")
    assert drain(process.stdout) == (digest.hexdigest(), mebibytes * MIB + 4)
    assert ended(c, process) == 0


@pytest.mark.parametrize("mebibytes", [4, pytest.param(64, marks=pytest.mark.slow)])
def test_much_is_pasted_into_a_terminal(
    pyoci: Path, container: MakeContainer, mebibytes: int
) -> None:
    size = mebibytes * MIB
    c = on_pty(container, f"{RAW}; echo ready; head -c {size} | sha256sum")
    process = c.spawn_run(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    wanted = feed(process.stdin, mebibytes)
    assert process.stdout.read().split()[0].decode() == wanted
    assert ended(c, process) == 0


def test_a_reader_that_is_slow(pyoci: Path, container: MakeContainer) -> None:
    """Nothing is lost, and no more is kept than has room: who writes has to wait."""
    c = on_pty(container, f"{RAW}; dd if=/dev/zero bs=1024 count=2048 2>/dev/null; echo end")
    process = c.spawn_run(stdout=subprocess.PIPE)
    assert process.stdout is not None
    found = b""
    memory: list[int] = []
    while part := os.read(process.stdout.fileno(), 4096 * 4):
        found += part
        if len(found) % (1 << 19) < len(part):
            memory.append(resident(process.pid))
    assert found == bytes(2 * MIB) + b"end\n"
    assert ended(c, process) == 0
    known = [size for size in memory if size]
    assert max(known) - min(known) < MIB


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 if it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except FileNotFoundError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_a_reader_that_does_not_read_can_be_given_up(pyoci: Path, container: MakeContainer) -> None:
    c = on_pty(container, f"{RAW}; echo ready; dd if=/dev/zero bs=1024 count=512")
    process = c.spawn_run(stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 6) == b"ready\n"
    c.kill("KILL").ok()
    # It has output that nobody takes: it ends once somebody tells it to.
    wait_until(lambda: c.state().rc != 0 or c.status == "stopped")

    def end() -> bool:
        process.send_signal(signal.SIGTERM)
        return process.poll() is not None

    wait_until(end)
    assert ended(c, process) == 128 + signal.SIGKILL


def test_the_last_words_are_not_lost(pyoci: Path, container: MakeContainer) -> None:
    c = on_pty(container, "stty -onlcr; seq 1 3000")
    wanted = "".join(f"{number}\n" for number in range(1, 3001))
    for _ in range(5):
        assert c.run().ok().stdout == wanted


def test_input_is_closed(pyoci: Path, container: MakeContainer) -> None:
    c = on_pty(container, "stty -echo; cat; echo end")
    done = c.run_command(["sh", "-c", 'exec "$@" <&-', "sh", *run_words(c)])
    assert done.ok().stdout == "end\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_gives_our_terminal_back(
    pyoci: Path, container: MakeContainer, number: signal.Signals
) -> None:
    c = on_pty(
        container, f"trap 'exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    )
    with on_terminal(run_words(c), c.environment) as t:
        t.expect("ready\r\n")
        assert t.is_raw()
        os.kill(t.pid, number)
        assert t.wait() == 9
    c.assert_gone()


def test_a_failure_gives_our_terminal_back(pyoci: Path, container: MakeContainer) -> None:
    hook = [{"path": "/bin/false", "args": ["false"]}]
    c = container("sh", process={"terminal": True}, hooks={"poststart": hook})
    with on_terminal(run_words(c), c.environment) as t:
        assert t.wait() == 1
        t.expect("error running poststart hook #0")
    c.assert_gone()


def test_our_window_has_the_size_from_the_start(pyoci: Path, container: MakeContainer) -> None:
    c = on_pty(container, "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.01; done")
    with on_terminal(run_words(c), c.environment, 11, 22) as t:
        t.expect("11 22\r\n")
        t.resize(33, 44)
        t.expect("33 44\r\n")
        assert t.wait() == 0


def test_our_terminal_goes_away(pyoci: Path, container: MakeContainer) -> None:
    """The kernel sends SIGHUP to whom the terminal belonged, and the container gets it."""
    c = on_pty(container, "trap 'exit 0' HUP; echo ready; while :; do sleep 0.05; done")
    with on_terminal(run_words(c), c.environment) as t:
        t.expect("ready\r\n")
        t.hang_up()
        assert os.waitstatus_to_exitcode(os.waitpid(t.pid, 0)[1]) == 0
        t.pid = 0
    c.assert_gone()
