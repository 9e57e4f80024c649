"""`make test-clients-guest`: the tests marked `guest`, in a kernel with every controller.

There systemd makes the cgroups, limits can be set, and no capability is missing: what a host may
not allow. One guest a share of the files, two at a time, each printed when it has ended.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conformance.guest.jobs import Guest, Runner
from conformance.guest.main import end_on_sigterm
from conformance.guest.results import Part, render_summary

PACKAGES = (
    *("containerd", "conmon", "podman", "docker.io", "containernetworking-plugins", "iptables"),
)
OPTIONS = ("--kernel", "uml", "--systemd", "--memory", "3G")
TIMEOUT = 1800

# The longest first.
SHARES = (
    ("podman", ("test_podman.py",)),
    ("docker", ("test_docker.py",)),
    ("containerd", ("test_ctr.py", "test_cri.py")),
    ("conmon, rootless", ("test_conmon.py", "test_podman_rootless.py")),
)
HERE = Path("tests") / "clients"
VIEW = ("python3", "-B", "-m", "tests.clients.view")
PYTEST = (
    "python3",
    "-B",
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "-m",
    "clients and guest",
)


def package_options() -> tuple[str, ...]:
    """The options that give the image the clients."""
    return tuple(word for package in PACKAGES for word in ("--package", package))


def guest_environment(runtime: Path, libraries: Path) -> dict[str, str]:
    """The variables of the tests in a guest."""
    return {
        "PYOCI_STRICT_SKIPS": "1",
        "PYOCI_RUNTIME": str(runtime),
        "PYOCI_CLIENTS_DRIVER": "systemd",
        "PYTHONPATH": str(libraries),
    }


def run_share(runner: Runner, name: str, files: tuple[str, ...]) -> Part:
    """These files in a guest of their own."""
    guest = Guest((*OPTIONS, *package_options()), TIMEOUT)
    command = (*VIEW, *PYTEST, *(str(HERE / file) for file in files))
    return runner.run(f"uml, systemd: {name}", guest, command)


def run_all(runner: Runner) -> list[Part]:
    """All shares."""
    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, 2))) as pool:
        futures = [pool.submit(run_share, runner, *share) for share in SHARES]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runner.terminate()
            raise


def main() -> int:
    """Run everything and sum up; status 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="tests.clients.guest", description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True, help="a build for /usr/bin/python3")
    parser.add_argument("--libraries", type=Path, required=True, help="where pytest and grpc are")
    given = parser.parse_args()
    runtime, libraries = given.runtime.absolute(), given.libraries.absolute()
    signal.signal(signal.SIGTERM, end_on_sigterm)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guest-results.") as results:
        runner = Runner(Path(results), guest_environment(runtime, libraries), (libraries,))
        parts = run_all(runner)
    lines = [f"--- guests: {time.monotonic() - started:.0f} s ---", *render_summary(parts)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1 if any(part.failed for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
