"""The life of real containers as a state machine: random orders of operations."""

from __future__ import annotations

import functools
import os
import signal

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.containers import Container, MakeContainer, Result, wait_exit
from tests.support.guest import is_guest
from tests.support.lifecycle_table import MAY, refusal

# A signal to process 1 of a pid namespace that has no handler does nothing, but for KILL.
COMMANDS = {
    "create": lambda c: c.create(),
    "start": lambda c: c.start(),
    "kill": lambda c: c.kill("KILL"),
    "kill harmlessly": lambda c: c.kill("TERM"),
    "delete": lambda c: c.delete(),
    "delete --force": lambda c: c.delete("--force"),
}
AFTER = {"create": "created", "start": "running", "kill": "stopped"}


# A guest takes a second for each, and the host has more of them.
EXAMPLES = 3 if is_guest() else 8


class Life(RuleBasedStateMachine):
    """One container id, and what may be true of it."""

    def __init__(self, c: Container) -> None:
        super().__init__()
        self.c = c
        self.status: str | None = None
        self.pid = 0

    @rule(command=st.sampled_from(sorted(COMMANDS)))
    def operate(self, command: str) -> None:
        result: Result = COMMANDS[command](self.c)
        operation = command.removesuffix(" harmlessly")
        if self.status not in MAY[operation]:
            result.failed(refusal(operation, self.status))
            return
        result.ok()
        if command == "kill":
            wait_exit(self.pid)
        if command != "kill harmlessly":
            self.status = AFTER.get(command)
        if command == "create":
            self.pid = self.c.pid

    @precondition(lambda self: self.status in ("created", "running"))
    @rule()
    def freeze(self) -> None:
        self.c.freeze()
        self.status = "paused"

    @precondition(lambda self: self.status in ("created", "running", "paused"))
    @rule()
    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        wait_exit(self.pid)
        self.status = "stopped"

    @invariant()
    def the_status_is_told(self) -> None:
        if self.status is None:
            self.c.state().failed("does not exist")
            self.c.assert_gone()
        else:
            assert self.c.status == self.status

    def teardown(self) -> None:
        self.c.delete("--force").ok()
        self.c.assert_gone()


def test_any_order_of_operations(container: MakeContainer) -> None:
    c = container("sleep", "1000")
    run_state_machine_as_test(
        functools.partial(Life, c),  # type: ignore[arg-type]  # it may be any factory
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
