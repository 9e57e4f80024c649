"""What a test function gets: bundles, containers, ways to observe them, and the cleaning up."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, Any

from conformance.spec import host, kernel
from conformance.spec.bundle import Bundle
from conformance.spec.container import Container
from conformance.spec.verdicts import FailedError, UnclaimedError, expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conformance.spec.report import Report
    from conformance.spec.runtime import Runtime


class Case:
    """One run of one test."""

    def __init__(self, runtime: Runtime, probe: Path, directory: Path, token: str) -> None:
        """Makes `directory`; the ids of all containers begin with `token`."""
        self.runtime = runtime
        self.probe = probe
        self.directory = directory
        self.token = token
        self.containers: list[Container] = []
        self._mounts: list[Path] = []
        self._holders: list[subprocess.Popen[bytes]] = []
        self._features: dict[str, Any] | None = None
        directory.mkdir()

    def bundle(self) -> Bundle:
        """A fresh bundle with the usual config and a container id of its own."""
        container_id = f"{self.token}-{sum(1 for _ in self.directory.iterdir())}"
        path = self.directory / container_id
        return Bundle(path, self.probe, container_id, self.runtime.oci_version)

    def container(self, bundle: Bundle | None = None) -> Container:
        """A container, not yet created, that is cleaned up after the test."""
        container = Container(self.runtime, bundle or self.bundle())
        self.containers.append(container)
        return container

    def blocked(self, bundle: Bundle | None = None) -> Container:
        """A running container whose process waits for a signal; its report is read."""
        bundle = bundle or self.bundle()
        bundle.probe_args("block")
        container = self.container(bundle).created().started()
        container.report()
        return container

    def stopped(self) -> Container:
        """A container whose process has exited."""
        container = self.container().created().started()
        return container.wait()

    def observe(self, bundle: Bundle, *verbs: str) -> Report:
        """What the container process sees, after a whole life of the container."""
        bundle.probe_args(*verbs)
        return self.observe_program(bundle)

    def observe_program(self, bundle: Bundle) -> Report:
        """As `observe`, with the process of the config."""
        container = self.container(bundle).created().started()
        report = container.report()
        container.wait().deleted()
        return report

    def refuses(self, bundle: Bundle, what: str, *, at_start: bool = False) -> None:
        """Fails unless create (or, if the property may be applied later, start) is an error.

        A refused create must also leave no container; what else it left is looked for later.
        """
        container = self.container(bundle)
        if container.create().ok:
            expect(at_start, f"create accepted {what}")
            expect(not container.start().ok, f"create and start accepted {what}")
            return
        expect(container.status is None, f"create refused {what}, but left a container")

    def claims(self, *keys: str, member: str | None = None) -> None:
        """Ends the test unless the runtime's `features` has the value, or the member in it."""
        if self._features is None:
            self._features = self.runtime.features()
        value: Any = self._features
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        claimed = bool(value) if member is None else member in (value or ())
        if not claimed:
            raise UnclaimedError(f"features does not claim {'.'.join(keys)} {member or ''}".strip())

    def hold(self, *kinds: str) -> str:
        """/proc/PID/ns of a process in new namespaces, which lives as long as the test."""
        holder = subprocess.Popen([self.probe, f"hold={','.join(kinds)}"], stdout=subprocess.PIPE)
        self._holders.append(holder)
        line = holder.stdout.readline() if holder.stdout else b""
        child = line.removeprefix(b'{"child":').removesuffix(b"}\n")
        expect(child.isdigit(), f"cannot make namespaces {kinds}: {line!r}")
        return f"/proc/{int(child)}/ns"

    def mount_tmpfs(self, point: Path) -> None:
        """Mounts a tmpfs on the host's side (in the suite's namespace) until the test ends."""
        point.mkdir(parents=True, exist_ok=True)
        kernel.mount("tmpfs", str(point), "tmpfs", 0)
        self._mounts.append(point)

    # -- the end --------------------------------------------------------------------------------

    def finish(self) -> list[str]:
        """Ends everything the test made; returns what the runtime left behind."""
        for holder in self._holders:
            holder.kill()
            holder.wait()
            if holder.stdout:
                holder.stdout.close()
        for point in reversed(self._mounts):
            kernel.umount(str(point))
        for container in self.containers:
            finish_container(container)
        left = host.leftovers(self.token, self.directory, self.runtime.root)
        host.scrub(self.token, self.directory, self.runtime.root)
        return left


def finish_container(container: Container) -> None:
    """Deletes by force what the test left; a failure shows in the leftovers."""
    if container.exists:
        with contextlib.suppress(FailedError):
            container.delete("--force")
    container.close()


def attempt(check: Callable[[Case], None], case: Case) -> tuple[str, str]:
    """Runs one test and cleans up after it, also when interrupted; (outcome, reason)."""
    left: list[str] = []
    try:
        result = outcome_of(check, case)
    finally:
        left = case.finish()
    if left and result[0] == "pass":
        return ("fail", "left behind: " + ", ".join(left))
    return result


def outcome_of(check: Callable[[Case], None], case: Case) -> tuple[str, str]:
    """(outcome, reason) of one test."""
    try:
        check(case)
    except FailedError as error:
        return ("fail", str(error))
    except UnclaimedError as error:
        return ("unclaimed", str(error))
    except Exception as error:  # the other statements still want their turn
        return ("fail", f"the test could not go on: {error!r}")
    return ("pass", "")
