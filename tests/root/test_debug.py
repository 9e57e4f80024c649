"""--debug: the steps of the plan are in the log before they are taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer, Result


def read_entries(path: Path) -> list[tuple[str, str]]:
    """Level and message of each entry of a JSON log."""
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(entry["file"].count(":") == 1 and entry["func"] for entry in entries)
    return [(entry["level"], entry["msg"]) for entry in entries]


def debug(c: Container, *words: str) -> Result:
    """A call with --debug and a JSON log."""
    return c.call("--debug", "--log", str(c.log_path), "--log-format", "json", *words)


def test_every_step_of_run(container: MakeContainer) -> None:
    c = container("true", hostname="box")
    words = ("--bundle", str(c.bundle.path), c.id)
    planned = json.loads(c.call("plan", "--format", "json", *words).ok().stdout)
    debug(c, "run", *words).ok()
    entries = read_entries(c.log_path)
    assert {level for level, _ in entries} == {"debug"}
    *messages, last = [message for _, message in entries]
    parts = ("before", "limits", "beside", "init", "ready", "start")
    steps = [step for part in parts for step in planned[part]] + [planned["process"]]
    assert len(messages) == len(steps)
    for message, step in zip(messages, steps, strict=True):
        cause = f" ({step['config']})" if step["config"] else ""
        assert message.endswith(f": {step['description']}{cause}")
    assert "init, until it is ready: set hostname box (hostname)" in messages
    assert messages[-1] == "init, after start: execute 'true' (process.args)"
    assert last.startswith("init is ready: process ")


def test_every_step_of_exec(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    c.run_detached().ok()
    debug(c, "exec", "--user", "1:2", c.id, "true").ok()
    messages = [message for _, message in read_entries(c.log_path)]
    assert messages[0].startswith("the process: join ")
    assert any("become user 1:2" in message for message in messages)
    assert messages[-1].startswith("the process: execute 'true'")


def test_a_failure_is_the_last_entry_and_the_only_error(container: MakeContainer) -> None:
    c = container("/no/such/program")
    debug(c, "create", "--bundle", str(c.bundle.path), c.id).failed("no such file or directory")
    levels = [level for level, _ in read_entries(c.log_path)]
    assert levels.count("error") == 1
    assert levels[-1] == "error"
    assert levels[0] == "debug"
    c.assert_gone()


@pytest.mark.parametrize("words", [("--debug",), ()])
def test_without_a_log_they_are_on_stderr_if_asked_for(
    container: MakeContainer, words: tuple[str, ...]
) -> None:
    c = container("true")
    done = c.call(*words, "run", "--bundle", str(c.bundle.path), c.id)
    assert done.rc == 0
    assert ("level=debug" in done.stderr) == bool(words)
    assert done.stdout == ""
