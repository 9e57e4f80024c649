"""Podman as an ordinary user: a user namespace with the user's ranges, and cgroups out of reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.harness.podman import Podman, PodmanHome


@pytest.fixture
def podman(rootless_home: PodmanHome, runtime_name: str, prefix: str) -> Iterator[Podman]:
    """podman of the user, with one of the runtimes; its containers go when the test ends."""
    client = Podman(rootless_home, runtime_name, prefix)
    yield client
    client.clean_up()


@pytest.mark.guest
def test_run_maps_the_user_to_root(podman: Podman) -> None:
    done = podman.run("sh", "-c", "id -u; cat /proc/self/uid_map").ok()
    assert done.words == ["0", "0", str(podman.home.uid), "1", "1", "3000000", "65536"]


def test_run_exits_with_the_status(podman: Podman) -> None:
    podman.run("sh", "-c", "exit 7").exited(7)


def test_run_of_a_missing_program_is_127(podman: Podman) -> None:
    podman.run("nosuch").exited(127)


def test_run_keeps_the_user_s_id(podman: Podman) -> None:
    done = podman.run("id", "-u", options=("--userns=keep-id",)).ok()
    assert done.text == str(podman.home.uid)


def test_run_on_a_terminal(podman: Podman) -> None:
    with podman.on_terminal(*podman.run_words(("tty",), ("--rm", "-it"))) as terminal:
        terminal.expect("/dev/pts/0\n")
        terminal.finish().ok()


@pytest.mark.guest
def test_exec(podman: Podman) -> None:
    name = podman.start()
    podman("exec", name, "sh", "-c", "exit 5").exited(5)


def test_logs(podman: Podman) -> None:
    name = podman.start("echo", "out")
    podman("wait", name).ok()
    assert podman("logs", name).ok().stdout == "out\n"


def test_stop_and_start_again(podman: Podman) -> None:
    name = podman.start()
    podman("stop", "--time", "0", name).ok()
    assert podman.inspect(name, "State.ExitCode") == "137"
    podman("start", name).ok()
    assert podman.inspect(name, "State.Status") == "running"


@pytest.mark.guest
def test_remove_by_force(podman: Podman) -> None:
    name = podman.start()
    podman("rm", "--force", "--time", "0", name).ok()
    podman("container", "exists", name).exited(1)
