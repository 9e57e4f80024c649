"""--debug: every step of a plan goes to the log before the first of them is taken.

Imported only then.
"""

from __future__ import annotations

from pyoci.plan.render import render_exec_steps, render_steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from pyoci.plan.exec import ExecPlan
    from pyoci.plan.model import CreatePlan

    class Log(Protocol):
        """Takes an entry, its level first; `debug` says whether it keeps those of that level."""

        debug: bool

        def __call__(self, level: str, message: str, /) -> None:
            """Write the entry, if the log takes such."""


def explain_create(plan: CreatePlan, log: Log) -> None:
    """What `pyoci plan` shows, an entry a step."""
    for line in render_steps(plan):
        log("debug", line)


def explain_exec(plan: ExecPlan, log: Log) -> None:
    """The same of one more process."""
    for line in render_exec_steps(plan):
        log("debug", line)
