"""Whether the tests run in a kernel of their own (conformance/guest)."""

from __future__ import annotations

import os


def is_guest() -> bool:
    """Whether the machine is a guest: nobody else uses it, and a process takes long to start."""
    return "GUEST_KERNEL" in os.environ
