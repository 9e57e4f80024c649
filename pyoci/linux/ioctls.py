"""Numbers of ioctl(2) whose bits depend on the machine (asm/ioctl.h, asm/ioctls.h).

The direction of what is passed is a part of the number; POWER and MIPS, among others, have other
bits for it than everybody else: none is 1, read 2, write 4 from bit 29 on, not 0, 2, 1 from bit 30.
"""

from __future__ import annotations

_COMMON = {
    "NS_GET_NSTYPE": 0x0000B703,
    "TIOCGPTN": 0x80045430,
    "TIOCSPTLCK": 0x40045431,
    "TIOCGPTPEER": 0x00005441,
}
_OTHER = {
    "NS_GET_NSTYPE": 0x2000B703,
    "TIOCGPTN": 0x40045430,
    "TIOCSPTLCK": 0x80045431,
    "TIOCGPTPEER": 0x20005441,
}
_OTHER_MACHINES = ("ppc", "mips")  # as uname(2) has them: ppc64le, mips64, ...


def numbers(machine: str) -> dict[str, int]:
    """The numbers by their names, on a machine of this name (uname(2))."""
    return _OTHER if machine.startswith(_OTHER_MACHINES) else _COMMON
