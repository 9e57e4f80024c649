"""The launcher whose Python gives every warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.harness.strict import read_log, write_launcher

TEMPORARY = """
class Temporary:
    def __del__(self):
        raise ValueError("nobody catches this")
"""


def run(directory: Path, code: str) -> tuple[str, str]:
    """What the launcher of a runtime with this code prints to both streams, and its log."""
    runtime = directory / "runtime"
    runtime.write_text(f"#!{sys.executable} -IS\nimport sys\n{code}")
    launcher = write_launcher(directory, runtime)
    done = subprocess.run(
        [launcher, "a", "b c"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout, read_log(launcher)


def test_the_runtime_is_called_as_ever(tmp_path: Path) -> None:
    code = "print(sys.argv, sys.flags.dev_mode, sys.warnoptions)\n"
    expected = f"['{tmp_path}/runtime', 'a', 'b c'] True ['default']\n"
    assert run(tmp_path, code) == (expected, "")


@pytest.mark.parametrize(
    ("code", "logged"),
    [
        ("open('/dev/null')\n", "ResourceWarning: unclosed file"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)\n", "DeprecationWarning: old"),
        (f"{TEMPORARY}\nTemporary()\n", "ValueError: nobody catches this"),
    ],
)
def test_what_python_would_print_is_logged(code: str, logged: str, tmp_path: Path) -> None:
    output, log = run(tmp_path, code)
    assert output == ""
    assert logged in log
    assert log.endswith("\n")
    assert " a b c\n" in log
