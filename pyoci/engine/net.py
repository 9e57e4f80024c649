"""linux.netDevices: moving network devices of the host into the container, with pyroute2.

config-linux.md, "Network Devices". Imported only for a config that asks for it.
"""

from __future__ import annotations

import errno
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_RT_SCOPE_UNIVERSE = 0  # the kernel makes the addresses of other scopes itself
_IFA_F_PERMANENT = 0x80  # others are somebody's lease


def move_net_device(host_name: str, name: str, pid: int) -> None:
    """Move the device into the network namespace of `pid` under its new name, with its addresses.

    The kernel takes it down on the way; it is set up inside, with its permanent
    global addresses. `name` may end in %d, which becomes a free number. OSError
    if the device is missing, or cannot move or the name is taken: it stays as it is.
    """
    from pyoci.libraries import add_library_paths

    add_library_paths()
    from pyroute2 import IPRoute, NetlinkError, NetNS

    try:
        with IPRoute() as host, NetNS(f"/proc/{pid}/ns/net", flags=0) as inside:
            index = _find(host, host_name)
            # The kernel would notice only when the device has been moved.
            if inside.link_lookup(ifname=name):
                raise OSError(errno.EEXIST, posix.strerror(errno.EEXIST), name)
            addresses = _addresses(host, index)
            before = _indices(inside)
            host.link("set", index=index, ifname=name, net_ns_pid=pid)
            # Inside it may have another index, and a name that we do not know.
            for new in _indices(inside) - before:
                _set_up(inside, new, addresses)
    except NetlinkError as error:
        raise OSError(error.code, str(error.args[-1]).lower(), host_name) from None


def _find(link: Any, name: str) -> int:  # noqa: ANN401  (pyroute2 has no types)
    found = link.link_lookup(ifname=name)
    if not found:
        raise OSError(errno.ENODEV, posix.strerror(errno.ENODEV), name)
    return int(found[0])


def _indices(link: Any) -> set[int]:  # noqa: ANN401
    return {int(message["index"]) for message in link.get_links()}


def _addresses(link: Any, index: int) -> list[dict[str, object]]:  # noqa: ANN401
    """What pyroute2 needs to add each address again; `local` is another one if it has a peer."""
    found: list[dict[str, object]] = []
    for message in link.get_addr(index=index):
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        if message["scope"] == _RT_SCOPE_UNIVERSE and flags & _IFA_F_PERMANENT:
            address = message.get_attr("IFA_ADDRESS")
            local = message.get_attr("IFA_LOCAL") or address
            found.append({"address": address, "local": local, "prefixlen": message["prefixlen"]})
    return found


def _set_up(link: Any, index: int, addresses: list[dict[str, object]]) -> None:  # noqa: ANN401
    for address in addresses:
        link.addr("add", index=index, **address)
    link.link("set", index=index, state="up")
