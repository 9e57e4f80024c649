"""A new user namespace and its mappings (config-linux.md, "User namespace mappings")."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from tests.support.containers import Config, Container, MakeContainer, Result
from tests.support.mounts import run_in_namespace
from tests.support.namespaces import read_own
from tests.support.user_namespaces import ROOT_ID
from tests.support.user_namespaces import mapped as mapped_anywhere


def mapped(container: MakeContainer, *args: str, **overrides: Any) -> Container:  # noqa: ANN401
    """One whose root filesystem is to be mounted on /mnt, where everybody gets to."""
    c = mapped_anywhere(container, *args, **overrides)
    c.bundle.config["root"]["path"] = "/mnt"
    c.bundle.write()
    return c


def run_mapped(c: Container) -> Result:
    """Run it with its root filesystem where the namespace's root can reach it."""
    return run_in_namespace(c, "mount --bind $B/rootfs /mnt")


def test_a_user_namespace_has_exactly_the_mappings(container: MakeContainer) -> None:
    script = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups"
    script += "; readlink /proc/self/ns/user"
    words = run_mapped(mapped(container, "sh", "-c", script)).ok().stdout.split()
    assert words[:2] == ["0", "0"]
    assert words[2:-2] == ["0", "200000", "1000", "1000", "300000", "500", "0", "200000", "1000"]
    assert words[-2] == "allow"
    assert words[-1] != read_own("user")


def test_files_of_a_user_namespace_belong_to_the_ids_outside(container: MakeContainer) -> None:
    script = (
        "touch /root/mine; stat -c '%u %g' /root /root/mine /bin/sh; touch /bin/sh && echo mine"
    )
    c = mapped(container, "sh", "-c", script)
    done = run_mapped(c)
    assert done.stdout == "0 0\n0 0\n65534 65534\n"
    assert "Permission denied" in done.stderr
    made = (c.bundle.rootfs / "root" / "mine").stat()
    assert (made.st_uid, made.st_gid) == (200000, 200000)


def test_in_a_user_namespace_devices_are_the_hosts(container: MakeContainer) -> None:
    script = "stat -c '%n %t:%T %u' /dev/null /dev/zero /dev/tty; echo x >/dev/null"
    script += "; grep -c ' /null /dev/null ' /proc/self/mountinfo; readlink /dev/ptmx"
    done = run_mapped(mapped(container, "sh", "-c", script)).ok()
    assert done.stdout.splitlines() == [
        "/dev/null 1:3 65534",
        "/dev/zero 1:5 65534",
        "/dev/tty 5:0 65534",
        "1",
        "pts/ptmx",
    ]


def test_in_a_user_namespace_paths_are_masked(container: MakeContainer) -> None:
    script = "cat /proc/keys /proc/timer_list; ls -A /proc/acpi /sys/firmware"
    script += "; grep -o ' /proc/sys ro,' /proc/self/mountinfo"
    done = run_mapped(mapped(container, "sh", "-c", script))
    assert done.ok().stdout == "/proc/acpi:\n\n/sys/firmware:\n /proc/sys ro,\n"


def test_another_user_and_groups_of_a_user_namespace(container: MakeContainer) -> None:
    user = {"uid": 1001, "gid": 7, "additionalGids": [8, 999]}
    done = run_mapped(mapped(container, "id", process={"user": user}))
    assert done.ok().stdout == "uid=1001 gid=7 groups=8,999\n"


@pytest.mark.parametrize("user", [{"uid": 5000, "gid": 0}, {"uid": 0, "gid": 1000}])
def test_ids_without_a_mapping_are_refused(container: MakeContainer, user: dict[str, int]) -> None:
    done = run_mapped(mapped(container, "id", process={"user": user}))
    done.failed("process.user", "EINVAL")


def test_a_device_of_the_config_in_a_user_namespace(container: MakeContainer) -> None:
    devices = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "uid": 0},
        {"path": "/dev/fifo", "type": "p", "fileMode": 0o640, "uid": 5, "gid": 6},
    ]
    args = ("stat", "-c", "%n %F %t:%T", "/dev/fuse", "/dev/fifo")
    done = run_mapped(mapped(container, *args, linux={"devices": devices}))
    assert done.ok().stdout.splitlines() == [
        "/dev/fuse character special file a:e5",
        "/dev/fifo fifo 0:0",
    ]


def test_sysctl_in_a_user_namespace(container: MakeContainer) -> None:
    linux = {"sysctl": {"net.ipv4.ip_default_ttl": "99"}}
    c = mapped(container, "cat", "/proc/sys/net/ipv4/ip_default_ttl", linux=linux)
    assert run_mapped(c).ok().stdout == "99\n"


@pytest.mark.parametrize("options", ["tmpfs", "copy-up", "bind", "readonly"])
def test_mounts_in_a_user_namespace(container: MakeContainer, options: str) -> None:
    mounts: dict[str, Config] = {
        "tmpfs": {"type": "tmpfs", "options": ["nosuid", "mode=711"]},
        "copy-up": {"type": "tmpfs", "options": ["tmpcopyup"]},
        "bind": {"source": "/mnt/etc", "options": ["rbind", "noexec"]},
        "readonly": {"source": "/mnt/etc", "options": ["bind", "rro"]},
    }
    c = mapped(container, "sh", "-c", "ls /etc; touch /etc/new && rm /etc/new; stat -c %u /etc")
    c.bundle.config["mounts"].append(mounts[options] | {"destination": "/etc"})
    c.bundle.write()
    done = run_mapped(c)
    kept = "" if options == "tmpfs" else "group\npasswd\n"
    assert done.stdout == f"{kept}0\n"
    assert ("Read-only file system" in done.stderr) is (options == "readonly")


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("options", ["ro", "rw"])
def test_the_cgroup_in_a_user_namespace(container: MakeContainer, own: bool, options: str) -> None:
    """It can be looked at; without the right to it, that it is writable is no use."""
    script = "cat /sys/fs/cgroup/cgroup.procs | head -n 1; mkdir /sys/fs/cgroup/x"
    c = mapped_anywhere(container, "sh", "-c", script)
    c.bundle.config["mounts"][-1]["options"] = [options]
    if own:
        c.bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    c.bundle.write()
    done = c.run()
    if own and options == "rw":  # the cgroup is then root's, of the user namespace
        assert (done.stdout, done.stderr) == ("1\n", "")
        return
    assert done.stdout == "1\n"
    reason = "Read-only file system" if options == "ro" else "Permission denied"
    assert reason in done.stderr


def test_a_stream_of_the_namespaces_root_becomes_the_users(container: MakeContainer) -> None:
    user = {"uid": 5, "gid": 0}
    c = mapped_anywhere(container, "sh", "-c", "echo x >/proc/self/fd/1", process={"user": user})
    c.stdout_path.touch()
    os.chown(c.stdout_path, ROOT_ID, ROOT_ID)
    with c.stdout_path.open("ab") as out:
        c.run(stdout=out).ok()
    assert c.stdout_path.stat().st_uid == ROOT_ID + 5
    assert c.read_stdout() == "x\n"


def test_a_stream_of_the_hosts_stays_the_hosts(container: MakeContainer) -> None:
    c = mapped_anywhere(container, "sh", "-c", "echo x", process={"user": {"uid": 5, "gid": 0}})
    with c.stdout_path.open("ab") as out:
        c.run(stdout=out).ok()
    assert (c.stdout_path.stat().st_uid, c.read_stdout()) == (0, "x\n")


def test_parameters_of_the_user_namespace(container: MakeContainer) -> None:
    c = mapped_anywhere(container, "cat", "/proc/sys/user/max_uts_namespaces",
                        linux={"sysctl": {"user.max_uts_namespaces": "7"}})  # fmt: skip
    assert c.run().ok().stdout == "7\n"


def test_setgroups_that_the_joined_namespace_denies(container: MakeContainer) -> None:
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", "echo ready; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        path = f"/proc/{holder.pid}/ns/user"
        join = {"type": "user", "path": path}
        c = container("id")
        c.bundle.config["linux"]["namespaces"].append(join)
        c.bundle.config["mounts"][2]["options"].remove("gid=5")
        c.bundle.write()
        assert c.run().ok().stdout.startswith("uid=0(root) gid=0(root)")
        c.bundle.config["process"]["user"] = {"uid": 0, "gid": 0, "additionalGids": [0]}
        c.bundle.write()
        c.run().failed("become user 0:0", "setgroups denied", "process.user")
        holder.communicate()
