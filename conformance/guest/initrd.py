"""The initial RAM disk of the QEMU guest: busybox and the modules that reach the root disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from conformance.guest.errors import GuestError
from conformance.guest.recipe import BOOT_MODULES, SCRIPTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DIRECTORY, PROGRAM, FILE = 0o040755, 0o100755, 0o100644


@dataclass(frozen=True)
class Entry:
    """One file of an archive; the mode has its type."""

    name: str
    mode: int
    data: bytes = b""


def parse_dependencies(modules_dep: str) -> dict[str, list[str]]:
    """modules.dep(5): which modules each module needs."""
    dependencies = {}
    for line in modules_dep.splitlines():
        path, _, needs = line.partition(":")
        dependencies[path] = needs.split()
    return dependencies


def order_modules(dependencies: dict[str, list[str]], names: Iterable[str]) -> list[str]:
    """The paths of these modules and of all they need, each after its own needs."""
    by_name = {PurePosixPath(path).stem.replace("-", "_"): path for path in dependencies}
    order: dict[str, None] = {}

    def add(path: str) -> None:
        for need in dependencies[path]:
            add(need)
        order[path] = None

    for name in names:
        if name not in by_name:
            raise GuestError(f"the kernel has no module {name}")
        add(by_name[name])
    return list(order)


def pack_cpio(entries: Iterable[Entry]) -> bytes:
    """An archive in the format newc, which the kernel unpacks (initramfs buffer format)."""
    archive = bytearray()
    for inode, entry in enumerate((*entries, Entry("TRAILER!!!", 0)), 1):
        name = entry.name.encode() + b"\0"
        size = len(entry.data)
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        fields = (inode, entry.mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name), 0)
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        archive += bytes(-len(archive) % 4)
        archive += entry.data + bytes(-size % 4)
    return bytes(archive)


def make_initrd(root: Path, modules: Path) -> bytes:
    """The archive, from busybox of the root and the modules of its kernel."""
    entries = [Entry(name, DIRECTORY) for name in ("bin", "dev", "modules", "root")]
    entries.append(Entry("bin/busybox", PROGRAM, (root / "bin/busybox").read_bytes()))
    entries.append(Entry("init", PROGRAM, (SCRIPTS / "initrd.sh").read_bytes()))
    dependencies = parse_dependencies((modules / "modules.dep").read_text())
    # The script loads them in the order of their names.
    for number, path in enumerate(order_modules(dependencies, BOOT_MODULES)):
        name = f"modules/{number:02}-{PurePosixPath(path).name}"
        entries.append(Entry(name, FILE, (modules / path).read_bytes()))
    return pack_cpio(entries)
