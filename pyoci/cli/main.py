"""The program: argv in, one command, an exit status out; the only module that prints.

On failure: one entry in the log and the same line on stderr, perhaps a hint below
it. On success: nothing on stderr, because callers read it together with stdout.
"""

from __future__ import annotations

import posix
import sys

from pyoci.cli import argv, options, output, paths
from pyoci.cli.call import Answer, Call
from pyoci.errors import InternalError, PyociError, UsageError, describe_oserror
from pyoci.spec.ids import check_container_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from pyoci.cli.argv import Invocation
    from pyoci.cli.options import Value

# 128 + SIGINT, as a shell says it.
INTERRUPTED = 130

# These touch no state: no root is made for them.
_WITHOUT_STATE = ("version", "completion", "features", "spec", "plan", "seccomp")


def main() -> NoReturn:
    """Run the command of sys.argv and end the process."""
    status = 1
    try:
        output.open_standard_fds()
        status = Session().run(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    finally:
        # Not sys.exit: no exit handlers, no flush that fails with status 120, no traceback of
        # what came through here, which could only be a failure to report a failure.
        posix._exit(status)  # noqa: SLF001  (public: os._exit)


class Session:
    """One invocation: what of it is known so far decides how its failure is reported."""

    def __init__(self) -> None:
        """Nothing is known yet: failures go to stderr."""
        self.log = output.Log()
        self.subject = ""
        self.failure_status = 1

    def run(self, words: Sequence[str]) -> int:
        """Carry out the command line; returns the exit status, all failures reported."""
        try:
            return self._execute(words)
        except KeyboardInterrupt:
            return INTERRUPTED
        except BaseException as error:
            return self._report(error)

    def _execute(self, words: Sequence[str]) -> int:
        split = argv.parse_globals(words)
        invocation = None
        if split is not None:
            self._open_log(split[0])
            invocation = argv.parse_command(*split)
        if invocation is None:
            explained = _explain(words)
            if isinstance(explained, str):
                return self._answer(Answer(text=explained))
            invocation = explained
        return self._answer(self._perform(invocation))

    def _open_log(self, values: dict[str, Value]) -> None:
        path = str(values["log"])
        try:
            self.log = output.Log(path, str(values["log-format"]), debug=values["debug"] is True)
        except OSError as error:
            raise PyociError(f"cannot open the log: {describe_oserror(error)}") from error

    def _perform(self, invocation: Invocation) -> Answer:
        name = invocation.command
        self.subject = name
        self.failure_status = options.FAILURE_STATUS.get(name, 1)
        if options.takes_container(name):
            self.subject += f" {invocation.arguments[0]}"
            # Before anyone makes a path of it.
            check_container_id(invocation.arguments[0])
        call = self._make_call(invocation)
        return _load(name)(call)

    def _make_call(self, invocation: Invocation) -> Call:
        values = invocation.global_options
        root = values["root"]
        return Call(
            command=invocation.command,
            options=invocation.options,
            arguments=invocation.arguments,
            log=self.log,
            root=_find_root(invocation.command, root),
            root_is_given=root is not None,
            systemd_cgroup=values["systemd-cgroup"] is True,
            rootless=str(values["rootless"]),
        )

    def _answer(self, answer: Answer) -> int:
        """Print what the command says."""
        for problem in answer.problems:
            self.log("warning", problem)
            output.write_all(output.STDERR, output.one_line(problem) + "\n")
        _print(answer.text)
        for text in answer.more:
            _print(text)
        return answer.exit_code

    def _report(self, error: BaseException) -> int:
        """Log the failure and say it on stderr; returns the exit status."""
        failure = _as_failure(error)
        parts = [paths.NAME, self.subject, failure.message]
        message = output.one_line(": ".join([part for part in parts if part]))
        log = self.log
        if log.has_file or log.is_json or log.debug:
            log.write("error", message, output.find_origin(error))
        if log.has_file or not log.is_json:
            _print_lines(message, failure.hint, *getattr(error, "__notes__", ()))
        return failure.exit_code if isinstance(failure, UsageError) else self.failure_status


def _print(text: str) -> None:
    """The text on stdout; PyociError if nobody takes it."""
    try:
        output.write_all(output.STDOUT, text)
    except OSError as error:
        message = f"cannot write to standard output: {describe_oserror(error)}"
        raise PyociError(message) from error


def _load(name: str) -> Callable[[Call], Answer]:
    """The function that carries out the command: its module is imported by name."""
    module = __import__(f"pyoci.cli.commands.{name}", fromlist=("execute",))
    execute: Callable[[Call], Answer] = module.execute
    return execute


def _find_root(command: str, given: Value) -> str:
    """The state root, given or default; the user's own is made here."""
    if given is not None:
        return paths.given_root(str(given))
    root, is_users = paths.default_root()
    if is_users and command not in _WITHOUT_STATE:
        paths.make_user_root(root)
    return root


def _explain(words: Sequence[str]) -> Invocation | str:
    """What click makes of a command line that the fast parser does not know: help, or an error."""
    from pyoci import libraries
    from pyoci.cli import click_app

    libraries.add_library_paths()
    try:
        return click_app.parse(words)
    except ImportError as error:
        raise UsageError(
            "the command line is wrong, or asks for help: the words for both need click",
            f"install it for {sys.executable} ({error})",
        ) from error
    except click_app.Misuse as error:
        _print_usage(error.usage)
        raise


def _print_usage(usage: str) -> None:
    """The help of a misused command, on stdout as from runc; its message follows on stderr."""
    try:
        output.write_all(output.STDOUT, f"Incorrect Usage.\n\n{usage}\n")
    except OSError:
        # The error to report is the misuse; a closed stdout only loses the help.
        return


def _as_failure(error: BaseException) -> PyociError:
    """The error as one of ours: an OSError in words, anything else as a bug with its place."""
    if isinstance(error, PyociError):
        return error
    if isinstance(error, OSError):
        return PyociError(describe_oserror(error))
    failure = InternalError(f"{type(error).__name__}: {error}")
    place, function = output.find_origin(error)
    failure.hint = f"{place} in {function}: {failure.hint}"
    return failure


def _print_lines(*lines: str) -> None:
    """Each line that is not empty, on stderr."""
    text = "".join([output.one_line(line) + "\n" for line in lines if line])
    try:
        output.write_all(output.STDERR, text)
    except OSError:
        # Nobody is left to tell; the exit status says it.
        return
