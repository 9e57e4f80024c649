"""Builds the image, once per machine and recipe: a root file system on ext4, and two kernels.

CACHE/KEY/root.img     the root file system that both kernels mount
CACHE/KEY/linux.uml    User Mode Linux
CACHE/KEY/vmlinux      Debian's kernel, and its initrd
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.guest.errors import GuestError
from conformance.guest.kernels import take_kernels
from conformance.guest.recipe import (
    DISK_SIZE,
    SCRIPTS,
    SUITE,
    UNWANTED_FILES,
    UNWANTED_UNITS,
    Recipe,
    compute_key,
    read_ingredients,
)

LOG_LINES = 20


def default_cache() -> Path:
    """$PYOCI_GUEST_CACHE, or a directory of the user's that outlives the checkout."""
    given = os.environ.get("PYOCI_GUEST_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pyoci-guest"


def find_image(cache: Path, recipe: Recipe) -> Path:
    """The directory of the built image, after building it if it is not there; GuestError."""
    where = cache.absolute() / compute_key(recipe, read_ingredients())
    if where.exists():
        return where
    where.parent.mkdir(parents=True, exist_ok=True)
    with (where.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not where.exists():  # else somebody built it while we waited
            started = time.monotonic()
            print("guest: building the image", file=sys.stderr, flush=True)
            build_image(where, recipe)
            print(f"guest: built in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return where


def build_image(where: Path, recipe: Recipe) -> None:
    """Build beside the place where it goes and move it there: what is there is whole."""
    for tool in ("mmdebstrap", "mke2fs", "unshare"):
        if not shutil.which(tool):
            raise GuestError(f"{tool} not found: apt-get install mmdebstrap e2fsprogs util-linux")
    with tempfile.TemporaryDirectory(dir=where.parent, prefix="build.") as work:
        root, out = Path(work) / "root", Path(work) / "out"
        out.mkdir()
        run_logged(bootstrap_command(root, recipe), where.parent / "build.log")
        take_kernels(root, out)
        configure(root)
        make_filesystem(root, out / "root.img")
        out.rename(where)


def bootstrap_command(root: Path, recipe: Recipe) -> list[str]:
    """The call of mmdebstrap, with the mounts it needs in a namespace of their own."""
    fetch = f'chroot "$1" sh -s <"{SCRIPTS / "fetch-kernels.sh"}"'
    command = ["unshare", "--mount", "--propagation", "private", "mmdebstrap"]
    command += ["--mode=root", "--variant=apt", "--format=directory"]
    command += [f"--include={','.join(recipe.packages)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in UNWANTED_FILES]
    command += [f"--customize-hook={fetch}", SUITE, str(root)]
    return command + ([recipe.mirror] if recipe.mirror else [])


def run_logged(command: list[str], log: Path) -> None:
    """Run a command; GuestError with the end of what it said if it fails."""
    with log.open("wb") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        tail = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        raise GuestError("\n".join([f"{command[0]} failed, see {log}", *tail]))


def configure(root: Path) -> None:
    """What makes the root file system a guest's."""
    for name in ("control", "share"):
        (root / "guest" / name).mkdir(parents=True)
    shutil.copy(SCRIPTS / "boot.sh", root / "guest/boot")
    (root / "guest/boot").chmod(0o755)
    # Empty: a new one at every start. "uninitialized" would start systemd's first-boot questions.
    (root / "etc/machine-id").write_text("")
    (root / "etc/hostname").write_text("guest\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost guest\n::1 localhost\n")
    (root / "etc/fstab").write_text("")
    for unit in UNWANTED_UNITS:
        for link in (root / "etc/systemd/system").glob(f"*/{unit}"):
            link.unlink()
    # A user for rootless tests; useradd picks subordinate ids.
    subprocess.run(["chroot", root, "useradd", "-m", "-s", "/bin/sh", "user"], check=True)


def make_filesystem(root: Path, image: Path) -> None:
    """An ext4 image of a directory: no journal, since nothing outlives a run."""
    command = ["mke2fs", "-q", "-t", "ext4", "-d", str(root), "-m", "0"]
    command += ["-O", "^has_journal,^metadata_csum", str(image), DISK_SIZE]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
