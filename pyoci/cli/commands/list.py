"""``pyoci list``."""

from __future__ import annotations

from pyoci.cli.call import Answer
from pyoci.cli.output import one_line
from pyoci.engine import query
from pyoci.jsonio import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyoci.cli.call import Call

_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")

# runc's table: at least so wide, and so many blanks behind the widest cell of a column.
_LEAST_WIDTH, _GAP = 12, 3


def execute(call: Call) -> Answer:
    """The containers; a default root that does not exist yet has none, a given one must exist."""
    states, problems = query.read_list(call.root, must_exist=call.root_is_given)
    return Answer(text=_render(call, states), problems=tuple(problems))


def _render(call: Call, states: Sequence[Mapping[str, object]]) -> str:
    if call.flag("quiet"):
        return "".join([f"{state['id']}\n" for state in states])
    if call.text("format") == "json":
        return dumps(states) + "\n"
    return render_table([[one_line(str(state[name])) for name in _COLUMNS] for state in states])


def render_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows below a header of the columns' names."""
    table = [[name.upper() for name in _COLUMNS], *rows]
    widest = [max(map(len, column)) for column in zip(*table, strict=True)]
    widths = [max(_LEAST_WIDTH, width + _GAP) for width in widest]
    return "".join([_render_row(row, widths) for row in table])


def _render_row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
    return "".join(cells) + row[-1] + "\n"
