"""Where labels are written to: a procfs that is one, of our own where the kernel grants it.

AppArmor itself is tested in a guest (tests/vm/test_apparmor.py).
"""

from __future__ import annotations

import errno
import os

import pytest

from pyoci.engine.labels import apply_label, open_procfs
from pyoci.errors import StepError
from pyoci.linux import fs, mount
from pyoci.linux.consts import (
    AT_FDCWD,
    AT_RECURSIVE,
    CLONE_NEWNS,
    CLONE_NEWPID,
    OPEN_TREE_CLONE,
    PROC_SUPER_MAGIC,
)
from pyoci.plan.labels import SetAppArmorProfile, SetSelinuxLabel
from tests.support.child import in_child, in_user_namespace

NO_LSM = not os.path.exists("/sys/module/apparmor") and not os.path.exists("/sys/fs/selinux")


def is_procfs(fd: int) -> bool:
    return fs.filesystem_type(fd) == PROC_SUPER_MAGIC and os.fstat(fd).st_ino == 1


def is_the_one_of_the_host(fd: int) -> bool:
    return fs.mount_id(fd) == fs.mount_id(os.open("/proc", os.O_PATH))


def cover_proc_with(path: str) -> None:
    """In a mount namespace of ours."""
    tree_fd = mount.open_tree_at(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE)
    mount.move_mount(tree_fd, os.open("/proc", os.O_PATH))


def test_a_user_namespace_alone_gets_the_hosts() -> None:
    """The kernel makes none for it: the pid namespace is not its own."""

    def look() -> tuple[bool, bool]:
        fd = open_procfs()
        return is_procfs(fd), is_the_one_of_the_host(fd)

    assert in_user_namespace(look) == (True, True)


def test_with_a_pid_namespace_it_is_our_own() -> None:
    def look() -> tuple[bool, bool]:
        def inside() -> tuple[bool, bool]:
            fd = open_procfs()
            return is_procfs(fd), is_the_one_of_the_host(fd)

        return in_child(inside)  # whoever unshares a pid namespace is not in it

    assert in_user_namespace(look, CLONE_NEWNS | CLONE_NEWPID) == (True, False)


@pytest.mark.parametrize("path", ["/proc/sys", "/proc/self/attr", "/dev", "/"])
def test_what_is_no_procfs_is_refused(path: str) -> None:
    """Not a part of procfs, either: its files could be called as those of a process."""

    def look() -> str:
        cover_proc_with(path)
        try:
            open_procfs()
        except StepError as error:
            return error.message
        return ""

    assert in_user_namespace(look) == "what is mounted on /proc is no procfs"


@pytest.mark.skipif(not NO_LSM, reason="a security module is there to take the label")
@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            SetAppArmorProfile(profile="p"),
            "`/proc/thread-self/attr/apparmor/exec`: ",
        ),
        (
            SetSelinuxLabel(attribute="exec", label="l"),
            "`/proc/thread-self/attr/exec`: the loaded policy has no such label",
        ),
    ],
)
def test_nobody_to_take_the_label(step: SetAppArmorProfile | SetSelinuxLabel, said: str) -> None:
    """A plan is refused before it comes to this, unless its facts were stale."""

    def apply() -> tuple[int, str]:
        try:
            apply_label(step)
        except StepError as error:
            return error.errno, error.message
        return 0, ""

    def inside() -> tuple[int, str]:
        return in_child(apply)

    number, message = in_user_namespace(inside, CLONE_NEWNS | CLONE_NEWPID)
    assert number in (errno.EINVAL, errno.ENOENT)
    assert message.startswith(said)


def test_nothing_stays_open() -> None:
    def count() -> int:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            os.close(open_procfs())
        return len(os.listdir("/proc/self/fd")) - before

    assert in_user_namespace(count) == 0
