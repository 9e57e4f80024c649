"""Names of kernel parameters: which file, and whose."""

from __future__ import annotations

import pytest

from pyoci.spec.sysctl import sysctl_namespace, sysctl_path


@pytest.mark.parametrize(
    ("name", "path", "namespace"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward", "network"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward", "network"),
        ("net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter", "network"),
        ("net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter", "network"),
        ("kernel.msgmax", "kernel/msgmax", "ipc"),
        ("kernel.msgmax.x", "kernel/msgmax/x", ""),
        ("kernel.msgsize", "kernel/msgsize", ""),
        ("fs.mqueue.msg_max", "fs/mqueue/msg_max", "ipc"),
        ("fs.mqueue", "fs/mqueue", ""),
        ("fs.file-max", "fs/file-max", ""),
        ("kernel.domainname", "kernel/domainname", "uts"),
        ("kernel.hostname", "kernel/hostname", ""),
        ("user.max_mnt_namespaces", "user/max_mnt_namespaces", "user"),
        ("vm.swappiness", "vm/swappiness", ""),
        ("network.x", "network/x", ""),
        ("net.", "net/", ""),
        (".net", "/net", ""),
        ("net.//.x", "net/../x", ""),
    ],
)
def test_sysctl_names(name: str, path: str, namespace: str) -> None:
    assert sysctl_path(name) == path
    assert sysctl_namespace(path) == namespace
