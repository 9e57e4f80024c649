"""plan: what create would do, without doing it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan, CreateRequest


def plan_create(request: CreateRequest) -> CreatePlan:
    """The plan of this request on this machine; nothing is changed."""
    from pyoci.engine.create import plan_create as plan

    return plan(request)[0]
