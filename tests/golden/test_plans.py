"""config.json in, plan text out: the text is the review of a change in order.

Each NAME.json below plans/ has its NAME.txt. After a change that is meant, run this file with
PYOCI_UPDATE_GOLDEN=1, and read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pyoci.plan.mounts import known_options
from pyoci.plan.render import render_text
from pyoci.plan.systemd.model import SystemdFacts
from pyoci.record import replace
from tests.support.planning import FACTS, SYSTEMD_FACTS, plan_config

PLANS = Path(__file__).parent / "plans"
NAMES = sorted(path.stem for path in PLANS.glob("*.json"))
# What the command line asked for, where it asked for something.
REQUESTS: dict[str, dict[str, object]] = {
    "request-options": {
        "no_pivot": True, "no_new_keyring": True, "preserve_fds": 3, "listen_fds": 2,
    },
    "systemd": {"systemd_cgroup": True},
    "systemd-user": {"systemd_cgroup": True},
    "terminal": {"console_socket": "/run/console", "pidfd_socket": "/run/pidfd"},
}  # fmt: skip
# The machine where it has something that others have not.
USER = replace(FACTS, euid=1000, egid=1000, rootless=True)
USERS_MANAGER = SystemdFacts(
    address="unix:path=/run/user/1000/bus",
    is_users=True,
    version=243,
    cgroup="/user.slice/user-1000.slice/user@1000.service",
)
MACHINES = {
    "labels": replace(FACTS, modules=("apparmor", "selinux")),
    "rootless": USER,
    "rootless-delegated": replace(USER, parent_cgroup="/user.slice/session"),
    "systemd": SYSTEMD_FACTS,
    "systemd-user": replace(SYSTEMD_FACTS, euid=1000, systemd=USERS_MANAGER),
}


def is_updating() -> bool:
    return os.environ.get("PYOCI_UPDATE_GOLDEN", "") == "1"


@pytest.mark.parametrize("name", NAMES)
def test_plan(name: str) -> None:
    config = json.loads((PLANS / f"{name}.json").read_text())
    facts = MACHINES.get(name, FACTS)
    text = render_text(plan_config(config, facts, **REQUESTS.get(name, {})))
    golden = PLANS / f"{name}.txt"
    if is_updating():
        golden.write_text(text)
    assert text == golden.read_text()


def test_every_plan_has_its_config() -> None:
    assert len(NAMES) >= 12
    assert sorted(path.stem for path in PLANS.glob("*.txt")) == NAMES
    assert set(REQUESTS) | set(MACHINES) <= set(NAMES)


def test_every_mount_option_is_in_a_plan() -> None:
    config = json.loads((PLANS / "mount-options.json").read_text())
    words = {word for mount in config["mounts"] for word in mount["options"]}
    assert set(known_options()) <= words
