"""The image that is made without a network."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.clients.harness.image import BUSYBOX, write_image

pytestmark = pytest.mark.skipif(not os.access(BUSYBOX, os.X_OK), reason=f"needs {BUSYBOX}")


def test_every_blob_has_its_own_name(tmp_path: Path) -> None:
    path = write_image(tmp_path / "image.tar", "registry.test/x:1", {"Cmd": ["sh"]})
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        contents = {name: file.read() for name, file in files.items() if file}
    blobs = {name: data for name, data in contents.items() if name.startswith("blobs/sha256/")}
    assert {name[13:] for name in blobs} == {hashlib.sha256(b).hexdigest() for b in blobs.values()}
    (entry,) = json.loads(contents["manifest.json"])
    assert entry["RepoTags"] == ["registry.test/x:1"]
    assert {entry["Config"], *entry["Layers"]} <= set(blobs)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [write_image(tmp_path / name, "registry.test/x:1", {}) for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
