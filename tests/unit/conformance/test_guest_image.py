"""What the image of a guest is made of: its key, the kernel in a bzImage, the initial RAM disk."""

from __future__ import annotations

import lzma
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from conformance.guest.errors import GuestError
from conformance.guest.image import bootstrap_command, default_cache
from conformance.guest.initrd import (
    DIRECTORY,
    FILE,
    Entry,
    order_modules,
    pack_cpio,
    parse_dependencies,
)
from conformance.guest.kernels import copy_wanted_modules, extract_elf
from conformance.guest.recipe import PACKAGES, Recipe, compute_key, read_ingredients

# --- the recipe


def test_the_key_is_of_the_ingredients_and_the_packages() -> None:
    key = compute_key(Recipe(), [b"one", b"two"])
    assert key == compute_key(Recipe(mirror="http://mirror.example"), [b"one", b"two"])
    assert key != compute_key(Recipe(), [b"one", b"three"])
    assert key != compute_key(Recipe(), [b"onet", b"wo"])
    assert key != compute_key(Recipe(("podman",)), [b"one", b"two"])


def test_the_order_of_packages_makes_no_other_image() -> None:
    assert compute_key(Recipe(("a", "b")), []) == compute_key(Recipe(("b", "a")), [])


def test_every_ingredient_is_there() -> None:
    assert all(read_ingredients())


def test_no_package_twice() -> None:
    assert len(set(PACKAGES)) == len(PACKAGES)


def test_the_cache_is_the_variables_or_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x/cache")
    monkeypatch.delenv("PYOCI_GUEST_CACHE", raising=False)
    assert default_cache() == Path("/x/cache/pyoci-guest")
    monkeypatch.setenv("PYOCI_GUEST_CACHE", "/elsewhere")
    assert default_cache() == Path("/elsewhere")


def test_bootstrap_mounts_in_a_namespace_of_its_own() -> None:
    command = bootstrap_command(Path("/root-of-guest"), Recipe(("jq",), "http://mirror.example"))
    assert command[:5] == ["unshare", "--mount", "--propagation", "private", "mmdebstrap"]
    assert command[-3:] == ["bookworm", "/root-of-guest", "http://mirror.example"]
    (include,) = (word for word in command if word.startswith("--include="))
    assert include.endswith(",jq")


# --- the kernel


def make_bzimage(payload: bytes, setup_sectors: int = 4) -> bytes:
    """As the boot protocol has it: setup code, then the payload at an offset, then its length."""
    offset = 700
    image = bytearray((setup_sectors + 1) * 512 + offset)
    image[0x1F1] = setup_sectors
    struct.pack_into("<II", image, 0x248, offset, len(payload))
    return bytes(image) + payload + b"what follows"


@pytest.mark.parametrize("setup_sectors", [4, 27])
def test_the_elf_in_a_bzimage(setup_sectors: int) -> None:
    elf = b"\x7fELF" + bytes(range(256)) * 50
    payload = lzma.compress(elf, format=lzma.FORMAT_XZ) + struct.pack("<I", len(elf))
    assert extract_elf(make_bzimage(payload, setup_sectors)) == elf


def test_another_compression_is_left_alone() -> None:
    image = make_bzimage(b"\x28\xb5\x2f\xfd of zstd")
    assert extract_elf(image) == image


def test_only_the_modules_a_guest_may_use(tmp_path: Path) -> None:
    source = tmp_path / "source"
    wanted = ["kernel/fs/ext4/ext4.ko", "kernel/drivers/net/veth.ko", "modules.builtin"]
    for name in (*wanted, "kernel/drivers/gpu/drm.ko", "kernel/drivers/net/usb/usbnet.ko"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    copy_wanted_modules(source, tmp_path / "target")
    found = [path for path in (tmp_path / "target").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path / "target")) for path in found) == sorted(wanted)


# --- the initial RAM disk

MODULES_DEP = """\
kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko kernel/fs/mbcache.ko
kernel/lib/crc16.ko:
kernel/fs/mbcache.ko:
kernel/net/9p/9pnet.ko:
kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko
kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko
kernel/drivers/crc/crc32c-generic.ko:
"""


def test_each_module_comes_once_and_after_what_it_needs() -> None:
    dependencies = parse_dependencies(MODULES_DEP)
    order = order_modules(dependencies, ["ext4", "9pnet_virtio", "9p", "crc32c_generic"])
    assert len(order) == len(set(order)) == 7
    for path, needs in dependencies.items():
        assert all(order.index(need) < order.index(path) for need in needs)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(GuestError, match="no module virtio_blk"):
        order_modules(parse_dependencies(MODULES_DEP), ["virtio_blk"])


def test_the_archive_unpacks(tmp_path: Path) -> None:
    if not shutil.which("busybox"):
        pytest.skip("needs busybox")
    entries = [Entry("d", DIRECTORY), Entry("d/one", FILE, b"1"), Entry("d/empty", FILE)]
    entries.append(Entry("d/long name", FILE, bytes(range(256)) * 9 + b"x"))
    command = ["busybox", "cpio", "-i"]
    subprocess.run(command, input=pack_cpio(entries), cwd=tmp_path, check=True, capture_output=True)
    found = {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()}
    assert found == {"one": b"1", "empty": b"", "long name": bytes(range(256)) * 9 + b"x"}
