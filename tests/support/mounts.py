"""What the kernel says of the mounts of a namespace, and mount namespaces of a test's own.

Nothing here touches the mounts of the machine: what a test mounts for its container, it mounts in
a namespace that ends with the runtime's call.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.containers import Config, Container, MakeContainer, Result

MOUNTINFO = "/proc/self/mountinfo"
WRITABLE = {"readonly": False}


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo (proc_pid_mountinfo(5))."""

    mount_id: int
    parent_id: int
    root: str
    point: str
    options: frozenset[str]
    propagation: frozenset[str]
    kind: str
    source: str
    superblock: frozenset[str]


def parse_mountinfo(text: str) -> list[Mount]:
    """The mounts that such a file lists; lines of other output are passed over."""
    return [_parse_line(line) for line in text.splitlines() if " - " in line]


def _parse_line(line: str) -> Mount:
    left, _, right = line.partition(" - ")
    number, parent, _, root, point, options, *propagation = left.split(" ")
    kind, source, superblock = right.split(" ", 2)
    return Mount(
        mount_id=int(number),
        parent_id=int(parent),
        root=_decode(root),
        point=_decode(point),
        options=frozenset(options.split(",")),
        propagation=frozenset(word.partition(":")[0] for word in propagation),
        kind=kind,
        source=_decode(source),
        superblock=frozenset(superblock.split(",")),
    )


def _decode(word: str) -> str:
    raw, _ = codecs.escape_decode(word.encode())
    return str(raw.decode())


def mounts_at(mounts: list[Mount], point: str) -> list[Mount]:
    """The mounts at this path, the topmost last."""
    return [mount for mount in mounts if mount.point == point]


def mount_at(mounts: list[Mount], point: str) -> Mount:
    """The topmost mount at this path; AssertionError if there is none."""
    found = mounts_at(mounts, point)
    assert found, f"nothing is mounted on {point}"
    return found[-1]


def host_mounts() -> list[Mount]:
    """The mounts that we see ourselves."""
    return parse_mountinfo(Path(MOUNTINFO).read_text())


def in_namespace(
    container: Container,
    script: str,
    *words: str,
    propagation: str = "private",
    unshare: tuple[str, ...] = (),
    **settings: Any,  # noqa: ANN401
) -> Result:
    """Call the runtime in a mount namespace of its own, after a shell script has run there.

    Options of unshare(1) give it others, too. The script sees the test's directory as $D and the
    bundle as $B, and ends at the first error; what it leaves as $AFTER runs when the runtime has
    ended, whose status is the result's.
    """
    lines = f'set -e\n{script}\nset +e\n"$@"\nrc=$?\neval "${{AFTER:-:}}"\nexit $rc'
    command = ["unshare", "--mount", "--propagation", propagation, *unshare]
    command += ["sh", "-c", lines, "sh"]
    environment = container.environment | {
        "D": str(container.directory),
        "B": str(container.bundle.path),
    }
    command += [*container.program, *words]
    return container.run_command(command, env=environment, **settings)


def run_in_namespace(
    container: Container,
    script: str,
    *options: str,
    propagation: str = "private",
    unshare: tuple[str, ...] = (),
) -> Result:
    """`run` in the foreground, as `in_namespace` does it."""
    words = ["run", *options, "--bundle", str(container.bundle.path), container.id]
    return in_namespace(container, script, *words, propagation=propagation, unshare=unshare)


def create_in_namespace(container: Container, script: str, *options: str) -> None:
    """`create`, as `in_namespace` does it; AssertionError if it fails."""
    words = ["create", *options, "--bundle", str(container.bundle.path), container.id]
    with container.stdout_path.open("ab") as out, container.stderr_path.open("ab") as err:
        done = in_namespace(container, script, *words, stdout=out, stderr=err)
    assert done.rc == 0, container.read_stderr()


def mount(destination: str, kind: str = "", source: str = "", options: str = "") -> dict[str, Any]:
    """A mount of the config; what is empty is left out."""
    made: dict[str, Any] = {"destination": destination}
    if kind:
        made["type"] = kind
    if source:
        made["source"] = source
    if options:
        made["options"] = options.split()
    return made


def bind(destination: str, source: Path | str, options: str = "bind") -> dict[str, Any]:
    """A bind mount of the config."""
    return mount(destination, "none", str(source), options)


def with_mounts(
    container: MakeContainer,
    *args: str,
    mounts: tuple[dict[str, Any], ...],
    **overrides: Any,  # noqa: ANN401
) -> Container:
    """One that has these mounts after the default ones, which are seven; its root is writable."""
    overrides.setdefault("root", WRITABLE)
    return container(*args, mutate=lambda config: config["mounts"].extend(mounts), **overrides)


def run_mounts(
    container: MakeContainer, *mounts: dict[str, Any], root: Config = WRITABLE
) -> list[Mount]:
    """The mounts that a container sees which has these besides the default ones."""
    c = with_mounts(container, "cat", MOUNTINFO, mounts=mounts, root=root)
    return parse_mountinfo(c.run().ok().stdout)
