"""Runs a guest: starts the kernel's process, passes the output on, collects the exit status."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.guest import qemu, uml
from conformance.guest.errors import EndedEarlyError, GuestError
from conformance.guest.protocol import (
    EXIT_TIMEOUT,
    Request,
    has_begun,
    plan_shares,
    read_status,
    write_control,
)
from conformance.guest.wiring import Wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.guest.protocol import Share

CONSOLE_LINES = 30
CHUNK_BYTES = 1 << 16
TICK_SECONDS = 0.2


def run_guest(request: Request, image: Path, timeout: float, *, show_console: bool = False) -> int:
    """Run the command in a guest; its exit status, or 124 when the time was over.

    GuestError if the guest failed. About one start of QEMU in a hundred, on a
    loaded machine, ends before the command begins, for a reason not found: that
    is tried once more, and said.
    """
    try:
        return run_once(request, image, timeout, show_console=show_console)
    except EndedEarlyError as error:
        if error.began:
            raise
        print(f"guest: {error}", file=sys.stderr)
        print("guest: the command had not begun: trying once more", file=sys.stderr, flush=True)
        return run_once(request, image, timeout, show_console=show_console)


def run_once(request: Request, image: Path, timeout: float, *, show_console: bool) -> int:
    """One start; EndedEarlyError if it told no exit status."""
    if request.kernel == "vm" and not shutil.which(qemu.PROGRAM):
        raise GuestError(f"{qemu.PROGRAM} not found: apt-get install {qemu.PACKAGE}")
    with tempfile.TemporaryDirectory(prefix="guest.") as directory:
        work = Path(directory)
        shares = plan_shares(request)
        (work / "control").mkdir()
        write_control(work / "control", request, shares)
        with open_wiring(image, work, shares) as (wiring, streams):
            ended = carry_out(request, wiring, streams, timeout)
        console = (work / "console").read_text(errors="replace")
        if show_console:
            sys.stderr.write(console)
        if ended is None:
            print(f"guest: time limit of {timeout:g} s reached", file=sys.stderr)
            return EXIT_TIMEOUT
        status = read_status(work / "control")
        if status is None:
            said = "\n".join(console.splitlines()[-CONSOLE_LINES:])
            message = f"the guest ended before its command did (its process: {ended})\n{said}"
            raise EndedEarlyError(message.rstrip(), began=has_begun(work / "control"))
        return status


@contextlib.contextmanager
def open_wiring(
    image: Path, work: Path, shares: tuple[Share, ...]
) -> Iterator[tuple[Wiring, dict[int, int]]]:
    """The wiring, and which end of a pipe goes to which descriptor of ours."""
    (from_stdout, stdout), (from_stderr, stderr) = os.pipe(), os.pipe()
    console = os.open(work / "console", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        wiring = Wiring(image, work, shares, stdout, stderr, console)
        yield wiring, {from_stdout: 1, from_stderr: 2}
    finally:
        for fd in (from_stdout, from_stderr, stdout, stderr, console):
            os.close(fd)


def carry_out(
    request: Request, wiring: Wiring, streams: dict[int, int], timeout: float
) -> int | None:
    """Start the kernel and copy until it has ended; None if the time was over first."""
    render = qemu.render_command if request.kernel == "vm" else uml.render_command
    environment = dict(os.environ)
    if request.kernel == "vm":
        environment["TMPDIR"] = str(wiring.work)  # for what is written to the disk
    else:
        environment.pop("TMPDIR", None)  # its memory is a file: /dev/shm is the right place
    process = subprocess.Popen(
        render(request, wiring),
        stdin=subprocess.DEVNULL,
        stdout=wiring.console_fd,
        stderr=wiring.console_fd,
        pass_fds=(wiring.stdout_fd, wiring.stderr_fd, wiring.console_fd),
        start_new_session=True,
        env=environment,
    )
    try:
        in_time = copy_output(streams, process, timeout)
    finally:
        # User Mode Linux has a process for each address space, all in one group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode if in_time else None


def copy_output(streams: dict[int, int], process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Copy the streams (from: to) until the process has ended; false if the time was over."""
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for fd in streams:
            selector.register(fd, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else TICK_SECONDS)
            for key, _ in ready:
                write_all(streams[key.fd], os.read(key.fd, CHUNK_BYTES))
            if ended and not ready:
                return True
            if time.monotonic() >= deadline:
                return False


def write_all(fd: int, data: bytes) -> None:
    """Write until all is written."""
    while data:
        data = data[os.write(fd, data) :]
