"""One container of a test: create, start, its reports, kill, delete. Every wait has a limit."""

from __future__ import annotations

import json
import os
import select
import time
from typing import TYPE_CHECKING, Any

from conformance.spec.report import Report
from conformance.spec.verdicts import FailedError, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.spec.bundle import Bundle
    from conformance.spec.runtime import Outcome, Runtime

SECONDS = 10.0


class Container:
    """A container made from a bundle. Its process writes into a pipe that we read line by line."""

    def __init__(self, runtime: Runtime, bundle: Bundle) -> None:
        """Creates nothing yet."""
        self.runtime = runtime
        self.bundle = bundle
        self.id = bundle.container_id
        self.exists = False
        self.pid_at_create = self._pid_fd = -1
        self._pending = b""
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC)

    # -- the operations -------------------------------------------------------------------------

    def create(
        self,
        *more: str,
        options: tuple[str, ...] = (),
        pass_fds: tuple[int, ...] = (),
        before: Callable[[], None] | None = None,
    ) -> Outcome:
        """`create` with the config as it is now."""
        self.bundle.write()
        done = self.runtime.call(
            *("create", "--bundle", str(self.bundle.path), *more, self.id),
            options=options,
            stdout=self._write_fd,
            pass_fds=pass_fds,
            before=before,
        )
        self.exists = done.ok
        if done.ok:
            self._open_pid_fd()
        return done

    def created(self, *more: str, **keywords: Any) -> Container:  # noqa: ANN401 (those of create)
        """`create`, which must succeed."""
        done = self.create(*more, **keywords)
        expect(done.ok, f"create failed: {done.brief}")
        return self

    def start(self) -> Outcome:
        """`start`."""
        return self.runtime.call("start", self.id)

    def started(self) -> Container:
        """`start`, which must succeed."""
        done = self.start()
        expect(done.ok, f"start failed: {done.brief}")
        return self

    def kill(self, signal: str) -> Outcome:
        """`kill`."""
        return self.runtime.call("kill", self.id, signal)

    def delete(self, *options: str) -> Outcome:
        """`delete`."""
        done = self.runtime.call("delete", *options, self.id)
        if done.ok:
            self.exists = False
        return done

    def deleted(self) -> Container:
        """`delete`, which must succeed."""
        done = self.delete()
        expect(done.ok, f"delete failed: {done.brief}")
        return self

    def state(self) -> dict[str, Any]:
        """`state`, which must succeed."""
        state = self.runtime.state(self.id)
        if state is None:
            raise FailedError("state of an existing container failed")
        return state

    @property
    def status(self) -> str | None:
        """The status, None where there is no such container."""
        state = self.runtime.state(self.id)
        return None if state is None else str(state.get("status"))

    @property
    def pid(self) -> int:
        """The process ID that `state` gives."""
        pid = self.state().get("pid")
        if not isinstance(pid, int):
            raise FailedError(f"the state's pid is {pid!r}")
        return pid

    # -- its process ----------------------------------------------------------------------------

    def report(self) -> Report:
        """The next line that the container process writes."""
        line = self._read_line()
        try:
            return Report(json.loads(line))
        except ValueError:
            raise FailedError(f"the container process wrote {line[:80]!r}") from None

    def _read_line(self) -> bytes:
        deadline = time.monotonic() + SECONDS
        while b"\n" not in self._pending:
            left = max(deadline - time.monotonic(), 0)
            ended = self._pid_fd in select.select([self._read_fd, self._pid_fd], [], [], left)[0]
            # What it wrote before it ended is there by now, whatever the first select saw.
            if select.select([self._read_fd], [], [], 0)[0]:
                self._pending += os.read(self._read_fd, 65536)
            else:
                why = "ended without a report" if ended else "reported nothing in time"
                raise FailedError(f"the container process {why}")
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def wrote_nothing(self) -> bool:
        """True if the container process has written nothing so far."""
        return not self._pending and not select.select([self._read_fd], [], [], 0)[0]

    def wait(self) -> Container:
        """Waits until the container process has exited."""
        expect(self.exited(SECONDS), "the container process did not exit in time")
        return self

    def exited(self, seconds: float) -> bool:
        """True once the container process has exited, False when the time is over."""
        return bool(select.select([self._pid_fd], [], [], seconds)[0])

    def _open_pid_fd(self) -> None:
        self.pid_at_create = self.pid
        self._pid_fd = os.pidfd_open(self.pid_at_create)

    def close(self) -> None:
        """Closes our ends of its files."""
        for fd in (self._read_fd, self._write_fd, self._pid_fd):
            if fd >= 0:
                os.close(fd)
