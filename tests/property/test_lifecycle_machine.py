"""The life of a container as a state machine: what is true decides, in every order of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pyoci.errors import StateError
from pyoci.state.lifecycle import ALLOWED, check_operation, derive_status
from tests.support.lifecycle_table import MAY, STATUSES, refusal

OPERATIONS = ("start", "kill", "delete", "delete --force")


class Life(RuleBasedStateMachine):
    """A container that exists: `status` is what happened to it, the rest is what can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "creating"
        self.creator_alive = self.being_created = True
        self.init_alive = self.frozen = self.waiting = False

    def derive(self) -> str:
        return derive_status(
            init_alive=self.init_alive,
            creator_alive=self.creator_alive,
            being_created=self.being_created,
            frozen=self.init_alive and self.frozen,
            waiting=self.init_alive and self.waiting,
        )

    @precondition(lambda self: self.status == "creating" and not self.init_alive)
    @rule()
    def make_init(self) -> None:
        self.init_alive = self.waiting = True

    @precondition(lambda self: self.status == "creating" and self.init_alive)
    @rule()
    def finish_create(self) -> None:
        self.being_created = False
        self.status = "paused" if self.frozen else "created"

    @precondition(lambda self: self.creator_alive)
    @rule()
    def creator_ends(self) -> None:
        self.creator_alive = False
        if self.status == "creating":
            alive = "paused" if self.frozen else "created"
            self.status = alive if self.init_alive else "stopped"

    @precondition(lambda self: self.init_alive and self.status != "creating")
    @rule()
    def init_ends(self) -> None:
        self.init_alive = False
        self.status = "stopped"

    @rule(frozen=st.booleans())
    def freeze_or_thaw(self, frozen: bool) -> None:
        self.frozen = frozen
        if self.status in ("created", "running", "paused"):
            thawed = "created" if self.waiting else "running"
            self.status = "paused" if frozen else thawed

    @rule(operation=st.sampled_from(OPERATIONS))
    def operate(self, operation: str) -> None:
        before = self.derive()
        if self.status in MAY[operation]:
            check_operation(operation, before, "c")
            self.carry_out(operation)
            return
        with pytest.raises(StateError) as caught:
            check_operation(operation, before, "c")
        assert refusal(operation, self.status) in caught.value.message
        assert self.derive() == before

    def carry_out(self, operation: str) -> None:
        if operation == "start":
            self.waiting = False
            self.status = "running"
        elif operation == "kill":
            self.init_alive = self.frozen = False
            self.status = "stopped"
        else:
            self.__init__()  # type: ignore[misc]  # another container takes its place

    @invariant()
    def what_is_seen_tells_what_happened(self) -> None:
        assert self.derive() == self.status


TestLife = Life.TestCase


@given(facts=st.tuples(*[st.booleans()] * 5))
def test_every_combination_has_a_status(facts: tuple[bool, ...]) -> None:
    names = ("init_alive", "creator_alive", "being_created", "frozen", "waiting")
    status = derive_status(**dict(zip(names, facts, strict=True)))
    assert status in STATUSES


@pytest.mark.parametrize("operation", sorted(ALLOWED))
def test_the_table_is_the_one_that_engines_know(operation: str) -> None:
    assert set(ALLOWED[operation]) == MAY[operation] - {None}
