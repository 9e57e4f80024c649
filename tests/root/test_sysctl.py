"""linux.sysctl: parameters of the container's namespaces, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.containers import MakeContainer
from tests.support.namespaces import KINDS, hold_namespaces, namespaces

PARAMETERS = {
    "net.ipv4.ip_default_ttl": "77",
    "net/ipv4/conf/lo/forwarding": "1",
    "net.ipv4.conf.lo.rp_filter": "2",
    "kernel.shmmni": "1234",
    "kernel.msgmax": "4321",
    "kernel.sem": "10\t20\t30\t40",
    "kernel/shm_rmid_forced": "1",
    "fs.mqueue.msg_max": "22",
    "kernel.domainname": "by-sysctl",
}


def test_sysctl_of_the_containers_namespaces(container: MakeContainer) -> None:
    files = [f"/proc/sys/{name.replace('.', '/')}" for name in PARAMETERS]
    own = [Path(path).read_text() for path in files if not path.startswith("/proc/sys/net")]
    c = container("cat", *files, linux={"sysctl": PARAMETERS})
    assert c.run().ok().stdout.splitlines() == list(PARAMETERS.values())
    assert [Path(p).read_text() for p in files if not p.startswith("/proc/sys/net")] == own
    assert Path("/proc/sys/net/ipv4/ip_default_ttl").read_text() != "77\n"


REFUSED = {
    "vm.swappiness": "1",
    "kernel.hostname": "x",
    "kernel.panic": "1",
    "kernel.core_pattern": "|/x",
    "fs.file-max": "1",
    "net.ipv4/../../vm/swappiness": "1",
    "net/../vm/swappiness": "1",
    "net//ipv4/ip_forward": "1",
    "kernel.shm": "1",
    "user.max_user_namespaces": "1",
    "": "1",
}


@pytest.mark.parametrize("name", REFUSED)
def test_sysctl_that_would_change_the_host(container: MakeContainer, name: str) -> None:
    c = container("true", linux={"sysctl": {name: REFUSED[name]}})
    c.run().failed(f"linux.sysctl.{name}")
    c.assert_gone()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("network", "net.ipv4.ip_forward"), ("ipc", "kernel.shmmni"), ("uts", "kernel.domainname")],
)
@pytest.mark.parametrize("way", ["absent", "joined"])
def test_sysctl_needs_a_namespace_that_is_not_the_hosts(
    container: MakeContainer, kind: str, name: str, way: str
) -> None:
    others = [other for other in KINDS if other != kind]
    paths = {kind: f"/proc/self/ns/{KINDS[kind]}"} if way == "joined" else {}
    before = Path("/proc/sys", name.replace(".", "/")).read_text()
    c = container("true", mutate=namespaces(*others, **paths), linux={"sysctl": {name: before}})
    c.run().failed("linux.sysctl" if way == "absent" else "sysctl would change the host")
    c.assert_gone()


def test_sysctl_of_a_joined_namespace(container: MakeContainer) -> None:
    path = f"/proc/{hold_namespaces(container).pid}/ns/net"
    c = container(
        *("cat", "/proc/sys/net/ipv4/ip_default_ttl"),
        mutate=namespaces("mount", "pid", "uts", network=path),
        linux={"sysctl": {"net.ipv4.ip_default_ttl": "88"}},
    )
    assert c.run().ok().stdout == "88\n"


@pytest.mark.parametrize(
    ("name", "value", "errno"),
    [("net.ipv4.no_such", "1", "ENOENT"), ("net.ipv4.ip_default_ttl", "many", "EINVAL")],
)
def test_sysctl_that_the_kernel_refuses(
    container: MakeContainer, name: str, value: str, errno: str
) -> None:
    c = container("true", linux={"sysctl": {name: value}})
    c.run().failed(f"linux.sysctl.{name}", errno)
    c.assert_gone()
