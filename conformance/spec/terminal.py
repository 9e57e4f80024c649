"""config.md, process.terminal: the pseudoterminal that a console socket receives."""

from __future__ import annotations

import array
import fcntl
import os
import select
import socket
import struct
import termios
from typing import TYPE_CHECKING

from conformance.spec.report import Report, parse_reports
from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case

SECONDS = 5.0


def receive_fd(listener: socket.socket) -> int:
    """The descriptor that comes over the first connection."""
    expect(bool(select.select([listener], [], [], SECONDS)[0]), "nobody connected to the socket")
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(SECONDS)
        room = socket.CMSG_SPACE(struct.calcsize("i"))
        _, messages, _, _ = connection.recvmsg(4096, room)
    fds = array.array("i")
    for _, _, data in messages:
        fds.frombytes(data)
    expect_equal(len(fds), 1, "the number of descriptors sent")
    return fds[0]


def run_on_terminal(case: Case, bundle: Bundle, *verbs: str) -> tuple[Report, tuple[int, ...]]:
    """The report of a process with a terminal, and the terminal's (rows, columns)."""
    path: Path = case.directory / "console"
    bundle.process.update(terminal=True)
    bundle.probe_args("-o", "/out/log", *verbs, "exit=0")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        container = case.container(bundle).created("--console-socket", str(path))
        terminal_fd = receive_fd(listener)
    try:
        size = struct.unpack("4H", fcntl.ioctl(terminal_fd, termios.TIOCGWINSZ, b"\0" * 8))[:2]
        container.started().wait().deleted()
    finally:
        os.close(terminal_fd)
    return parse_reports((bundle.rootfs / "out/log").read_text(encoding="ascii"))[0], size


@statement("config.md/process/terminal", "with terminal the standard streams are a pseudoterminal")
def terminal_is_attached(case: Case) -> None:
    report, _ = run_on_terminal(case, case.bundle())
    expect_equal(report["ttys"], 3, "the number of standard streams that are terminals")


@statement("config.md/process/consoleSize", "with terminal consoleSize is the terminal's size")
def console_size_is_set(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["consoleSize"] = {"height": 33, "width": 111}
    _, size = run_on_terminal(case, bundle)
    expect_equal(size, (33, 111), "(rows, columns)")


@statement("config-linux.md/default-devices/console", "with terminal /dev/console is the pty")
def console_is_bound(case: Case) -> None:
    report, _ = run_on_terminal(case, case.bundle(), "stat=/dev/console", "stat=/proc/self/fd/0")
    console = report.succeeded("stat", "/dev/console")
    stdin = report.succeeded("stat", "/proc/self/fd/0")
    numbers = [(entry["major"], entry["minor"]) for entry in (console, stdin)]
    expect_equal(numbers[0], numbers[1], "the device behind /dev/console")
