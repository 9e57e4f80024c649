"""``pyoci plan``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.request import create_request
from pyoci.engine import explain
from pyoci.jsonio import dumps
from pyoci.plan import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.cli.call import Call


def execute(call: Call) -> Answer:
    """What create would do, step by step; nothing is done."""
    plan = explain.plan_create(create_request(call))
    if call.text("format") == "json":
        return Answer(text=dumps(render.render_json(plan), indent="  ") + "\n")
    return Answer(text=render.render_text(plan))
