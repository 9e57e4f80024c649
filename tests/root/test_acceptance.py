"""A whole life of a container with every warning that Python can give turned on, and not one seen.

Callers read stdout and stderr together: `-X dev -W default` shows what would leak there one day.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import (
    PATIENCE,
    Container,
    MakeContainer,
    reap_children,
    wait_until,
)
from tests.support.service_manager import ServiceManager
from tests.support.terminals import ConsoleSocket, on_terminal
from tests.support.variants import Launcher

FLAGS = "-X dev -W default"
SLEEP = ("sleep", "1000")
MakeStrict = Callable[..., Container]


@pytest.fixture
def strict(pyoci: Path, container: MakeContainer, tmp_path: Path) -> MakeStrict:
    """Makes containers whose runtime's interpreter gives every warning."""
    given = Launcher(pyoci)
    launcher = tmp_path / "strict"
    command = f"{given.interpreter} {given.options} {FLAGS} {pyoci}"
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    launcher.chmod(0o755)

    def make(*args: str, **options: Any) -> Container:  # noqa: ANN401
        c = container(*args, **options)
        c.runtime = launcher
        return c

    return make


def test_the_flags_have_an_effect(strict: MakeStrict) -> None:
    c = strict("true")
    words = c.runtime.read_text().split("exec ", 1)[1].split(" " + FLAGS)[0].split()
    code = "import sys; print(sys.flags.dev_mode, sys.warnoptions)"
    done = c.run_command([*words, *FLAGS.split(), "-c", code])
    assert done.ok().stdout == "True ['default']\n"


def test_a_life_step_by_step(strict: MakeStrict) -> None:
    c = strict(*SLEEP, annotations={"a": "b"})
    c.create("--pid-file", str(c.directory / "pid")).ok()
    c.start().ok()
    assert c.status == "running"
    init = c.pid
    for words in (
        ("list",),
        ("list", "--format=json"),
        ("ps", c.id),
        ("ps", "--format", "json", c.id),
        ("events", "--stats", c.id),
        ("pause", c.id),
        ("resume", c.id),
        ("update", "--cpu-rt-period", "5", c.id),
        ("exec", c.id, "true"),
        ("exec", "--detach", c.id, "true"),
        ("kill", c.id, "0"),
        ("kill", "--all", c.id, "KILL"),
    ):
        c.call_detached(*words).ok()
        reap_children({init})
    c.wait_status("stopped")
    assert c.call("wait", c.id).ok().stdout == "137\n"
    c.delete().ok()
    c.delete("--force").ok()
    c.assert_gone()


def test_a_life_in_the_foreground(strict: MakeStrict) -> None:
    hook = [{"path": "/bin/true", "args": ["true"]}]
    kinds = ("createRuntime", "createContainer", "poststart", "poststop")
    c = strict("sh", "-c", "exit 3", hooks=dict.fromkeys(kinds, hook))
    done = c.run("--keep")
    assert (done.rc, done.stdout, done.stderr) == (3, "", "")
    c.delete().ok()


def test_terminals(strict: MakeStrict) -> None:
    c = strict("sh", "-c", "read line; exit 3", process={"terminal": True})
    words = [*c.program, "run", "--bundle", str(c.bundle.path), c.id]
    with on_terminal(words, c.environment) as t:
        wait_until(t.is_raw)
        c.exec("true", options=("--tty",)).ok()
        t.type("x\n")
        assert t.wait() == 3
        assert t.said == b"x\r\n"
    with ConsoleSocket(c.directory / "console.sock") as console:
        c.create("--console-socket", str(console.path)).ok()
        os.close(console.receive()[1])
    c.delete("--force").ok()


def test_sockets(strict: MakeStrict) -> None:
    c = strict(*SLEEP)
    with ServiceManager(c.directory / "manager.sock") as manager:
        c.environment["NOTIFY_SOCKET"] = manager.address
        with c.stderr_path.open("wb") as stderr:
            process = c.spawn("run", "--bundle", str(c.bundle.path), c.id, stderr=stderr)
        wait_until(lambda: c.state().rc == 0 and c.status == "running")
        c.kill("KILL").ok()
        assert process.wait(PATIENCE) == 128 + signal.SIGKILL
        assert c.read_stderr() == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("features",),
        ("list",),
        ("--help",),
        ("exec", "--help"),
        ("completion", "bash"),
        ("delete", "--force", "nosuch"),
    ],
    ids=" ".join,
)
def test_commands_without_a_container(strict: MakeStrict, words: tuple[str, ...]) -> None:
    strict("true").run_command([str(strict("true").runtime), *words]).ok()


def test_plan_and_spec(strict: MakeStrict) -> None:
    c = strict("true")
    c.call("plan", "--bundle", str(c.bundle.path), c.id).ok()
    c.call("spec", "--bundle", str(c.directory)).ok()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("state", "nosuch"), "does not exist"),
        (("kill", "nosuch", "FOO"), "does not exist"),
        (("create", "--nosuch", "x"), "flag provided but not defined"),
        (("create", "--bundle", "/nosuch", "x"), "/nosuch"),
        (("start",), "requires exactly 1 argument(s)"),
    ],
)
def test_a_failure_is_one_line(strict: MakeStrict, words: tuple[str, ...], text: str) -> None:
    c = strict("true")
    log = ("--log", str(c.log_path), "--log-format", "json")
    done = c.call(*log, *words)
    done.failed(text)
    assert len(done.stderr.splitlines()) == 1
    assert text in json.loads(c.log_path.read_text())["msg"]


def test_a_schema_error_is_in_words_only(strict: MakeStrict) -> None:
    """jsonschema is imported for it, and says nothing itself."""
    c = strict("true")
    c.bundle.config["process"]["args"] = "true"
    c.bundle.write()
    c.create().failed("process.args: expected an array")
