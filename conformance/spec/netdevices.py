"""config-linux.md, network devices: what is moved into the container, and how it arrives."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.spec.verdicts import expect, statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case

HERE, PEER = "pyoci-t0", "pyoci-t1"
VETH = ("veth",)


def ip(*words: str) -> str:
    """The output of ip(8)."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout


@contextlib.contextmanager
def veth() -> Iterator[None]:
    """A pair of devices in the suite's own network namespace; the first has an address."""
    ip("link", "add", HERE, "type", "veth", "peer", "name", PEER)
    ip("address", "add", "198.51.100.7/24", "dev", HERE)
    try:
        yield
    finally:
        # Where the container's namespace has ended the pair is gone already.
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "del", PEER)


def links_in(pid: int) -> dict[str, dict[str, Any]]:
    """The devices, with addresses, in the network namespace of a process, by name."""
    command = ["nsenter", "-t", str(pid), "-n", "ip", "-json", "address", "show"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return {link["ifname"]: link for link in json.loads(done.stdout)}


def bundle_with_device(case: Case, name: str | None = None) -> Bundle:
    """A bundle that asks for the device, renamed if `name` is given."""
    bundle = case.bundle()
    bundle.linux["netDevices"] = {HERE: {} if name is None else {"name": name}}
    return bundle


def moved(case: Case, name: str | None = None) -> dict[str, dict[str, Any]]:
    """The links of a created container that asked for the device."""
    with veth():
        return links_in(case.container(bundle_with_device(case, name)).created().pid)


@statement(
    "config-linux.md/network-devices/moved", "a listed device is in the container", needs=VETH
)
def device_is_moved(case: Case) -> None:
    links = moved(case)
    expect(HERE in links, f"the container has {sorted(links)}")


@statement("config-linux.md/network-devices/renamed", "with a name it has that name", needs=VETH)
def device_is_renamed(case: Case) -> None:
    links = moved(case, "inside0")
    expect("inside0" in links, f"the container has {sorted(links)}")


@statement(
    "config-linux.md/network-devices/template", "a name with %d gets a free number", needs=VETH
)
def device_name_template(case: Case) -> None:
    links = moved(case, "inside%d")
    expect("inside0" in links, f"the container has {sorted(links)}")


@statement("config-linux.md/network-devices/up", "a moved device is up", needs=VETH)
def device_is_up(case: Case) -> None:
    link = moved(case).get(HERE, {})
    expect("UP" in link.get("flags", ()), f"its flags are {link.get('flags')}")


@statement(
    "config-linux.md/network-devices/addresses", "a moved device keeps its addresses", needs=VETH
)
def device_keeps_addresses(case: Case) -> None:
    found = [entry.get("local") for entry in moved(case).get(HERE, {}).get("addr_info", ())]
    expect("198.51.100.7" in found, f"its addresses are {found}")


@statement(
    "config-linux.md/network-devices/missing",
    "a device that does not exist is an error",
    needs=VETH,
)
def device_is_missing(case: Case) -> None:
    case.refuses(bundle_with_device(case), "a network device that does not exist")


@statement(
    "config-linux.md/network-devices/conflict", "a name that is taken is an error", needs=VETH
)
def device_name_is_taken(case: Case) -> None:
    with veth():
        case.refuses(bundle_with_device(case, "lo"), "the name lo for a second device")


@statement(
    "config-linux.md/network-devices/not-moved-back",
    "delete does not move the device out of the namespace",
    level="MUST NOT",
    needs=VETH,
)
def device_is_not_moved_back(case: Case) -> None:
    held = Path(case.hold("net"))
    bundle = bundle_with_device(case)
    bundle.namespace("network", str(held / "net"))
    with veth():
        case.container(bundle).created().started().wait().deleted()
        links = links_in(int(held.parent.name))
        expect(HERE in links, f"the joined namespace has {sorted(links)} after delete")
