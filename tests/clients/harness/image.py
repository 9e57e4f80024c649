"""An image of busybox, made without a network: one tar that every client takes.

It is an OCI layout and a docker archive at once (`ctr image import`, `podman load`, `docker load`).
The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]

BUSYBOX = Path("/bin/busybox")
DIRECTORIES = (
    *("bin", "dev", "etc", "home", "home/user", "proc", "root", "run", "sbin", "sys", "usr"),
    *("usr/bin", "var", "var/data"),
)
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"  # noqa: S105  (public)
GROUP = "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n"
FILES = {
    "etc/passwd": (PASSWD, 0o644),
    "etc/group": (GROUP, 0o644),
    "etc/image": ("made by the tests\n", 0o644),
    "bin/not-executable": ("#!/bin/sh\n", 0o644),
    "bin/no-interpreter": ("#!/nowhere/sh\n", 0o755),
}

# References are names here; nothing is ever fetched.
BUSYBOX_IMAGE = "registry.test/busybox:1"
PAUSE_IMAGE = "registry.test/pause:1"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PATH_VARIABLE = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    """Put a regular file into the archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = mode
    archive.addfile(entry, io.BytesIO(data))


def make_layer() -> bytes:
    """The file system, as an uncompressed tar: busybox with a hard link for each applet.

    Hard links, so that a mount over one applet hides no other.
    """
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in (*DIRECTORIES, "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if name == "tmp" else 0o755
            entry.uid = entry.gid = 1000 if name == "home/user" else 0
            archive.addfile(entry)
        add(archive, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for applet in subprocess.check_output([BUSYBOX, "--list"], text=True).split():
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type = tarfile.LNKTYPE
                entry.linkname = "bin/busybox"
                entry.mode = 0o755  # unpacking sets it on the one inode again
                archive.addfile(entry)
        for name, (text, mode) in FILES.items():
            add(archive, name, text.encode(), mode)
    return raw.getvalue()


def digest(data: bytes) -> str:
    """The name of a blob."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def describe(media_type: str, blob: bytes) -> Document:
    """A descriptor of the image specification."""
    return {"mediaType": media_type, "digest": digest(blob), "size": len(blob)}


def make_config(layer: bytes, config: Document) -> bytes:
    """The image's configuration."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-01-01T00:00:00Z",
        "config": {"Env": [PATH_VARIABLE], **config},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "tests"}],
    }
    return json.dumps(document).encode()


def make_index(reference: str, manifest: bytes) -> bytes:
    """The OCI layout's index, with the name where containerd looks for it."""
    names = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    entry = describe(MANIFEST, manifest) | {
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": dict.fromkeys(names, reference),
    }
    return json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()


def write_image(path: Path, reference: str, config: Document) -> Path:
    """Write the image with this name and this default process; the path of the tar."""
    layer = make_layer()
    packed = gzip.compress(layer, 1, mtime=0)
    configuration = make_config(layer, config)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(CONFIG, configuration),
            "layers": [describe(LAYER, packed)],
        }
    ).encode()
    blobs = {f"blobs/sha256/{digest(b)[7:]}": b for b in (configuration, packed, manifest)}
    configuration_path, packed_path, _ = blobs
    docker = [{"Config": configuration_path, "RepoTags": [reference], "Layers": [packed_path]}]
    with tarfile.open(path, "w") as archive:
        add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(archive, "index.json", make_index(reference, manifest))
        add(archive, "manifest.json", json.dumps(docker).encode())
        for name, blob in blobs.items():
            add(archive, name, blob)
    return path


def write_images(directory: Path) -> list[Path]:
    """Busybox, and the image of a pod's sandbox."""
    return [
        write_image(directory / "busybox.tar", BUSYBOX_IMAGE, {"Cmd": ["sh"]}),
        write_image(directory / "pause.tar", PAUSE_IMAGE, {"Entrypoint": ["/bin/sleep", "inf"]}),
    ]
