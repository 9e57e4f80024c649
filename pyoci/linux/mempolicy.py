"""The NUMA memory policy of our process: set_mempolicy(2)."""

from __future__ import annotations

import sys

from pyoci.linux.libc import number_of, syscall

_LONG_BYTES = 8 if sys.maxsize > 0x7FFFFFFF else 4


def set_mempolicy(mode: int, nodes: tuple[int, ...]) -> None:
    """Set the MPOL_ mode, flags included, on these nodes (set_mempolicy(2)); it outlives execve.

    OSError: EINVAL for a mode or node that the kernel does not know, ENOSYS without NUMA.
    """
    if not nodes:
        syscall(number_of("set_mempolicy"), mode, None, 0)
        return
    # The mask is an array of unsigned long, each in the machine's byte order.
    bits = _LONG_BYTES * 8
    count = max(nodes) // bits + 1
    words = [0] * count
    for node in nodes:
        words[node // bits] |= 1 << node % bits
    mask = b"".join([word.to_bytes(_LONG_BYTES, sys.byteorder) for word in words])
    # The kernel takes one bit less than it is told (get_nodes in mm/mempolicy.c).
    syscall(number_of("set_mempolicy"), mode, mask, count * bits + 1)
