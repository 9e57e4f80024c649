"""The level of the clients: real daemons drive pyoci and a control, Debian's runc, in turn.

`make test-clients` runs it in a view of its own (view.py). Every test takes the fixture of a client
and so runs once with each runtime. records.toml lists the tests that fail, and why; the outcome of
all is printed as a table at the end, and written to PYOCI_CLIENTS_TABLE if that is set.

With PYOCI_CLIENTS_STRICT=1, pyoci alone: its Python gives every warning, and there is none.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.clients.harness.containerd import Containerd, Ctr
from tests.clients.harness.docker import Dockerd
from tests.clients.harness.image import write_images
from tests.clients.harness.machine import has_limits, read_facts
from tests.clients.harness.podman import PodmanHome
from tests.clients.harness.records import (
    RECORDS,
    Outcome,
    find_record,
    judge,
    parse_name,
    parse_records,
    render_table,
)
from tests.clients.harness.snippets import INSTALLED
from tests.clients.harness.strict import read_log, write_launcher
from tests.clients.view import is_private

ROOT = Path(__file__).resolve().parents[2]
CONTROL = Path("/usr/sbin/runc")
NOBODY = 65534
IS_STRICT = os.environ.get("PYOCI_CLIENTS_STRICT", "") not in ("", "0")
RUNTIMES = ("pyoci",) if IS_STRICT else ("pyoci", "runc")
NUMBERS = itertools.count(1)
OUTCOMES: list[Outcome] = []
PACKAGES = {
    "containerd": "containerd",
    "podman": "podman",
    "conmon": "conmon",
    "dockerd": "docker.io",
    "runc": "runc",
}

# requirements-clients.txt has it: other environments collect this level only to leave it out.
HAVE_GRPC = importlib.util.find_spec("grpc") is not None
collect_ignore = [] if HAVE_GRPC else ["test_cri.py"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this level."""
    config.addinivalue_line("markers", "limits: needs the controllers of cgroup v2 (a guest)")
    config.addinivalue_line("markers", "guest: runs in the guest, too, with systemd's driver")


def runtime_of(item: pytest.Item) -> str:
    """The runtime that a test is parametrized with; empty if with none."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("runtime_name", "")) if callspec else ""


def find_own(item: pytest.Item) -> tuple[str, str, str]:
    """The test's file, its name without the runtime in brackets, and the runtime."""
    runtime = runtime_of(item)
    file = item.path.name
    name = item.name.replace(f"[{runtime}]", "").replace(f"[{runtime}-", "[")
    return file, name, runtime


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is on record must fail; what needs limits is left out where none can be set."""
    records = parse_records(RECORDS.read_text())
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        file, name, runtime = find_own(item)
        record = find_record(records, f"{file}::{name}", runtime, read_facts())
        if record:
            item.add_marker(pytest.mark.xfail(reason=record.reason, strict=True))
        if item.get_closest_marker("limits") and not has_limits():
            reason = "needs the controllers of cgroup v2: make test-clients-guest"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what came of a test for the table."""
    report = yield
    file, name, runtime = find_own(item)
    if runtime and (report.when == "call" or report.failed or report.skipped):
        client, operation = parse_name(file, name)
        recorded = item.get_closest_marker("xfail") is not None
        word = judge(report.outcome, recorded=recorded)
        OUTCOMES.append(Outcome(client, operation, runtime, word))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table."""
    if not OUTCOMES:
        return
    lines = render_table(OUTCOMES, RUNTIMES)
    for line in lines:
        terminalreporter.write_line(line)
    if path := os.environ.get("PYOCI_CLIENTS_TABLE"):
        Path(path).write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """All the programs that the tests drive, and the view that they are driven in."""
    assert is_private(), "run these tests by `make test-clients`: they need a view of their own"
    assert HAVE_GRPC, "run these tests by `make test-clients`: test_cri.py needs grpcio"
    missing = [package for name, package in PACKAGES.items() if not shutil.which(name)]
    assert not missing, f"not installed: {' '.join(missing)} (packaging/dependencies.sh clients)"


@pytest.fixture(scope="session")
def installed(programs: None, directory: Path) -> Iterator[Path]:
    """pyoci where the documentation says it is; the directory is the view's own."""
    del programs
    path = Path(os.environ.get("PYOCI_RUNTIME") or ROOT / "build" / "pyoci").absolute()
    assert os.access(path, os.X_OK), f"{path} is not built: run `make build`"
    INSTALLED.unlink(missing_ok=True)
    INSTALLED.symlink_to(write_launcher(directory, path) if IS_STRICT else path)
    yield INSTALLED
    if IS_STRICT:
        assert read_log(INSTALLED.resolve()) == ""


@pytest.fixture(scope="session", params=RUNTIMES)
def runtime_name(request: pytest.FixtureRequest) -> str:
    """The runtime under test, or the control."""
    return str(request.param)


@pytest.fixture(scope="session")
def runtime(runtime_name: str, installed: Path) -> Path:
    """Its path."""
    return installed if runtime_name == "pyoci" else CONTROL


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    """A directory with a name so short that sockets fit below it."""
    made = tempfile.mkdtemp(prefix="pyoci-c.", dir="/tmp")
    yield Path(made)
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def images(directory: Path) -> list[Path]:
    """Busybox and the pause image, as files to load."""
    (directory / "images").mkdir()
    return write_images(directory / "images")


@pytest.fixture
def prefix(runtime_name: str) -> str:
    """The beginning of the names of one test's containers."""
    return f"{runtime_name}-{next(NUMBERS)}"


@pytest.fixture(scope="session")
def containerd(directory: Path, installed: Path, images: list[Path]) -> Iterator[Containerd]:
    """One containerd for all tests: it knows both runtimes."""
    del installed
    (directory / "containerd").mkdir()
    containerd = Containerd(directory / "containerd", images)
    yield containerd
    containerd.stop()


@pytest.fixture
def ctr(containerd: Containerd, runtime: Path, prefix: str) -> Iterator[Ctr]:
    """ctr with one of the runtimes; its containers go when the test ends."""
    client = Ctr(containerd, runtime, prefix)
    yield client
    client.clean_up()


@pytest.fixture(scope="session")
def dockerd(directory: Path, installed: Path, images: list[Path]) -> Iterator[Dockerd]:
    """One Docker daemon for all tests: it knows both runtimes."""
    del installed
    (directory / "docker").mkdir()
    dockerd = Dockerd(directory / "docker", images)
    yield dockerd
    dockerd.stop()


@pytest.fixture(scope="session")
def podman_home(directory: Path, installed: Path, images: list[Path]) -> Iterator[PodmanHome]:
    """Root's storage and configuration for Podman."""
    del installed
    (directory / "podman").mkdir()
    home = PodmanHome(directory / "podman", CONTROL, images)
    yield home
    home.remove()


@pytest.fixture(scope="session")
def rootless_home(directory: Path, installed: Path, images: list[Path]) -> Iterator[PodmanHome]:
    """Storage and configuration for Podman of the user nobody."""
    del installed
    for path in (directory, directory / "images", *images):
        path.chmod(0o755)
    (directory / "rootless").mkdir()
    home = PodmanHome(directory / "rootless", CONTROL, images, NOBODY)
    yield home
    home.remove()
