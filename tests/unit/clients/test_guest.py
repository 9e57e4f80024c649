"""The shares of the clients' level that run in a guest."""

from __future__ import annotations

from pathlib import Path

from tests.clients.guest import HERE, SHARES, package_options

MARK = "pytest.mark.guest"


def test_every_file_with_a_mark_is_in_one_share() -> None:
    root = Path(__file__).parents[3]
    marked = {path.name for path in (root / HERE).glob("test_*.py") if MARK in path.read_text()}
    shared = [file for _, files in SHARES for file in files]
    assert sorted(shared) == sorted(marked)


def test_the_image_gets_the_clients() -> None:
    options = package_options()
    assert options[0] == "--package"
    assert {"containerd", "podman", "docker.io", "conmon"} <= set(options)
