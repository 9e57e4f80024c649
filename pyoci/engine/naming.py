"""Names for what fails: an OSError inside a step becomes a StepError that says which one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from pyoci.plan.steps import Step


class Naming:
    """Gives an OSError inside the name of one of main's steps, and its config path."""

    def __init__(self, step: Step) -> None:
        """Take the step that is carried out inside."""
        self.step = step

    def __enter__(self) -> None:
        """Nothing is done."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """StepError for an OSError; anything else goes on as it is."""
        if isinstance(error, OSError):
            from pyoci.engine.failures import main_error

            raise main_error(self.step, error) from None
