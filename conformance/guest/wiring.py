"""What joins a running guest to this process: files and descriptors, the same for both kernels."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from conformance.guest.protocol import Share


@dataclass(frozen=True)
class Wiring:
    """The image, the directory of this run, and where the output goes."""

    image: Path
    work: Path
    shares: tuple[Share, ...]
    stdout_fd: int
    stderr_fd: int
    console_fd: int

    @property
    def control(self) -> Path:
        """The control directory (protocol.py)."""
        return self.work / "control"

    @property
    def console(self) -> Path:
        """What the kernel says."""
        return self.work / "console"
