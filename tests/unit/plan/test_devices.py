"""Nodes and links of /dev (config-linux.md, "Default Devices")."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyoci.plan.devices import DEFAULT_DEVICES, DEFAULT_LINKS, plan_devices
from pyoci.plan.rootfs_steps import MakeDevice, MakeSymlink
from pyoci.spec.model import Device

MOUNTED = ["/proc", "/dev", "/dev/pts"]


def plan(*devices: Device, bind: bool = False) -> list[MakeDevice | MakeSymlink]:
    return plan_devices(devices, MOUNTED, bind=bind)


def node(*devices: Device, path: str, bind: bool = False) -> MakeDevice:
    (found,) = (step for step in plan(*devices, bind=bind) if step.path == path)
    assert isinstance(found, MakeDevice)
    return found


def test_the_defaults() -> None:
    steps = plan()
    assert [step.path for step in steps] == [
        *(path for path, _, _ in DEFAULT_DEVICES),
        *(path for path, _ in DEFAULT_LINKS),
    ]
    assert {step.config for step in steps} == {""}
    assert {step.base for step in steps} == {"/dev"}
    links = [step for step in steps if isinstance(step, MakeSymlink)]
    assert [step.path for step in links if step.if_there] == ["/dev/core"]
    assert [step.path for step in links if step.replace] == ["/dev/ptmx"]


def test_the_numbers_are_the_hosts() -> None:
    for path, major, minor in DEFAULT_DEVICES:
        if Path(path).is_char_device():
            assert Path(path).stat().st_rdev == os.makedev(major, minor), path


def test_a_default_node() -> None:
    assert node(path="/dev/tty") == MakeDevice(
        base="/dev", path="/dev/tty", type="c", major=5, minor=0, mode=0o666, uid=0, gid=0
    )


def test_a_device_of_the_config_takes_the_place_of_a_default_one() -> None:
    mine = Device(path="/dev//null", type="c", major=1, minor=3, file_mode=0o600, uid=5)
    assert node(mine, path="/dev/null") == MakeDevice(
        config="linux.devices[0]",
        base="/dev",
        path="/dev/null",
        type="c",
        major=1,
        minor=3,
        mode=0o600,
        uid=5,
        gid=0,
    )


def test_a_device_in_the_place_of_a_link_wins() -> None:
    paths = [step.path for step in plan(Device(path="/dev/ptmx", type="c", major=5, minor=2))]
    assert paths.count("/dev/ptmx") == 1
    assert isinstance(node(Device(path="/dev/ptmx", type="c"), path="/dev/ptmx"), MakeDevice)


@pytest.mark.parametrize(
    ("mode", "planned"),
    [(None, 0o666), (0, 0), (0o640, 0o640), (0o100640, 0o640), (0o4777, 0o4777)],
)
def test_mode(mode: int | None, planned: int) -> None:
    assert node(Device(path="/dev/x", type="c", file_mode=mode), path="/dev/x").mode == planned


def test_an_unbuffered_device_is_a_character_device() -> None:
    assert node(Device(path="/dev/x", type="u"), path="/dev/x").type == "c"
    assert node(Device(path="/dev/x", type="b"), path="/dev/x").type == "b"


def test_in_a_user_namespace_nodes_are_bound_but_a_fifo_can_be_made() -> None:
    assert node(path="/dev/null", bind=True).bind
    assert node(Device(path="/dev/x", type="b"), path="/dev/x", bind=True).bind
    assert not node(Device(path="/dev/p", type="p"), path="/dev/p", bind=True).bind


@pytest.mark.parametrize(
    ("path", "base"), [("/dev/pts/x", "/dev/pts"), ("/dev/ptsx", "/dev"), ("/opt/x", "/")]
)
def test_a_node_is_made_from_the_mount_that_it_lies_in(path: str, base: str) -> None:
    assert node(Device(path=path, type="p"), path=path).base == base


def test_only_the_images_ptmx_is_replaced() -> None:
    links = [step for step in plan() if isinstance(step, MakeSymlink)]
    assert [link.path for link in links if link.replace] == ["/dev/ptmx"]
