"""The table of statuses and operations (runtime.md, "State" and "Operations")."""

from __future__ import annotations

from itertools import product

import pytest

from pyoci.errors import StateError
from pyoci.state.lifecycle import (
    ALLOWED,
    CREATED,
    CREATING,
    PAUSED,
    RUNNING,
    STATUSES,
    STOPPED,
    check_operation,
    derive_status,
)

FLAGS = ("init_alive", "creator_alive", "being_created", "frozen", "waiting")


def test_statuses_are_the_specifications_and_paused() -> None:
    assert STATUSES == ("creating", "created", "running", "paused", "stopped")


@pytest.mark.parametrize(("operation", "status"), list(product(ALLOWED, STATUSES)))
def test_an_operation_is_allowed_as_the_table_says_or_refused_in_words(
    operation: str, status: str
) -> None:
    if status in ALLOWED[operation]:
        check_operation(operation, status, "web")
        return
    with pytest.raises(StateError) as caught:
        check_operation(operation, status, "web")
    assert caught.value.message
    assert "\n" not in caught.value.message


def test_what_the_specification_demands() -> None:
    # runtime.md: start only for created; kill for created or running; delete for stopped.
    assert ALLOWED["start"] == (CREATED,)
    assert {CREATED, RUNNING} <= set(ALLOWED["kill"])
    assert {CREATING, STOPPED}.isdisjoint(ALLOWED["kill"])
    assert STOPPED in ALLOWED["delete"]
    assert {CREATING, RUNNING, PAUSED}.isdisjoint(ALLOWED["delete"])
    assert set(ALLOWED["delete --force"]) == set(ALLOWED["state"]) == set(STATUSES)


@pytest.mark.parametrize(
    ("operation", "status", "words"),
    [
        # What engines look for in the error of runc.
        ("kill", STOPPED, "container not running"),
        ("kill", CREATING, "cannot kill a container in the creating state"),
        ("start", STOPPED, "cannot start a container that has stopped"),
        ("start", RUNNING, "cannot start an already running container"),
        ("start", PAUSED, "cannot start a container in the paused state"),
        ("start", CREATING, "cannot start a container in the creating state"),
        ("exec", STOPPED, "cannot exec in a stopped container"),
        ("exec --ignore-paused", STOPPED, "cannot exec in a stopped container"),
        (
            "exec",
            PAUSED,
            "cannot exec in a paused container (use --ignore-paused to override)",
        ),
        ("exec --ignore-paused", CREATING, "cannot exec a container in the creating state"),
        ("delete", RUNNING, "cannot delete container web that is not stopped: running"),
        ("ps", CREATING, "cannot ps a container in the creating state"),
        ("pause", STOPPED, "container not running"),
        ("pause", PAUSED, "cannot pause a container in the paused state"),
        ("resume", RUNNING, "container not paused"),
        ("resume", STOPPED, "container not paused"),
        ("update", STOPPED, "container not running"),
        ("update", CREATING, "cannot update a container in the creating state"),
        ("events", STOPPED, "container with id web is not running"),
    ],
)
def test_words(operation: str, status: str, words: str) -> None:
    with pytest.raises(StateError) as caught:
        check_operation(operation, status, "web")
    assert caught.value.message == words


def test_a_refused_delete_says_how_else() -> None:
    with pytest.raises(StateError) as caught:
        check_operation("delete", RUNNING, "web")
    assert "--force" in caught.value.hint


@pytest.mark.parametrize("values", list(product((False, True), repeat=len(FLAGS))))
def test_status_out_of_what_is_true_now(values: tuple[bool, ...]) -> None:
    true = {name for name, value in zip(FLAGS, values, strict=True) if value}
    status = derive_status(**dict(zip(FLAGS, values, strict=True)))
    if {"being_created", "creator_alive"} <= true:
        assert status == CREATING
    elif "init_alive" not in true:
        assert status == STOPPED  # whatever else the files say
    elif "frozen" in true:
        assert status == PAUSED
    else:
        assert status == (CREATED if "waiting" in true else RUNNING)


def test_a_dead_creator_leaves_no_container_in_creating() -> None:
    for init_alive in (True, False):
        status = derive_status(
            init_alive=init_alive,
            creator_alive=False,
            being_created=True,
            frozen=False,
            waiting=False,
        )
        assert status == (RUNNING if init_alive else STOPPED)
