"""What the image is made of, as data, and the key under which a built one is kept.

Everything is Debian's, fetched by apt: an image needs no other source.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
SCRIPTS = Path(__file__).parent / "scripts"

PACKAGES = (
    # the system
    *("systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "kmod", "busybox-static"),
    *("iproute2", "procps", "util-linux", "uidmap", "apparmor", "secilc", "strace"),
    *("mount", "e2fsprogs"),
    # pyoci and its libraries; what builds it and the probe of conformance.spec
    *("python3", "python3-click", "python3-jsonschema", "python3-pyroute2", "python3-prctl"),
    *("python3-jeepney", "make", "gcc", "libc6-dev"),
    # what it is compared with
    *("runc", "crun"),
)
UNWANTED_FILES = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")

# Nothing in the guest is to start by itself, or to wait for a network.
UNWANTED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"),
    *("fstrim.timer", "systemd-timesyncd.service", "apparmor.service"),
)

# Of the tree of Debian's kernel modules: three quarters are drivers of devices no guest has.
MODULE_TREES = (
    *("arch", "crypto", "fs", "lib", "mm", "net", "security"),
    *("drivers/block", "drivers/md", "drivers/net/ipvlan", "drivers/net/vxlan", "drivers/virtio"),
)
MODULE_FILES = ("drivers/net/*.ko", "drivers/char/virtio_console.ko")

# Modules that the initial RAM disk loads: the disk, the shares, the lines for the output.
BOOT_MODULES = (
    *("virtio_pci", "virtio_blk", "crc32c_generic", "ext4"),
    *("9pnet_virtio", "9p", "virtio_console"),
)

# The root file system: sparse, a guest takes what it writes.
DISK_SIZE = "8G"

# A change of these files makes another image; of the others, only another way to run it.
INGREDIENTS = (
    *("recipe.py", "image.py", "kernels.py", "initrd.py"),
    *("scripts/boot.sh", "scripts/initrd.sh", "scripts/fetch-kernels.sh"),
)


@dataclass(frozen=True)
class Recipe:
    """What may differ between images: packages beside the usual ones, and where they come from."""

    extra_packages: tuple[str, ...] = ()
    mirror: str | None = None

    @property
    def packages(self) -> tuple[str, ...]:
        """All that is installed."""
        return (*PACKAGES, *self.extra_packages)


def read_ingredients() -> list[bytes]:
    """The files that say how an image is made."""
    return [(Path(__file__).parent / name).read_bytes() for name in INGREDIENTS]


def compute_key(recipe: Recipe, ingredients: list[bytes]) -> str:
    """A name for all images of one recipe. The archive moves on; the name does not tell."""
    digest = hashlib.sha256(repr(sorted(recipe.extra_packages)).encode())
    for ingredient in ingredients:
        digest.update(hashlib.sha256(ingredient).digest())
    return digest.hexdigest()[:16]
