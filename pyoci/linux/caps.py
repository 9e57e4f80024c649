"""The capability sets of our process: capget(2), capset(2) and the bounding and ambient sets.

Sets are ints with bit n for capability n.
"""

from __future__ import annotations

import errno
import sys

from pyoci.linux import prctl
from pyoci.linux.consts import LINUX_CAPABILITY_VERSION_3
from pyoci.linux.libc import buffer, call, function

_capset = function("capset", 2)
_capget = function("capget", 2)
_HEADER = LINUX_CAPABILITY_VERSION_3.to_bytes(4, sys.byteorder) + bytes(4)


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set the three per-thread sets (capset(2))."""
    words = []
    for shift in (0, 32):
        words += [effective >> shift, permitted >> shift, inheritable >> shift]
    data = b"".join([(word & 0xFFFFFFFF).to_bytes(4, sys.byteorder) for word in words])
    call(_capset, _HEADER, data)


def capget() -> tuple[int, int, int]:
    """Our effective, permitted and inheritable sets (capget(2))."""
    data = buffer(24)
    call(_capget, _HEADER, data)
    raw = bytes(data)
    words = [int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, 24, 4)]
    return words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32


def drop_bounding(keep: int) -> None:
    """Remove every capability from the bounding set that is not in `keep`.

    One that is not there needs no removing: without CAP_SETPCAP this works as
    long as nothing has to be dropped.
    """
    for number in range(64):
        if keep >> number & 1:
            continue
        try:
            prctl.drop_bounding_capability(number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # past the kernel's last capability
                return
            if _is_bounding(number):
                raise


def _is_bounding(number: int) -> bool:
    """Whether a capability is in the bounding set; one that the kernel does not know is not."""
    try:
        return bool(prctl.read_bounding_capability(number))
    except OSError:  # EINVAL
        return False


def set_ambient(wanted: int) -> None:
    """Make the ambient set exactly this."""
    prctl.clear_ambient_capabilities()
    for number in range(64):
        if wanted >> number & 1:
            prctl.raise_ambient_capability(number)
