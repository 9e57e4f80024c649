"""run: create and start in one, in the foreground or detached."""

from __future__ import annotations

import posix

from pyoci.engine import delete, sync
from pyoci.engine.create import Creation, prepare
from pyoci.errors import PyociError
from pyoci.linux import prctl, signals
from pyoci.linux.consts import P_PIDFD
from pyoci.linux.pidfd import pidfd_send_signal, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.plan.model import CreateRequest

    Log = Callable[[str, str], None]

# Not forwarded: ours to reap; and the ones the kernel sends for something we did ourselves.
_NOT_FORWARDED = (signals.SIGCHLD, signals.SIGURG)


def run(request: CreateRequest, log: Log) -> int:
    """Run a container; its exit status, 128 + signal if one ended it, or 0 if detached.

    In the foreground signals that we get go to the container, and it is deleted
    at the end (unless --keep).
    """
    foreground = not request.detach
    if foreground:
        if not request.no_subreaper:
            prctl.set_child_subreaper()
        # Blocked from before init exists: none can be lost, each is waited for below.
        signals.block_signals()
    creation = prepare(request, log, wait_on_fifo=False)
    try:
        _start(creation, log)
    except BaseException:
        _delete(creation, log)
        raise
    if not foreground:
        return 0
    status = _await_exit(creation.main.pidfd)
    if not request.keep:
        _delete(creation, log)
    return status


def _start(creation: Creation, log: Log) -> None:
    main = creation.main
    sync.send(main.sync_fd, sync.START)
    kind, failure = sync.receive(main.sync_fd)
    if kind != sync.END or failure is not None:
        from pyoci.engine.failures import init_error

        raise init_error(creation.plan, failure or sync.Failure(step=-1, detail=repr(kind)))
    posix.close(main.sync_fd)
    if creation.plan.hooks.poststart:
        from pyoci.engine.containers import Container
        from pyoci.engine.start import run_poststart

        request = creation.request
        with Container(request.root, request.container_id) as container:
            run_poststart(container, creation.state, log)


def _await_exit(pidfd: int) -> int:
    """Forward signals until init ends; reap what is left to us as subreaper."""
    while True:
        status = status_of(posix.waitid(P_PIDFD, pidfd, posix.WEXITED | posix.WNOHANG))
        if status is not None:
            return status
        number = signals.wait_signal()
        if number == signals.SIGCHLD:
            _reap_orphans(pidfd)
        elif number not in _NOT_FORWARDED:
            _forward(pidfd, number)


def _forward(pidfd: int, number: int) -> None:
    try:
        pidfd_send_signal(pidfd, number)
    except ProcessLookupError:  # it has just ended: the next turn sees that
        return


def _reap_orphans(pidfd: int) -> None:
    """Reap every dead child but init, whose status is still wanted."""
    init = posix.waitid(P_PIDFD, pidfd, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
    while True:
        try:
            dead = posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None or (init is not None and dead.si_pid == init.si_pid):
            return
        posix.waitid(posix.P_PID, dead.si_pid, posix.WEXITED)


def _delete(creation: Creation, log: Log) -> None:
    """Delete our own container; a failure is only logged, for the process itself has ended well."""
    request = creation.request
    try:
        delete.delete(request.root, request.container_id, force=True, log=log)
    except PyociError as error:
        log("error", error.message)
