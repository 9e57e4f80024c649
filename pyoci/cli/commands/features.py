"""``pyoci features``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.jsonio import dumps
from pyoci.plan.features import plan_features

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(_: Call) -> Answer:
    """The Features structure as JSON, indented as runc's."""
    return Answer(text=dumps(plan_features(), "    ") + "\n")
