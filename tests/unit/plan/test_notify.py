"""NOTIFY_SOCKET -> a mount and a variable; which lines of a message go on to the host."""

from __future__ import annotations

import pytest

from pyoci.plan.model import CreatePlan
from pyoci.plan.notify import filter_message, says_ready
from pyoci.plan.rootfs_steps import BindMount
from tests.support.planning import make_config, plan_config

MOUNTS = {"namespaces": [{"type": "mount"}]}
VARIABLE = "NOTIFY_SOCKET=/run/notify/notify.sock"


def find_mount(plan: CreatePlan) -> list[BindMount]:
    return [
        step
        for step in plan.init
        if isinstance(step, BindMount) and step.destination == "/run/notify"
    ]


def test_the_mount_and_the_variable() -> None:
    process = {"args": ["sh"], "cwd": "/", "env": ["NOTIFY_SOCKET=/mine", "A=1"]}
    config = make_config(linux=MOUNTS, process=process)
    plan = plan_config(config, notify_socket="/run/systemd/notify", root="/r", container_id="web")
    (mount,) = find_mount(plan)
    assert mount.source == "/r/web/notify"
    assert mount.config == "NOTIFY_SOCKET"
    assert plan.notify
    assert plan.process is not None
    assert plan.process.env == ("A=1", VARIABLE)


def test_without_the_variable() -> None:
    plan = plan_config(make_config(linux=MOUNTS))
    assert not plan.notify
    assert find_mount(plan) == []


def test_without_a_process() -> None:
    config = make_config(linux=MOUNTS)
    del config["process"]
    assert not plan_config(config, notify_socket="/s").notify


def test_without_mounts_of_its_own() -> None:
    plan = plan_config(make_config(linux={"namespaces": [{"type": "pid"}]}), notify_socket="/s")
    assert not plan.notify
    assert plan.process is not None
    assert VARIABLE not in plan.process.env


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (b"READY=1", b"READY=1"),
        (b"READY=1\n", b"READY=1"),
        (b"STATUS=a\nMAINPID=1\nREADY=1", b"STATUS=a\nREADY=1"),
        (b"RELOADING=1\nMONOTONIC_USEC=5", b"RELOADING=1\nMONOTONIC_USEC=5"),
        (b"WATCHDOG=1", b"WATCHDOG=1"),
        (b"EXTEND_TIMEOUT_USEC=9", b"EXTEND_TIMEOUT_USEC=9"),
        (b"STOPPING=1\nERRNO=2", b"STOPPING=1\nERRNO=2"),
        (b"MAINPID=1", b""),
        (b"BARRIER=1", b""),
        (b"FDSTORE=1\nFDNAME=x\nFDPOLL=0", b""),
        (b"NOTIFYACCESS=all", b""),
        (b"MAINPIDFD=1\nMAINPIDFDID=3", b""),
        (b"X_READY=1\n READY=1\nready=1", b""),
        (b"", b""),
    ],
)
def test_what_is_passed_on(sent: bytes, passed: bytes) -> None:
    assert filter_message(sent) == passed


@pytest.mark.parametrize(
    ("message", "ready"),
    [
        (b"READY=1", True),
        (b"STATUS=x\nREADY=1", True),
        (b"READY=0", False),
        (b"READY=10", False),
        (b"STATUS=READY=1", False),
    ],
)
def test_ready(message: bytes, ready: bool) -> None:
    assert says_ready(message) == ready
