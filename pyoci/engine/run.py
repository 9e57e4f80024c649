"""run: create and start in one, in the foreground or detached."""

from __future__ import annotations

import posix

from pyoci.engine import sync
from pyoci.engine.create import Creation, prepare, write_created
from pyoci.engine.foreground import await_exit
from pyoci.engine.protect import protect_interpreter
from pyoci.engine.remove import destroy
from pyoci.errors import PyociError
from pyoci.linux import prctl, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.debug import Log
    from pyoci.engine.notify import Proxy
    from pyoci.plan.model import CreateRequest


def run(request: CreateRequest, log: Log) -> int:
    """Run a container; its exit status, 128 + signal if one ended it, or 0 if detached.

    In the foreground signals that we get go to the container, and it is deleted
    at the end (unless --keep).
    """
    protect_interpreter(log)
    foreground = not request.detach
    if foreground:
        if not request.no_subreaper:
            prctl.set_child_subreaper()
        # Blocked from before init exists: none can be lost, each is waited for below.
        signals.block_signals()
    creation = prepare(request, log, wait_on_fifo=False)
    try:
        proxy = _open_proxy(creation, log)
        if creation.main.terminal_fd >= 0:
            status = _run_on_terminal(creation, proxy, log)
        else:
            _start(creation, log)
            if not foreground:
                _await_ready(creation, proxy)
                return 0
            status = (await_exit if proxy is None else proxy.await_exit)(creation.main.pidfd)
        if proxy is not None:
            proxy.finish()
    except BaseException:
        _destroy(creation, log)
        raise
    if request.keep:
        _keep_status(creation, status)
    else:
        _destroy(creation, log)
    return status


def _open_proxy(creation: Creation, log: Log) -> Proxy | None:
    """Who passes the container's messages to the service manager on, if there is one."""
    if not creation.plan.notify:
        return None
    from pyoci.engine.notify import open_proxy

    return open_proxy(creation.main.dir_fd, creation.request.notify_socket, log)


def _await_ready(creation: Creation, proxy: Proxy | None) -> None:
    if proxy is not None:
        proxy.await_ready(creation.main.pid, creation.main.pidfd)
        proxy.close()


def _run_on_terminal(creation: Creation, proxy: Proxy | None, log: Log) -> int:
    """Our own terminal is the container's meanwhile, and then again what it was."""
    from pyoci.engine.relay import Relay
    from pyoci.linux.sockets import receive_fd

    main = creation.main
    with Relay(receive_fd(main.terminal_fd), proxy) as relay:
        _start(creation, log)
        return relay.await_exit(main.pidfd)


def _start(creation: Creation, log: Log) -> None:
    main = creation.main
    write_created(main)  # before: if that fails, nothing has run
    sync.send(main.sync_fd, sync.START)
    kind, failure = sync.receive(main.sync_fd)
    if kind != sync.END or failure is not None:
        from pyoci.engine.failures import init_error

        raise init_error(creation.plan, failure or sync.Failure(step=-1, detail=repr(kind)))
    posix.close(main.sync_fd)
    if creation.plan.process is not None and main.limits_memory:
        from pyoci.engine.stillborn import check_became_program

        check_became_program(main.pid, main.state.cgroup_path, creation.plan.process.args[0])
    if creation.plan.hooks.poststart:
        from pyoci.engine.containers import Container
        from pyoci.engine.start import run_poststart

        request = creation.request
        with Container(request.root, request.container_id) as container:
            run_poststart(container, creation.state, log)


def _keep_status(creation: Creation, status: int) -> None:
    """Nobody but us, the parent, has seen it for sure."""
    from pyoci.engine.containers import Container
    from pyoci.engine.wait import keep_status
    from pyoci.errors import ContainerNotFound

    request = creation.request
    try:
        with Container(request.root, request.container_id) as container:
            keep_status(container, status)
    except ContainerNotFound:  # deleted meanwhile
        return


def _destroy(creation: Creation, log: Log) -> None:
    """End our own container; a failure is only logged, for the process itself has ended."""
    request, main = creation.request, creation.main
    try:
        destroy(request.root, main.dir_fd, main.state, creation.plan.hooks.poststop, log)
    except PyociError as error:
        log("error", error.message)
