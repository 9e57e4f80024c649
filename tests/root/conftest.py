"""Fixtures of the root level: a runtime, bundles and containers, and a search for leaks after each.

--runtime, or PYOCI_RUNTIME, names the runtime under test (default: build/pyoci); the tests of what
runc and crun do alike can be pointed at those, too.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.root.harness import Watch, become_subreaper, make_cgroup_parent
from tests.support.containers import (
    BUSYBOX,
    Bundle,
    Config,
    Container,
    MakeBundle,
    MakeContainer,
    make_applets,
    make_config,
)
from tests.support.rootless import delegated, rootless  # noqa: F401  (fixtures)

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def subreaper() -> None:
    """Orphans of the tests are ours."""
    become_subreaper()


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest) -> Path:
    """The runtime under test."""
    given = request.config.getoption("--runtime") or os.environ.get("PYOCI_RUNTIME")
    path = Path(shutil.which(given) or given).absolute() if given else ROOT / "build" / "pyoci"
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not built: run `make build`")
    return path


@pytest.fixture(scope="session")
def pyoci(runtime: Path) -> Path:
    """The runtime under test, for what only pyoci promises; any other is skipped."""
    said = subprocess.run([runtime, "--version"], capture_output=True, text=True, check=True).stdout
    if not said.startswith("pyoci "):
        pytest.skip(f"is about pyoci, not {said.splitlines()[0]}")
    return runtime


@pytest.fixture(scope="session")
def applets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of busybox under all its names."""
    if not os.access(BUSYBOX, os.X_OK):
        pytest.skip(f"needs {BUSYBOX} (Debian: busybox-static)")
    directory = tmp_path_factory.mktemp("busybox") / "bin"
    make_applets(directory)
    return directory


@pytest.fixture
def test_name() -> str:
    """A name that no other test of this machine has; good for containers and cgroups."""
    return f"pyoci-test-{os.getpid()}-{next(NUMBERS)}"


@pytest.fixture(autouse=True)
def no_leaks(tmp_path: Path, test_name: str) -> Iterator[None]:
    """After the test: no process, mount, cgroup, state or descriptor that was not there before."""
    watch = Watch(tmp_path, make_cgroup_parent(test_name))
    yield
    leaks = watch.find_leaks()
    assert leaks == []


@pytest.fixture
def bundle(tmp_path: Path, test_name: str, applets: Path) -> MakeBundle:
    """Makes bundles: bundle("sh", "-c", "...", process={"cwd": "/tmp"}, mutate=function).

    Overrides are merged into the default config: None removes a member, a list replaces one.
    """
    return functools.partial(_make_bundle, tmp_path, test_name, applets)


def _make_bundle(
    directory: Path,
    test_name: str,
    applets: Path,
    *args: str,
    name: str = "",
    mutate: Callable[[Config], object] | None = None,
    **overrides: Any,  # noqa: ANN401
) -> Bundle:
    path = directory / (name or f"bundle-{next(NUMBERS)}")
    path.mkdir()
    config = make_config(args, overrides)
    if isinstance(config.get("linux"), dict):
        config["linux"].setdefault("cgroupsPath", f"/{test_name}/{path.name}")
    if mutate is not None:
        mutate(config)
    return Bundle(path, applets, config)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """What the runtime is called with besides PATH."""
    return {}


@pytest.fixture
def container(
    runtime: Path, environment: dict[str, str], tmp_path: Path, test_name: str, bundle: MakeBundle
) -> Iterator[MakeContainer]:
    """Makes containers (see `bundle`); each is deleted by force at the end of the test."""
    with contextlib.ExitStack() as stack:

        def make(*args: str, bundle: Bundle | None = None, **options: Any) -> Container:  # noqa: ANN401
            made = make_bundle(*args, **options) if bundle is None else bundle
            container = Container(runtime, tmp_path, made, f"{test_name}.{next(NUMBERS)}")
            container.environment |= environment
            stack.callback(container.clean_up)
            return container

        make_bundle = bundle
        yield make
