"""The command line that makes the clients' view."""

from __future__ import annotations

from pathlib import Path

from tests.clients.view import make_command


def test_on_a_machine_the_view_has_its_own_cgroup_and_run() -> None:
    command = make_command(["true", "a b"], Path("/sys/fs/cgroup/unified/mine"))
    assert command[:3] == [
        "sh",
        "-c",
        'echo $$ >/sys/fs/cgroup/unified/mine/cgroup.procs && exec "$@"',
    ]
    assert "--cgroup" in command
    assert command[-3:] == ["view", "true", "a b"]
    script = command[-4]
    assert script.index("mount -t tmpfs -o mode=755 run /run") < script.index("mount -t cgroup2")
    assert script.endswith('exec "$@"')


def test_in_a_guest_cgroups_and_run_stay() -> None:
    command = make_command(["true"], None)
    assert command[0] == "unshare"
    assert "--cgroup" not in command
    assert "cgroup2" not in command[-3]
    assert "/run" not in command[-3]
