"""Numbers of ioctl(2), put together as the kernel's headers do it on each machine."""

from __future__ import annotations

import fcntl
import os
import pty

import pytest

from pyoci.linux import tty
from pyoci.linux.ioctls import numbers

NONE, READ, WRITE = "none", "read", "write"
# asm/ioctl.h: the bits of a direction, and where they are.
GENERIC = ({NONE: 0, WRITE: 1, READ: 2}, 30)
OTHER = ({NONE: 1, READ: 2, WRITE: 4}, 29)
MACHINES = {
    **dict.fromkeys(("x86_64", "i686", "aarch64", "armv7l", "riscv64", "s390x"), GENERIC),
    **dict.fromkeys(("loongarch64",), GENERIC),
    **dict.fromkeys(("ppc", "ppc64", "ppc64le", "mips", "mips64"), OTHER),
}
# linux/nsfs.h, asm/ioctls.h: direction, type, number, size of what is passed.
DEFINITIONS = {
    "NS_GET_NSTYPE": (NONE, 0xB7, 3, 0),
    "TIOCGPTN": (READ, ord("T"), 0x30, 4),
    "TIOCSPTLCK": (WRITE, ord("T"), 0x31, 4),
    "TIOCGPTPEER": (NONE, ord("T"), 0x41, 0),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers(machine: str) -> None:
    bits, shift = MACHINES[machine]
    wanted = {
        name: bits[direction] << shift | size << 16 | kind << 8 | number
        for name, (direction, kind, number, size) in DEFINITIONS.items()
    }
    assert numbers(machine) == wanted


def test_the_kernel_knows_ours() -> None:
    master, slave = pty.openpty()
    try:
        assert os.ttyname(slave) == f"/dev/pts/{tty.number_of_pty(master)}"
        tty.unlock_pty(master)
        peer = tty.open_peer(master)
        assert os.path.sameopenfile(peer, slave)
        assert not os.get_inheritable(peer)
        os.close(peer)
        with open("/proc/self/ns/uts", "rb") as namespace:
            kind = fcntl.ioctl(namespace, numbers(os.uname().machine)["NS_GET_NSTYPE"])
        assert kind == 0x04000000
    finally:
        os.close(master)
        os.close(slave)
