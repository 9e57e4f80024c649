"""`pyoci seccomp` as a process: what it prints, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECCOMP = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["ioctl"],
            "action": "SCMP_ACT_TRAP",
            "args": [{"index": 1, "value": 0x5412, "op": "SCMP_CMP_EQ"}],
        },
    ],
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write(tmp_path, {"seccomp": SECCOMP})
    return tmp_path


def write(bundle: Path, linux: dict[str, Any]) -> None:
    config = {"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": linux}
    (bundle / "config.json").write_text(json.dumps(config))


def seccomp(bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """On a machine that is always the same; in a directory that the bundle's path is not about."""
    command = [sys.executable, "-B", "-m", "pyoci", "seccomp", "--machine", "aarch64"]
    return subprocess.run(
        [*command, *words[:1], str(bundle), *words[1:]], cwd=ROOT, text=True, capture_output=True,
        check=False, stdin=subprocess.DEVNULL, env={},
    )  # fmt: skip


def succeed(bundle: Path, *words: str) -> str:
    done = seccomp(bundle, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_whole_profile(bundle: Path) -> None:
    lines = succeed(bundle, "--format=text").splitlines()
    assert lines[0] == "machine   aarch64"
    assert "SCMP_ARCH_AARCH64 (native):" in lines
    assert "SCMP_ARCH_ARM:" in lines
    assert list(bundle.iterdir()) == [bundle / "config.json"]


def test_one_call(bundle: Path) -> None:
    assert succeed(bundle, "--format=text", "ioctl", "3", "0x5412") == (
        "SCMP_ARCH_AARCH64: ioctl (29)\n"
        "  SCMP_ACT_TRAP if arg1 == 0x5412  # linux.seccomp.syscalls[1]\n"
        "SCMP_ARCH_ARM: ioctl (54)\n"
        "  SCMP_ACT_TRAP if arg1 == 0x5412  # linux.seccomp.syscalls[1]\n"
    )
    # A number that begins with a dash is no option: the bundle ends them.
    assert "the default" in succeed(bundle, "--format=text", "ioctl", "-1")


def test_json(bundle: Path) -> None:
    whole = json.loads(succeed(bundle, "--format=json"))
    assert whole["default"] == "SCMP_ACT_ERRNO (EPERM)"
    assert [arch["name"] for arch in whole["arches"]] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    (one, two) = json.loads(succeed(bundle, "--format=json", "read"))
    assert (one["number"], two["number"]) == (63, 3)


@pytest.mark.parametrize(
    ("output", "said"), [("text", "linux.seccomp is not set"), ("json", "null")]
)
def test_without_a_profile(tmp_path: Path, output: str, said: str) -> None:
    write(tmp_path, {})
    assert succeed(tmp_path, f"--format={output}").startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-f=none.json",), "JSON specification file none.json not found"),
        (("--machine=m68k",), "no system call table for m68k"),
        (("--format=text", "nosuch"), "'nosuch' is no system call of SCMP_ARCH_AARCH64"),
        (("--format=text", "read", "x"), "'x' is no number"),
        (("--format=text", "read", *"1234567"), "a system call has 6 arguments at most"),
    ],
)
def test_refusals(bundle: Path, words: tuple[str, ...], said: str) -> None:
    done = seccomp(bundle, *words)
    assert done.returncode == 1
    assert done.stderr.startswith("pyoci: seccomp: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_profile_that_create_would_refuse(bundle: Path) -> None:
    write(bundle, {"seccomp": {**SECCOMP, "defaultAction": "SCMP_ACT_NOTIFY"}})
    done = seccomp(bundle, "--format=text")
    assert "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default" in done.stderr
