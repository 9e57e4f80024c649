"""A container of a whole distribution: Debian, as mmdebstrap makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Container, MakeBundle, MakeContainer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root filesystem of Debian with apt and python3."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    rootfs = tmp_path_factory.mktemp("debian") / "rootfs"
    # In a mount namespace of its own: what it mounts for its packages' scripts stays there.
    command = ["unshare", "--mount", "--propagation", "private", "mmdebstrap", "--quiet"]
    options = ["--mode=root", "--variant=apt", "--include=python3", "bookworm", str(rootfs)]
    subprocess.run([*command, *options], check=True, stdin=subprocess.DEVNULL, timeout=600)
    rootfs.parent.chmod(0o755)
    yield rootfs
    shutil.rmtree(rootfs)


@pytest.fixture
def inside(debian: Path, bundle: MakeBundle, container: MakeContainer) -> MakeContainer:
    """Makes containers of it: inside("bash", "-c", "...")."""

    def make(*args: str, **overrides: Any) -> Container:  # noqa: ANN401
        made = bundle(*args, root={"path": str(debian), "readonly": False}, **overrides)
        return container(bundle=made)

    return make


def test_bash_sees_debian(inside: MakeContainer) -> None:
    script = '. /etc/os-release; echo "$ID $BASH" $((6 * 7)); echo "$HOME" "${#BASHPID}"'
    assert inside("bash", "-c", script).run().ok().stdout == "debian /usr/bin/bash 42\n/root 1\n"


def test_apt_cache_knows_the_archive(inside: MakeContainer) -> None:
    said = inside("apt-cache", "policy", "bash").run().ok().stdout
    assert "Installed: 5." in said


def test_python_imports_threads_and_subprocesses(inside: MakeContainer) -> None:
    program = (
        "import os, json, ssl, sqlite3, subprocess, threading\n"
        "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
        "print(subprocess.check_output(['id', '-u'], text=True).strip(), os.getpid())\n"
        "print(json.dumps(sorted(os.listdir('/dev/pts')))[:12])\n"
    )
    assert inside("python3", "-c", program).run().ok().stdout == 'thread\n0 1\n["ptmx"]\n'


def test_the_images_own_users_and_files(debian: Path, inside: MakeContainer) -> None:
    """dpkg and the user database work, and what is written stays in the rootfs."""
    script = (
        "dpkg --verify bash && getent passwd www-data && echo kept >/srv/kept && ls -l /dev/ptmx"
    )
    said = inside("bash", "-c", script).run().ok().stdout
    assert said.startswith("www-data:x:33:33")
    assert said.endswith("/dev/ptmx -> pts/ptmx\n")
    assert (debian / "srv" / "kept").read_text() == "kept\n"
    assert os.stat(debian / "dev" / "null").st_rdev in (0, os.makedev(1, 3))
