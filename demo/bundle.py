"""Makes a bundle without any registry: busybox as the root file system, and a config.json.

Usage: bundle.py RUNTIME DIRECTORY. The config is what RUNTIME's own `spec` prints, changed where
the demonstration needs it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

BUSYBOX = "/bin/busybox"

# What the container runs: it looks around, and then stays until it is killed.
SCRIPT = """\
#!/bin/sh
echo "hello from $(hostname), process $$, user $(id -un)"
if [ "$1" = stay ]; then exec sleep 3600; fi
echo "all that runs here:"; ps
echo "my cgroup: $(grep ^0:: /proc/self/cgroup)"
echo "mounts: $(cut -d ' ' -f 2 /proc/mounts | tr '\\n' ' ')"
echo "network: $(ip -o link | cut -d : -f 2 | tr '\\n' ' ')"
touch /here 2>/dev/null || echo "the root file system is read-only"
"""


def make_root(rootfs: Path) -> None:
    """A root file system of one program that is hundreds."""
    for directory in ("bin", "etc", "dev", "proc", "sys", "tmp"):
        (rootfs / directory).mkdir(parents=True)
    shutil.copy(BUSYBOX, rootfs / "bin" / "busybox")
    for name in subprocess.check_output([BUSYBOX, "--list"], text=True).split():
        if name != "busybox":
            (rootfs / "bin" / name).symlink_to("busybox")
    (rootfs / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    (rootfs / "etc" / "demo").write_text(SCRIPT)
    (rootfs / "etc" / "demo").chmod(0o755)


def change_config(path: Path, cgroup: str) -> None:
    """Run our script instead of a shell at a terminal, in a cgroup that is only ours."""
    config = json.loads(path.read_text())
    config["linux"]["cgroupsPath"] = cgroup
    config["hostname"] = "demo"
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/etc/demo"]
    path.write_text(json.dumps(config, indent=2) + "\n")


def main(runtime: str, directory: str) -> None:
    """Make the bundle in a directory that exists; its parent's name becomes the cgroup's."""
    bundle = Path(directory)
    make_root(bundle / "rootfs")
    subprocess.run([runtime, "spec", "--bundle", directory], check=True)
    change_config(bundle / "config.json", f"/{bundle.parent.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
