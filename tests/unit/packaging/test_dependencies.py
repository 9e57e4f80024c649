"""packaging/dependencies.sh knows every list of packages that the Makefile asks it for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "packaging/dependencies.sh"


def test_every_list_that_make_asks_for_is_known() -> None:
    asked = set(
        re.findall(r"packaging/dependencies\.sh (\S+)", (REPOSITORY / "Makefile").read_text())
    )
    known = set(re.findall(r"^    (\w+)\) wanted=", SCRIPT.read_text(), re.MULTILINE))
    assert asked == known


def test_another_is_a_usage_error() -> None:
    done = subprocess.run([SCRIPT, "kitchen"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"usage: {SCRIPT} demo|test|guest|clients\n")
