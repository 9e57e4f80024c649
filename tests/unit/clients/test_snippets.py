"""The documented configuration: its form, and that no name in it has gone astray."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from tests.clients.harness.snippets import INSTALLED, PAGE, parse_snippets, read_snippet

NAMES = {"containerd-1", "containerd-2", "runtimeclass", "crio", "podman", "docker"}
README = PAGE.parents[1] / "README.md"


def read_handler() -> str:
    """The handler of the RuntimeClass."""
    lines = [line.split(": ") for line in read_snippet("runtimeclass").splitlines()]
    return next(words[1] for words in lines if words[0] == "handler")


def read_runtimes(name: str) -> dict[str, Any]:
    """containerd's runtimes, in either version of the configuration."""
    document = tomllib.loads(read_snippet(name))
    (plugin,) = document["plugins"].values()
    containerd: dict[str, Any] = plugin["containerd"]
    assert containerd["default_runtime_name"] in containerd["runtimes"]
    runtimes: dict[str, Any] = containerd["runtimes"]
    return runtimes


def test_blocks_have_names() -> None:
    page = "text\n\n<!-- config: a -->\n\n```toml\nx = 1\n```\n\n```sh\nno name\n```\n"
    assert parse_snippets(page) == {"a": "x = 1\n"}


def test_the_page_has_all_of_them() -> None:
    assert set(parse_snippets(PAGE.read_text())) == NAMES


def test_both_versions_of_containerd_say_the_same() -> None:
    first, second = read_runtimes("containerd-1"), read_runtimes("containerd-2")
    assert first == second
    assert first["pyoci"]["options"]["BinaryName"] == str(INSTALLED)
    assert tomllib.loads(read_snippet("containerd-1"))["version"] == 2
    assert tomllib.loads(read_snippet("containerd-2"))["version"] == 3


def test_the_handler_of_the_runtime_class_is_there() -> None:
    assert read_handler() in read_runtimes("containerd-1")
    assert read_handler() in tomllib.loads(read_snippet("crio"))["crio"]["runtime"]["runtimes"]


@pytest.mark.parametrize("name", ["crio", "podman"])
def test_the_path_of_pyoci(name: str) -> None:
    tomllib.loads(read_snippet(name))
    assert str(INSTALLED) in read_snippet(name)


def test_docker_has_it_as_a_runtime() -> None:
    assert json.loads(read_snippet("docker"))["runtimes"] == {"pyoci": {"path": str(INSTALLED)}}


def test_the_readme_leads_there() -> None:
    assert "docs/clients.md" in README.read_text()
