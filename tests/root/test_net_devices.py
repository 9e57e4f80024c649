"""linux.netDevices: moved into the container with all they have (config-linux.md)."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.support.containers import Container, MakeContainer, Result
from tests.support.mounts import run_in_namespace

VETH = "ip link add given type veth peer name kept; ip addr add 10.9.8.7/24 dev given\n"
VETH += "ip addr add 2001:db8::7/64 dev given nodad; ip addr add 10.9.8.8/24 dev given\n"
VETH += "ip link set given up; ip link set kept up\nAFTER='ip -o link'\n"


def run_with_devices(
    container: MakeContainer, devices: dict[str, Any], script: str = VETH
) -> tuple[Container, Result]:
    needs = ["unshare", "--net", "ip", "link", "add", "given", "type", "veth"]
    if subprocess.run(needs, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs veth devices")
    c = container("sh", "-c", "ip -o addr; echo; ip -o link", linux={"netDevices": devices})
    return c, run_in_namespace(c, script, unshare=("--net",))


def test_a_network_device_is_moved_with_its_addresses(container: MakeContainer) -> None:
    _, done = run_with_devices(container, {"given": {"name": "eth0"}})
    done.ok()
    inside, _, after = done.stdout.partition("\n\n")
    words = [line.split() for line in inside.splitlines() if " eth0 " in line.replace("@", " ")]
    addresses = {(line[2], line[3]) for line in words if line[2] in ("inet", "inet6")}
    assert addresses >= {
        ("inet", "10.9.8.7/24"),
        ("inet", "10.9.8.8/24"),
        ("inet6", "2001:db8::7/64"),
    }
    links = after.splitlines()
    assert any(" eth0@" in line and ",UP" in line for line in links)


def test_a_network_device_keeps_its_name_unless_told(container: MakeContainer) -> None:
    _, done = run_with_devices(container, {"given": {}})
    assert " given@" in done.ok().stdout


def test_a_network_device_takes_a_free_number(container: MakeContainer) -> None:
    _, done = run_with_devices(container, {"given": {"name": "net%d"}, "kept": {"name": "net%d"}})
    inside = done.ok().stdout
    assert "net0" in inside
    assert "net1" in inside
    assert inside.count("10.9.8.7/24") == 1


def test_a_point_to_point_address_keeps_its_peer(container: MakeContainer) -> None:
    script = VETH + "ip addr add 192.0.2.1 peer 192.0.2.2/32 dev given"
    _, done = run_with_devices(container, {"given": {}}, script)
    assert "inet 192.0.2.1 peer 192.0.2.2/32" in done.ok().stdout


REFUSED_DEVICES: dict[str, tuple[dict[str, Any], str]] = {
    "taken": ({"given": {"name": "lo"}}, "EEXIST"),
    "missing": ({"missing": {}}, "ENODEV"),
    "immovable": ({"lo": {"name": "other"}}, "EINVAL"),
}


@pytest.mark.parametrize("case", REFUSED_DEVICES)
def test_a_network_device_that_cannot_be_moved(container: MakeContainer, case: str) -> None:
    devices, text = REFUSED_DEVICES[case]
    c, done = run_with_devices(container, devices, f"{VETH}ip link set lo up")
    done.failed(f"linux.netDevices.{next(iter(devices))}", text)
    # All are where they were, as they were.
    assert [",UP" in line for line in done.stdout.splitlines()] == [True, True, True]
    c.assert_gone()
