from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.bundles import BUNDLES, PROGRAMS, SYSCALLS, make_config, make_seccomp, write_bundle
from pyoci.spec.accept import accept


@pytest.mark.parametrize("kind", BUNDLES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_schema_accepts_every_config(kind: str, program: str) -> None:
    config = make_config(kind, program, Path("/b"), "/group")
    assert config["process"]["args"] == PROGRAMS[program]
    assert accept(config)


def test_the_docker_bundle_is_of_the_size_that_is_compared() -> None:
    config = make_config("docker", "true", Path("/b"), "/group")
    linux = config["linux"]
    assert (len(linux["maskedPaths"]), len(linux["readonlyPaths"])) == (12, 5)
    assert [mount["source"] for mount in config["mounts"] if mount["type"] == "bind"] == [
        "/b/resolv.conf",
        "/b/hostname",
        "/b/hosts",
    ]
    assert config["process"]["user"]["uid"] == 1000
    assert linux["cgroupsPath"] == "/group"
    assert "seccomp" not in linux


def test_the_profile_names_each_of_434_calls_once() -> None:
    profile = make_seccomp(SYSCALLS.read_text(encoding="ascii").split())
    names = [name for rule in profile["syscalls"] for name in rule["names"]]
    assert len(names) == len(set(names)) == 434
    conditional = [rule["names"] for rule in profile["syscalls"] if "args" in rule]
    assert conditional == [["clone"], ["socket"], ["personality"]]


def test_a_bundle_has_the_config_and_the_programs(tmp_path: Path) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"a program")
    config = make_config("default", "true", tmp_path / "bundle", "/group")
    write_bundle(tmp_path / "bundle", config, busybox)
    assert json.loads((tmp_path / "bundle" / "config.json").read_bytes()) == config
    for program in PROGRAMS.values():
        inside = tmp_path / "bundle" / "rootfs" / program[0].lstrip("/")
        assert inside.read_bytes() == b"a program"
        assert not inside.is_symlink()
