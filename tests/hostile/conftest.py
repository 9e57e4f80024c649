"""The hostile level: images, neighbours and damage that must not get at the host.

``python3 -m pytest tests/hostile --runtime runc`` tries any runtime with runc's command line. All
of it runs in mount, network, UTS and IPC namespaces of its own, in which nothing of the machine
but /tmp and the cgroups can be written: what a runtime fails at hits copies and sentinels only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.spec.runtime import make_runtime
from tests.root.conftest import (  # noqa: F401  (the fixtures are the root level's)
    applets,
    bundle,
    container,
    no_leaks,
    pyoci,
    runtime,
    subreaper,
    test_name,
)
from tests.support.hostile import confine, make_canary, take_picture
from tests.support.mounts import host_mounts


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests last: what follows them in one process is confined as they are."""
    items.sort(key=lambda item: Path(__file__).parent in item.path.parents)


@pytest.fixture(scope="session", autouse=True)
def confined(environment: dict[str, str], pytestconfig: pytest.Config) -> None:
    """Leave the machine behind before anything hostile is tried, but not before crun's library."""
    writable = [Path(tempfile.gettempdir())]
    if pytestconfig.pluginmanager.hasplugin("cacheprovider"):
        writable.append(pytestconfig.rootpath / str(pytestconfig.getini("cache_dir")))
        writable[-1].mkdir(exist_ok=True)
    confine(*writable)


@pytest.fixture(scope="session")
def environment(runtime: Path) -> dict[str, str]:  # noqa: F811
    """Where CAP_SYS_RESOURCE is missing crun 1.8 needs a library to run at all."""
    return make_runtime(runtime, None, runtime).environment


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host, which must be as it was when the test ends; so must the mounts."""
    path = make_canary(tmp_path)
    picture, mounts = take_picture(path), host_mounts()
    yield path
    assert take_picture(path) == picture
    assert host_mounts() == mounts
