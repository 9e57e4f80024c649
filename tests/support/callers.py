"""How the programs that call a runtime read what it says: their parsers, written again.

Each is after the behaviour of the program named above it, not after our output. Those that take a
text search in it; those that take bytes decode them, and fail as the program does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

# --- go-runc


@dataclass
class Container:
    """The members that go-runc's Container has."""

    id: str
    pid: int
    status: str
    bundle: str
    rootfs: str
    created: datetime
    annotations: dict[str, str]


def parse_time(text: str) -> datetime:
    """RFC 3339 as Go's time.Time decodes it; Python takes six digits of a second at most."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    assert match, text
    fraction = (match[2] or "0")[:6]
    return datetime.fromisoformat(f"{match[1]}.{fraction:0<6}{match[3].replace('Z', '+00:00')}")


def read_container(output: bytes) -> Container:
    """`state`, from stdout and stderr together."""
    found = json.loads(output)
    return Container(
        found["id"],
        found["pid"],
        found["status"],
        found["bundle"],
        found["rootfs"],
        parse_time(found["created"]),
        found.get("annotations") or {},
    )


def read_list(output: bytes) -> list[Container]:
    """`list --format=json`; null is an empty list."""
    return [read_container(json.dumps(item).encode()) for item in json.loads(output) or []]


def read_pids(output: bytes) -> list[int]:
    """`ps --format json`, from stdout and stderr together."""
    pids = json.loads(output)
    assert all(type(pid) is int for pid in pids)
    return list(pids)


def read_top(output: bytes) -> tuple[list[str], list[list[str]]]:
    """`ps --format table`: the titles, and rows of as many cells; the last takes what is left."""
    lines = output.decode().strip().split("\n")
    titles = lines[0].split()
    assert "PID" in titles
    rows = [line.split(None, len(titles) - 1) for line in lines[1:]]
    assert all(len(row) == len(titles) for row in rows)
    return titles, rows


def read_pid_file(path: Path) -> int:
    """The pid file: strconv.Atoi of the whole content."""
    content = path.read_bytes()
    assert re.fullmatch(rb"[+-]?\d+", content), content
    return int(content)


def read_event(line: bytes) -> dict[str, Any]:
    """One event."""
    event: dict[str, Any] = json.loads(line)
    assert isinstance(event["type"], str)
    assert isinstance(event["id"], str)
    return event


def read_version_of_go_runc(output: str) -> dict[str, str]:
    """`--version`: empty where the program's name is not runc, which is no error."""
    first, *rest = output.strip().split("\n")
    found = {
        "runc": first.removeprefix("runc version ") if first.startswith("runc version ") else ""
    }
    for line in rest:
        for name in ("commit", "spec"):
            if line.startswith(f"{name}: "):
                found[name] = line.removeprefix(f"{name}: ")
    return found


# --- containerd's shim


class NotFound(Exception):  # noqa: N818  (its name there)
    """The error that the shim's client takes for `is gone already`."""


def read_last_error(path: Path) -> str:
    """The last entry of level error in log.json; its entries must all be JSON with a time."""
    decoder, text, found = json.JSONDecoder(), path.read_text(), ""
    while text := text.lstrip():
        entry, end = decoder.raw_decode(text)
        parse_time(entry["time"])
        text = text[end:]
        if entry["level"] == "error":
            found = entry["msg"]
    return found or "OCI runtime create failed: unable to retrieve OCI runtime error"


def check_kill_error(text: str) -> None:
    """What the shim makes of a `kill` that failed: NotFound, or any other error."""
    gone = ("os: process already finished", "container not running")
    if any(words in text for words in gone) or "no such process" in text.lower():
        raise NotFound("process already finished")
    if "does not exist" in text:
        raise NotFound("no such container")
    raise AssertionError(text)


def is_deleted(text: str) -> bool:
    """Whether a `delete` that failed with this text is taken for a success."""
    return "does not exist" in text


# --- Docker's daemon


def docker_exit_code(text: str) -> int:
    """The exit status of a container, or an exec, that could not be started."""
    lower = text.lower()
    unknown = ("executable file not found", "no such file or directory")
    if any(words in lower for words in (*unknown, "failed to run runc create/exec call")):
        code = 127
    elif "permission denied" in lower or "is a directory" in lower:
        code = 126
    elif "not a directory" in lower:
        code = 127
    else:
        code = 128
    return code


def docker_hints_at_mounts(text: str) -> bool:
    """Whether it asks `Are you trying to mount a directory onto a file (or vice-versa)?`."""
    return "not a directory" in text.lower()


def read_version_of_docker(output: str) -> tuple[str, str, str]:
    """`--version`: name, version and commit; ValueError if it finds neither of these."""
    name = version = commit = ""
    for line in output.strip().split("\n"):
        if "version" in line:
            parts = line.split("version")
            name, version = parts[0].strip(), parts[-1].strip()
        elif line.startswith("commit:"):
            commit = line.removeprefix("commit:").strip()
    if not (version or commit):
        raise ValueError(output)
    return name, version, commit


# --- Podman


def podman_message(log: Path) -> str:
    """The message out of the log of one call: one JSON object is the whole file."""
    entry = json.loads(log.read_text())
    assert entry["level"] == "error"
    return str(entry["msg"])


def podman_exit_code(text: str) -> int:
    """The exit status of `podman run` for a runtime's error with this text."""
    if re.search(r"`/proc/[a-z0-9-].+/attr.*`", text):
        return 126
    if re.search(r"permission denied|operation not permitted", text, re.IGNORECASE):
        return 126
    missing = r"executable file not found in|no such file or directory|open executable"
    return 127 if re.search(missing, text, re.IGNORECASE) else 125


def podman_can_checkpoint(status: int) -> bool:
    """From `checkpoint --help`."""
    return status == 0


def podman_can_restore_pods(output: str) -> bool:
    """From `restore --lsm-mount-context` without a value, stdout and stderr together."""
    return "flag needs an argument" in output or "requires an argument" in output


# --- conmon


def conmon_message(stderr: bytes) -> str:
    """What it passes up of a create that failed."""
    return stderr[:8192].decode()


# --- CRI-O


def crio_is_gone(stderr: str) -> bool:
    """Whether a `kill` that failed found nobody."""
    return any(
        words in stderr for words in ("no such process", "container not running", "invalid process")
    )


def crio_features(combined: bytes) -> dict[str, Any]:
    """`features`, from stdout and stderr together; both versions must be there."""
    found: dict[str, Any] = json.loads(combined)
    assert found["ociVersionMin"]
    assert found["ociVersionMax"]
    return found


def crio_state(status: int, stdout: bytes) -> tuple[str, int]:
    """Status and exit code that a container has after a `state`: any failure is a stop."""
    if status:
        return "stopped", 255
    found = json.loads(stdout)
    parse_time(found["created"])
    return found["status"], 0
