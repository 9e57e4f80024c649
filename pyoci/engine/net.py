"""linux.netDevices: moving network devices of the host into the container, with pyroute2.

config-linux.md, "Network Devices". Imported only for a config that asks for it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KEPT_SCOPES = (0,)  # RT_SCOPE_UNIVERSE: addresses of other scopes the kernel makes itself


def move_net_device(host_name: str, name: str, pid: int) -> None:
    """Move the device into the network namespace of `pid` under its new name, with its addresses.

    It goes down, over and up again; global addresses are set again inside.
    OSError if the device is missing or the name is taken.
    """
    from pyoci.libraries import add_library_paths

    add_library_paths()
    from pyroute2 import IPRoute, NetlinkError, NetNS

    try:
        with IPRoute() as host:
            index = _index(host, host_name)
            addresses = _addresses(host, index)
            host.link("set", index=index, state="down")
            host.link("set", index=index, ifname=name, net_ns_pid=pid)
        with NetNS(f"/proc/{pid}/ns/net", flags=0) as inside:
            _set_up(inside, name, addresses)
    except NetlinkError as error:
        raise OSError(error.code, str(error.args[-1]).lower(), host_name) from None


def _index(link: Any, name: str) -> int:  # noqa: ANN401  (pyroute2 has no types)
    found = link.link_lookup(ifname=name)
    if not found:
        raise OSError(19, "no such device", name)
    return int(found[0])


def _addresses(link: Any, index: int) -> list[tuple[str, int]]:  # noqa: ANN401
    return [
        (address.get_attr("IFA_ADDRESS"), address["prefixlen"])
        for address in link.get_addr(index=index)
        if address["scope"] in _KEPT_SCOPES
    ]


def _set_up(link: Any, name: str, addresses: list[tuple[str, int]]) -> None:  # noqa: ANN401
    index = _index(link, name)
    for address, prefix in addresses:
        link.addr("add", index=index, address=address, prefixlen=prefix)
    link.link("set", index=index, state="up")
