"""A launcher whose Python gives every warning, and the file that they go to.

A client reads stdout and stderr together: what Python prints there by itself, it takes for an
answer. `-X dev -W default` makes it print all that it ever might; here that is written down, with
who said it, while the clients see what they always see.

Run as a program (`python3 -X dev -W default strict.py LAUNCHER ARGUMENT...`), it is the launcher.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

FLAGS = ("-X", "dev", "-W", "default")
LOG = "warnings"  # beside the launcher


def write_launcher(directory: Path, runtime: Path) -> Path:
    """A program that is `runtime`, started with the flags; what it says goes to LOG beside it."""
    from tests.support.variants import Launcher  # as a program we cannot import it

    given = Launcher(runtime)
    python = f"{given.interpreter} {given.options} {' '.join(FLAGS)}"
    launcher = directory / "strict"
    command = f"{python} {os.path.abspath(__file__)} {directory / LOG}"
    launcher.write_text(f'#!/bin/sh\nexec {command} {runtime} "$@"\n')
    launcher.chmod(0o755)
    (directory / LOG).touch()
    (directory / LOG).chmod(0o666)  # the runtime of an ordinary user writes there, too
    return launcher


def read_log(launcher: Path) -> str:
    """All that Python had to say while the clients ran."""
    return (launcher.parent / LOG).read_text()


def main(log: str, launcher: str) -> None:
    """Be the launcher, once the warnings and what is raised where nobody catches it go to LOG."""

    def append(text: str) -> None:
        # Where the file is out of reach (after pivot_root(2)) this fails, and Python prints it.
        with open(log, "a") as file:
            file.write(f"{' '.join(sys.orig_argv)}\n{text}\n")

    def show_warning(  # noqa: PLR0913  (as warnings.showwarning is called)
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del file
        append(warnings.formatwarning(message, category, filename, lineno, line))

    def unraisable(unraisable: sys.UnraisableHookArgs) -> None:
        append(f"{unraisable.err_msg}: {unraisable.object!r}\n")
        append("".join(traceback.format_exception(unraisable.exc_value)))

    warnings.showwarning = show_warning
    sys.unraisablehook = unraisable
    sys.argv = [launcher, *sys.argv[3:]]
    with open(launcher) as file:
        code = compile(file.read(), launcher, "exec")
    exec(code, {"__name__": "__main__", "__file__": launcher})  # noqa: S102  (pyoci's launcher)


if __name__ == "__main__":
    main(*sys.argv[1:3])
