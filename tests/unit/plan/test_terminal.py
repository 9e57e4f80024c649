"""process.terminal, consoleSize, and the options that go with them -> steps, or why not."""

from __future__ import annotations

from typing import Any

import pytest

from pyoci.errors import ConfigError, PyociError, UsageError
from pyoci.plan.render import describe
from pyoci.plan.rootfs_steps import MakeDevice, MaskPath, PivotRoot
from pyoci.plan.steps import ConnectConsole, MakeCgroup, RunHooks, SendPidfd, SetUpTerminal, SetUser
from tests.support.planning import make_config, plan_config

DEV = {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}
PTS = {"destination": "/dev/pts", "type": "devpts", "source": "devpts"}
NO_SOCKET = "cannot allocate tty if pyoci will detach without setting console socket"
NO_TERMINAL = "cannot use console socket if pyoci will not detach or allocate tty"
SETTINGS = [("create", False), ("create", True), ("run", False), ("run", True)]


def make_terminal_config(process: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    own = {"args": ["sh"], "cwd": "/", "terminal": True, **(process or {})}
    return make_config(process=own, **members)


def terminal_step(config: dict[str, Any], **request: object) -> SetUpTerminal:
    plan = plan_config(config, command="run", **request)
    (step,) = [step for step in plan.init if isinstance(step, SetUpTerminal)]
    return step


@pytest.mark.parametrize(("command", "detach"), SETTINGS)
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("socket", ["", "/s"])
def test_rules(command: str, detach: bool, terminal: bool, socket: str) -> None:
    config = make_terminal_config({"terminal": terminal})
    request = {"command": command, "detach": detach, "console_socket": socket}
    detached = detach or command == "create"
    if terminal and detached and not socket:
        with pytest.raises(ConfigError) as caught:
            plan_config(config, **request)
        assert caught.value.message == f"process.terminal: {NO_SOCKET}"
    elif socket and not (terminal and detached):
        with pytest.raises(UsageError) as refused:
            plan_config(config, **request)
        assert refused.value.message == NO_TERMINAL
    else:
        plan = plan_config(config, **request)
        wanted = [ConnectConsole(config="process.terminal", path=socket)] if terminal else []
        assert [step for step in plan.before if isinstance(step, ConnectConsole)] == wanted
        assert len([step for step in plan.init if isinstance(step, SetUpTerminal)]) == terminal


def test_a_socket_without_a_process() -> None:
    config = make_config()
    del config["process"]
    with pytest.raises(UsageError, match=NO_TERMINAL):
        plan_config(config, console_socket="/s")


def test_the_socket_is_connected_to_once_the_cgroup_is_made() -> None:
    plan = plan_config(make_terminal_config(), console_socket="/s")
    assert isinstance(plan.before[0], MakeCgroup)
    assert plan.before[1] == ConnectConsole(config="process.terminal", path="/s")


def test_the_terminal_is_there_before_hooks_masks_and_the_user() -> None:
    config = make_terminal_config(
        {"user": {"uid": 5, "gid": 5}},
        mounts=[DEV, PTS],
        hooks={"createContainer": [{"path": "/h"}]},
        linux={"namespaces": [{"type": "mount"}], "maskedPaths": ["/dev/console"]},
    )
    kinds = [type(step) for step in plan_config(config, command="run").init]
    order = [MakeDevice, SetUpTerminal, RunHooks, MaskPath, PivotRoot, SetUser]
    assert [kind for kind in dict.fromkeys(kinds) if kind in order] == order


@pytest.mark.parametrize(
    ("mounts", "base"), [([], "/"), ([DEV], "/dev"), ([DEV, PTS], "/dev"), ([PTS], "/")]
)
def test_where_the_console_goes(mounts: list[dict[str, Any]], base: str) -> None:
    assert terminal_step(make_terminal_config(mounts=mounts)).base == base


def test_no_console_in_a_mount_namespace_of_others() -> None:
    config = make_terminal_config(linux={"namespaces": [{"type": "pid"}]})
    plan = plan_config(config, command="run")
    kinds = [type(step) for step in plan.init]
    assert kinds.index(SetUpTerminal) < kinds.index(PivotRoot)
    assert terminal_step(config).base == ""


def test_size() -> None:
    step = terminal_step(make_terminal_config({"consoleSize": {"height": 33, "width": 111}}))
    assert (step.rows, step.columns) == (33, 111)
    assert "33 rows and 111 columns" in describe(step)
    step = terminal_step(make_terminal_config())
    assert (step.rows, step.columns) == (0, 0)
    assert "rows" not in describe(step)


@pytest.mark.parametrize("size", [{"height": 65536, "width": 1}, {"height": 1, "width": 65536}])
def test_a_size_that_no_terminal_has(size: dict[str, int]) -> None:
    config = make_terminal_config({"consoleSize": size})
    with pytest.raises(PyociError, match=r"process\.consoleSize: .*65535"):
        plan_config(config, command="run")


def test_a_size_without_a_terminal_is_ignored() -> None:
    size = {"height": 65536, "width": 1}
    config = make_terminal_config({"terminal": False, "consoleSize": size})
    assert not [step for step in plan_config(config).init if isinstance(step, SetUpTerminal)]


def test_the_pidfd_is_sent_last() -> None:
    plan = plan_config(make_config(), pidfd_socket="/s")
    assert plan.beside[-1] == SendPidfd(path="/s")
    assert not [step for step in plan_config(make_config()).beside if isinstance(step, SendPidfd)]
