"""The two kernels: unpacked from Debian's packages, never installed (no initramfs is made)."""

from __future__ import annotations

import lzma
import shutil
import struct
import subprocess

from conformance.guest.errors import GuestError
from conformance.guest.initrd import make_initrd
from conformance.guest.recipe import MODULE_FILES, MODULE_TREES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

# The x86 boot protocol's header in a bzImage: sectors of real-mode code before the protected-mode
# code, then where in that the compressed kernel begins and how long it is.
SETUP_SECTORS, PAYLOAD = 0x1F1, 0x248
SECTOR_BYTES = 512
XZ_MAGIC = b"\xfd7zXZ\0"


def extract_elf(bzimage: bytes) -> bytes:
    """The ELF kernel in a bzImage; the image itself if it was not compressed with xz.

    QEMU enters an ELF kernel at once (PVH). A bzImage boots as well, but takes seconds to unpack
    itself under emulation.
    """
    offset, length = struct.unpack_from("<II", bzimage, PAYLOAD)
    start = ((bzimage[SETUP_SECTORS] or 4) + 1) * SECTOR_BYTES + offset
    payload = bzimage[start : start + length]
    if not payload.startswith(XZ_MAGIC):
        return bzimage
    # What follows the stream is its length: one decompressor stops before it.
    return lzma.LZMADecompressor().decompress(payload)


def take_kernels(root: Path, out: Path) -> None:
    """Move both kernels out of ROOT/kernels: the modules into the root, what boots into OUT."""
    kernels = root / "kernels"
    debian = find_one(kernels / "vm/boot", "vmlinuz-*")
    modules = install_modules(kernels / "vm/lib/modules", root, partial=True)
    install_modules(kernels / "uml/usr/lib/uml/modules", root, partial=False)
    (out / "vmlinux").write_bytes(extract_elf(debian.read_bytes()))
    (out / "initrd").write_bytes(make_initrd(root, modules))
    shutil.copy2(kernels / "uml/usr/bin/linux.uml", out / "linux.uml")
    shutil.rmtree(kernels)


def find_one(directory: Path, pattern: str) -> Path:
    """The only file of that pattern."""
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise GuestError(f"{directory}: {len(found)} files match {pattern}, not one")
    return found[0]


def install_modules(tree: Path, root: Path, *, partial: bool) -> Path:
    """Copy the modules of the tree's only kernel (or the part we want); returns where they are."""
    source = find_one(tree, "*")
    target = root / "lib/modules" / source.name
    if partial:
        copy_wanted_modules(source, target)
    else:
        shutil.copytree(source, target, symlinks=True)
    subprocess.run(["chroot", root, "depmod", source.name], check=True)
    return target


def copy_wanted_modules(source: Path, target: Path) -> None:
    """The parts of a module tree that recipe.py names, and its lists."""
    for name in MODULE_TREES:
        if (source / "kernel" / name).is_dir():
            shutil.copytree(source / "kernel" / name, target / "kernel" / name)
    files = [file for pattern in MODULE_FILES for file in (source / "kernel").glob(pattern)]
    for file in (*files, *source.glob("modules.*")):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
