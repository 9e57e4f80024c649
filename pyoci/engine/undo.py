"""What to undo if a create fails: the inverse of every effect on the host, newest first."""

from __future__ import annotations

from pyoci.errors import PyociError, describe_oserror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Undo:
    """A stack of inverses."""

    def __init__(self) -> None:
        """Start with nothing to undo."""
        self._steps: list[tuple[str, Callable[[], None]]] = []

    def push(self, what: str, inverse: Callable[[], None]) -> None:
        """Remember how to undo what was just done."""
        self._steps.append((what, inverse))

    def run(self) -> list[str]:
        """Undo everything, whatever fails on the way; returns what did, in words."""
        problems: list[str] = []
        while self._steps:
            what, inverse = self._steps.pop()
            try:
                inverse()
            except OSError as error:
                problems.append(f"{what}: {describe_oserror(error)}")
            except PyociError as error:
                problems.append(f"{what}: {error.message}")
            except Exception as error:  # a bug of ours, which must not leave the rest as it is
                problems.append(f"{what}: {type(error).__name__}: {error}")
        return problems
