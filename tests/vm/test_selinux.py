"""SELinux for real: the labels that processes, mounts and keys get, by the kernel's own account."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import Container, MakeContainer
from tests.support.selinux_policy import load_policy

pytestmark = pytest.mark.selinux

SELINUXFS = Path("/sys/fs/selinux")
PROCESS = "system_u:system_r:container_t:s0:c1,c2"
OTHER = "system_u:system_r:other_t:s0:c3"
FILES = "system_u:object_r:container_file_t:s0:c1,c2"
BASE = "system_u:system_r:base_t:s0"
OWN = "cat /proc/self/attr/current"
LIBC = ctypes.CDLL(None)
SYS_KEYCTL, KEYCTL_GET_SECURITY = 250, 17  # of x86_64; linux/keyctl.h


@pytest.fixture(autouse=True, scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The policy, loaded once: it stays for as long as the guest runs."""
    if not (SELINUXFS / "load").exists():
        subprocess.run(["mount", "-t", "selinuxfs", "none", SELINUXFS], check=True)
    load_policy(tmp_path_factory.mktemp("policy"))


def label_of(path: str) -> str:
    return os.getxattr(path, "security.selinux").rstrip(b"\0").decode()


@pytest.fixture
def labelled(pyoci: Path, container: MakeContainer) -> Container:
    """A container that has labels and runs."""
    c = container(
        "sh",
        "-c",
        f"{OWN}; exec sleep 1000",
        process={"selinuxLabel": PROCESS},
        linux={"mountLabel": FILES},
    )
    c.run_detached().ok()
    return c


@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_the_process(pyoci: Path, container: MakeContainer, no_new_privileges: bool) -> None:
    process = {"selinuxLabel": PROCESS, "noNewPrivileges": no_new_privileges}
    c = container("sh", "-c", OWN, process=process)
    assert c.run().ok().stdout.rstrip("\0") == PROCESS


def test_without_a_label_it_is_ours(pyoci: Path, container: MakeContainer) -> None:
    assert container("sh", "-c", OWN).run().ok().stdout.rstrip("\0") == BASE


def test_mounts(labelled: Container) -> None:
    root = f"/proc/{labelled.pid}/root"
    for path in ("dev", "dev/pts", "dev/shm", "dev/mqueue", "proc/acpi"):
        assert label_of(f"{root}/{path}") == FILES, path
    # What only the policy labels.
    assert label_of(f"{root}/proc") == "system_u:object_r:base_t:s0"
    mounts = Path(f"/proc/{labelled.pid}/mountinfo").read_text()
    assert mounts.count(f'context="{FILES}"') >= 3


def test_a_mount_with_a_context_of_its_own(pyoci: Path, container: MakeContainer) -> None:
    own = "system_u:object_r:other_t:s0:c1,c3"
    mount = {"destination": "/m", "type": "tmpfs", "source": "tmpfs"}
    proc = {"destination": "/proc", "type": "proc", "source": "proc"}
    mounts = [proc, {**mount, "options": [f'context="{own}"']}]
    c = container("grep", " /m ", "/proc/self/mounts", mounts=mounts, linux={"mountLabel": FILES})
    assert f'context="{own}"' in c.run().ok().stdout


def test_the_keyring(pyoci: Path, container: MakeContainer) -> None:
    c = container("sleep", "1000", process={"selinuxLabel": PROCESS})
    c.run_detached().ok()
    keys = Path("/proc/keys").read_text().splitlines()
    (number,) = {int(key.split()[0], 16) for key in keys if f"_ses.{c.id}" in key}
    label = ctypes.create_string_buffer(256)
    assert LIBC.syscall(SYS_KEYCTL, KEYCTL_GET_SECURITY, number, label, len(label)) > 0
    assert label.value.decode() == PROCESS


def test_exec(labelled: Container, tmp_path: Path) -> None:
    assert labelled.exec("sh", "-c", OWN).ok().stdout.rstrip("\0") == PROCESS
    other = labelled.exec("sh", "-c", OWN, options=("--process-label", OTHER))
    assert other.ok().stdout.rstrip("\0") == OTHER
    process = {"args": ["sh", "-c", OWN], "cwd": "/", "env": ["PATH=/bin"], "selinuxLabel": OTHER}
    file = tmp_path / "process.json"
    file.write_text(json.dumps(process))
    done = labelled.call("exec", "--process", str(file), labelled.id)
    assert done.ok().stdout.rstrip("\0") == OTHER


@pytest.mark.parametrize("label", ["nonsense", "system_u:system_r:nosuch_t:s0"])
def test_a_label_that_the_policy_does_not_know(
    pyoci: Path, container: MakeContainer, label: str
) -> None:
    c = container("true", process={"selinuxLabel": label})
    c.create().failed(
        "`/proc/thread-self/attr/keycreate`: the loaded policy has no such label",
        "(process.selinuxLabel)",
    )
    c.assert_gone()
