"""Processes, descriptors, signals and limits, on the real kernel and without root."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import socket
from pathlib import Path

import pytest

from pyoci.linux import clone, libc, pidfd, rlimit, signals, sockets
from pyoci.linux.consts import NR_CLOSE_RANGE
from tests.support.child import exit_status_of, in_child

# --- libc


def test_an_errno_becomes_an_oserror() -> None:
    with pytest.raises(OSError, match="Invalid argument") as caught:
        libc.syscall(NR_CLOSE_RANGE, 5, 4, 0)
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, None)
    with pytest.raises(FileNotFoundError):
        libc.call(libc.function("chdir", 1), b"/nowhere/at/all")


def test_a_success_leaves_no_old_errno() -> None:
    with pytest.raises(OSError, match=r"."):
        libc.syscall(NR_CLOSE_RANGE, 5, 4, 0)
    assert libc.call(libc.function("getpid", 0)) == os.getpid()


def test_an_unknown_number_is_enosys() -> None:
    with pytest.raises(OSError, match="no number of open_the_door") as caught:
        libc.number_of("open_the_door")
    assert caught.value.errno == errno.ENOSYS


def test_words_are_as_wide_as_pointers() -> None:
    # lseek returns what it is given: 2^40 must not be cut to 32 bits on the way in.
    read_fd, write_fd = os.pipe()
    truncate = libc.function("ftruncate64", 2)
    fd = os.memfd_create("x")
    libc.call(truncate, fd, 2**40)
    assert os.fstat(fd).st_size == 2**40
    for one in (fd, read_fd, write_fd):
        os.close(one)


def test_buffers() -> None:
    made = libc.buffer(5, b"ab")
    assert bytes(made) == b"ab\0\0\0"
    assert bytes(libc.buffer(5)) == bytes(5)
    assert libc.address(made) != libc.address(libc.buffer(5, b"ab"))


def test_encode() -> None:
    assert libc.encode("é\udcff") == b"\xc3\xa9\xff"
    with pytest.raises(ValueError, match="NUL"):
        libc.encode("a\0")


# --- sockets


def test_a_seqpacket_pair_keeps_messages_apart() -> None:
    one, other = sockets.seqpacket_pair()
    assert not os.get_inheritable(one)
    assert not os.get_inheritable(other)
    os.write(one, b"a")
    os.write(one, b"bc")
    assert [os.read(other, 9), os.read(other, 9)] == [b"a", b"bc"]
    os.close(one)
    assert os.read(other, 9) == b""
    with socket.socket(fileno=other) as made:
        assert made.family == socket.AF_UNIX
        assert made.type == socket.SOCK_SEQPACKET


# --- clone3 and descriptors


def test_clone3_makes_a_child_and_its_pidfd() -> None:
    def parent() -> tuple[int, int | None, bool]:
        pid, fd = clone.clone3(0)
        if pid == 0:
            os._exit(7)
        inheritable = os.get_inheritable(fd)
        status = pidfd.reap(fd)
        return pid, status, inheritable

    pid, status, inheritable = in_child(parent)
    assert pid > 0
    assert status == 7
    assert not inheritable


def test_clone3_gives_the_child_a_copy() -> None:
    def parent() -> tuple[bytes, int]:
        read_fd, write_fd = os.pipe()
        values = ["before"]
        pid, _ = clone.clone3(0)
        if pid == 0:
            values.append("child")
            os.write(write_fd, f"{values} {os.getppid()}".encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert values == ["before"]
        return os.read(read_fd, 99), os.getpid()

    said, parent_pid = in_child(parent)
    assert said == f"['before', 'child'] {parent_pid}".encode()


def test_clone3_refuses_as_the_kernel_does() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        in_child(lambda: clone.clone3(0, cgroup_fd=9999))


def open_fds() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/fd")}


def test_close_range() -> None:
    def child() -> tuple[bool, bool, bool]:
        for fd in (70, 71, 72, 80):
            os.dup2(0, fd)
        clone.close_range(71, 72)
        clone.close_range(81, 80)  # an empty range is no error
        there = open_fds()
        return 70 in there, bool({71, 72} & there), 80 in there

    assert in_child(child) == (True, False, True)


def test_close_range_on_exec() -> None:
    def child() -> list[bool]:
        for fd in (70, 71, 99):
            os.dup2(0, fd, inheritable=True)
        clone.close_range_on_exec(71)
        return [os.get_inheritable(fd) for fd in (70, 71, 99)]

    assert in_child(child) == [True, False, False]


# --- pidfd


def test_processes_are_known_by_pid_and_start_time() -> None:
    found = pidfd.read_process(os.getpid())
    assert found is not None
    state, start = found
    assert state == "R"
    assert pidfd.is_running(os.getpid(), start)
    assert not pidfd.is_running(os.getpid(), start + 1)
    for pid in (0, -1, 2**22 + 1, 2**70):
        assert not pidfd.is_running(pid, start)
    assert pidfd.read_process(2**70) is None


def test_a_name_with_parentheses_does_not_confuse() -> None:
    def child() -> tuple[str, int] | None:
        Path("/proc/self/comm").write_text(") R 1 (")
        return pidfd.read_process(os.getpid())

    found = in_child(child)
    own = pidfd.read_process(os.getpid())
    assert found is not None
    assert own is not None
    assert found[0] == "R"
    assert found[1] >= own[1]


def start_child() -> tuple[int, int]:
    """A child that waits until the descriptor we keep is closed."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_fd)
        os.read(read_fd, 1)
        os._exit(3)
    os.close(read_fd)
    return pid, write_fd


def test_a_process_from_start_to_end() -> None:
    pid, write_fd = start_child()
    found = pidfd.read_process(pid)
    assert found is not None
    fd = pidfd.open_process(pid, found[1])
    assert not os.get_inheritable(fd)
    assert not pidfd.poll_exit(fd, 0)
    os.close(write_fd)
    assert pidfd.poll_exit(fd, -1)
    assert pidfd.read_process(pid) == ("Z", found[1])
    assert not pidfd.is_running(pid, found[1])  # a zombie is stopped
    with pytest.raises(ProcessLookupError):
        pidfd.open_process(pid, found[1])
    assert pidfd.reap(fd) == 3
    assert pidfd.reap(fd) is None
    assert pidfd.read_process(pid) is None
    with pytest.raises(ProcessLookupError):
        pidfd.pidfd_send_signal(fd, 0)
    os.close(fd)


def test_a_used_again_pid_is_another_process() -> None:
    pid, write_fd = start_child()
    before = open_fds()
    with pytest.raises(ProcessLookupError):
        pidfd.open_process(pid, 1)
    assert open_fds() == before
    os.close(write_fd)
    os.waitpid(pid, 0)


def test_a_signal_by_descriptor() -> None:
    pid, write_fd = start_child()
    fd = os.pidfd_open(pid)
    pidfd.pidfd_send_signal(fd, signals.SIGKILL)
    assert pidfd.reap(fd) == 128 + signals.SIGKILL
    os.close(fd)
    os.close(write_fd)


def test_read_kernel_file() -> None:
    stat = pidfd.read_kernel_file("/proc/self/stat")
    assert stat.startswith(f"{os.getpid()} (".encode())
    assert stat.endswith(b"\n")
    with pytest.raises(FileNotFoundError) as caught:
        pidfd.read_kernel_file("/proc/self/nothing")
    assert caught.value.filename == "/proc/self/nothing"


# --- signals


def read_masks() -> dict[str, int]:
    """Blocked and ignored signals of this process as the kernel sees them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {line[:6]: int(line[7:], 16) for line in lines if line.startswith(("SigBlk", "SigIgn"))}


def test_a_program_starts_with_clean_signals() -> None:
    def child() -> dict[str, int]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGRTMIN})
        signals.reset_signals()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL
        return read_masks()

    assert in_child(child) == {"SigBlk": 0, "SigIgn": 0}


def test_python_alone_would_leave_some_ignored() -> None:
    # The reason for reset_signals: if this fails, it can go.
    assert in_child(read_masks)["SigIgn"] & 1 << signal.SIGPIPE - 1


def test_signals_that_are_waited_for() -> None:
    def child() -> tuple[set[int], list[int]]:
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2})
        before = signals.block_signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        return before, sorted(signals.wait_signal() for _ in range(2))

    before, got = in_child(child)
    assert before == {signal.SIGUSR2}
    assert got == [signal.SIGINT, signal.SIGTERM]


def test_resettable_signals() -> None:
    numbers = signals.resettable_signals()
    assert {signal.SIGTERM, signal.SIGCHLD, signal.SIGRTMAX} <= numbers
    assert not {signal.SIGKILL, signal.SIGSTOP} & numbers


def test_how_a_killed_child_ends() -> None:
    assert exit_status_of(lambda: os.kill(os.getpid(), signal.SIGKILL)) == -signal.SIGKILL


# --- limits


def test_setrlimit() -> None:
    def child() -> tuple[int, int]:
        rlimit.setrlimit(resource.RLIMIT_CORE, 0, 4096)
        return resource.getrlimit(resource.RLIMIT_CORE)

    assert in_child(child) == (0, 4096)


def test_the_largest_limit_is_none() -> None:
    if resource.getrlimit(resource.RLIMIT_CPU)[1] != resource.RLIM_INFINITY:
        pytest.skip("our own limit is lower")

    def child() -> tuple[int, int]:
        rlimit.setrlimit(resource.RLIMIT_CPU, 2**64 - 1, 2**64 - 1)
        return resource.getrlimit(resource.RLIMIT_CPU)

    assert in_child(child) == (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.mark.parametrize(("soft", "hard"), [(2, 1), (2**64 - 1, 0)])
def test_soft_above_hard(soft: int, hard: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        in_child(lambda: rlimit.setrlimit(resource.RLIMIT_CORE, soft, hard))


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_limit_that_would_wrap_is_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        rlimit.setrlimit(resource.RLIMIT_CORE, value, value)


def test_poll_waits_no_longer_than_told() -> None:
    read_fd, write_fd = os.pipe()
    poll = select.poll()
    poll.register(read_fd)
    assert pidfd.poll_exit(read_fd, 0) is False
    os.close(write_fd)
    os.close(read_fd)
