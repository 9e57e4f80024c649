"""Masked and read-only paths, and an image that wants them to miss.

R-MASK-1 (CVE-2025-31133); the races are in test_races.py (R-MASK-3).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.containers import MakeContainer
from tests.support.hostile import WAYS, WRITABLE, refused, ways_out


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["maskedPaths", "readonlyPaths"])
def test_hidden_paths_below_a_symlink_that_leads_out(
    container: MakeContainer, canary: Path, way: str, what: str
) -> None:
    linux = {what: ["/link", "/link/file", "/link/sub", "/link/new"]}
    c = container("echo", "ran", root=WRITABLE, linux=linux)
    (c.bundle.rootfs / "link").symlink_to(ways_out(canary, 0)[way])
    done = c.run()
    if done.rc == 0:
        assert done.stdout == "ran\n"
    else:  # the ways through procfs are magic
        refused(done, f"linux.{what}[", "ELOOP")
        assert "procfs" in way or "cwd" in way
