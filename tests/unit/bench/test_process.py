from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.process import CommandFailedError, Commands
from conformance.spec import host, kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_MS = 200
BUSY = f"import time\nwhile time.process_time() < {BUSY_MS / 1000}: pass"


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    kernel.become_subreaper()
    made = Commands(tmp_path / "errors")
    yield made
    made.close()
    kernel.LIBC.prctl(kernel.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    assert host.children() == []


def shell(script: str, *words: str) -> list[str]:
    return ["/bin/sh", "-c", script, "sh", *words]


def python(script: str) -> list[str]:
    return [sys.executable, "-IS", "-c", script]


def test_a_command_is_charged_with_its_own_time(commands: Commands) -> None:
    sample = commands.time(python(BUSY), {}, ends=True)
    assert sample.wall_ms >= BUSY_MS
    assert sample.cpu_ms >= BUSY_MS


def test_an_orphan_is_charged_to_its_command_but_not_waited_for_on_the_clock(
    commands: Commands,
) -> None:
    sample = commands.time(shell('"$@" &', *python(BUSY)), {}, ends=True)
    assert sample.cpu_ms >= BUSY_MS
    assert sample.wall_ms < BUSY_MS


def test_an_older_orphan_is_charged_only_with_what_it_does_now(
    commands: Commands, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    orphan = python(f"{BUSY}\nopen({str(fifo)!r}, 'w').close()\ntime.sleep(1000)")
    first = commands.time(shell(f'"$@" & : <{fifo}', *orphan), {}, ends=False)
    assert first.cpu_ms >= BUSY_MS
    (pid,) = host.children()
    second = commands.time(shell(f"kill {pid}"), {}, ends=True)
    assert 0 < second.cpu_ms < BUSY_MS


def test_a_failing_command_gives_its_words_and_no_figure(commands: Commands) -> None:
    with pytest.raises(CommandFailedError, match=r"status 3: no container$"):
        commands.time(shell("echo no container >&2; exit 3"), {}, ends=True)
    with pytest.raises(CommandFailedError, match="status -9: no message"):
        commands.time(shell("kill -9 $$"), {}, ends=True)


def test_peak_memory_is_the_commands_and_not_ours(commands: Commands) -> None:
    small = commands.read_peak_rss_kib(["/bin/true"], {})
    own_kib = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4
    assert 0 < small < own_kib / 2
    large = commands.read_peak_rss_kib(python("bytearray(51_200_000)"), {})
    assert 50_000 < large < 100_000


def test_peak_memory_of_a_failing_command_is_refused(commands: Commands) -> None:
    with pytest.raises(CommandFailedError, match="status 4"):
        commands.read_peak_rss_kib(shell("exit 4"), {})
