"""config-linux.md: root propagation, masked and read-only paths, sysctl, personality, NUMA."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec.report import parse_mountinfo
from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case

PROPAGATION: dict[str, tuple[set[str], set[str]]] = {
    "shared": ({"shared"}, {"unbindable"}),
    "slave": ({"master"}, {"shared", "unbindable"}),
    "private": (set(), {"shared", "master", "unbindable"}),
    "unbindable": ({"unbindable"}, {"shared", "master"}),
}


def rootfs_propagation(name: str, wanted: set[str], unwanted: set[str]) -> None:
    @statement(f"config-linux.md/rootfs-propagation/{name}", f"rootfsPropagation {name}")
    def check(case: Case) -> None:
        bundle = case.bundle()
        bundle.linux["rootfsPropagation"] = name
        fields = {word.split(":")[0] for word in case.observe(bundle).mount_at("/").propagation}
        expect(wanted <= fields, f"/ is {sorted(fields) or 'private'}, wanted {sorted(wanted)}")
        expect(not unwanted & fields, f"/ is {sorted(fields)}")


for propagation, (with_fields, without_fields) in PROPAGATION.items():
    rootfs_propagation(propagation, with_fields, without_fields)


def appears_in_container(case: Case, propagation: str) -> bool:
    """True if what is mounted on the host, below the root file system, appears in the container."""
    bundle = case.bundle()
    bundle.linux["rootfsPropagation"] = propagation
    pid = case.container(bundle).created().pid
    case.mount_tmpfs(bundle.rootfs / "mnt")
    mounts = parse_mountinfo(Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8"))
    return any(mount.point == "/mnt" for mount in mounts)


@statement("config-linux.md/rootfs-propagation/slave-receives", "slave: the host's mounts appear")
def slave_receives(case: Case) -> None:
    expect(appears_in_container(case, "slave"), "a mount of the host did not appear")


@statement(
    "config-linux.md/rootfs-propagation/private-apart", "private: the host's mounts do not appear"
)
def private_is_apart(case: Case) -> None:
    expect(not appears_in_container(case, "private"), "a mount of the host appeared")


def bundle_with_secret(case: Case) -> Bundle:
    """A bundle whose root file system has /etc/secret and /mnt/dir/file."""
    bundle = case.bundle()
    (bundle.rootfs / "etc/secret").write_text("secret", encoding="ascii")
    (bundle.rootfs / "mnt/dir").mkdir()
    (bundle.rootfs / "mnt/dir/file").write_text("secret", encoding="ascii")
    return bundle


@statement("config-linux.md/masked-paths/file", "a masked file cannot be read")
def masked_file(case: Case) -> None:
    bundle = bundle_with_secret(case)
    bundle.linux["maskedPaths"] = ["/etc/secret", "/proc/kcore"]
    report = case.observe(bundle, "read=/etc/secret", "read=/proc/kcore")
    for path in ("/etc/secret", "/proc/kcore"):
        entry = report.attempt("read", path)
        expect(entry["errno"] != 0 or entry["data"] == "", f"{path} can be read")


@statement("config-linux.md/masked-paths/directory", "a masked directory shows nothing")
def masked_directory(case: Case) -> None:
    bundle = bundle_with_secret(case)
    bundle.linux["maskedPaths"] = ["/mnt/dir"]
    entry = case.observe(bundle, "list=/mnt/dir").attempt("list", "/mnt/dir")
    expect(entry["errno"] != 0 or entry["names"] == [], f"it shows {entry.get('names')}")


@statement("config-linux.md/masked-paths/relative", "a masked path that is relative is an error")
def masked_relative(case: Case) -> None:
    bundle = bundle_with_secret(case)
    bundle.linux["maskedPaths"] = ["etc/secret"]
    case.refuses(bundle, "a relative masked path")


@statement("config-linux.md/readonly-paths/file", "a read-only path cannot be written")
def readonly_file(case: Case) -> None:
    bundle = bundle_with_secret(case)
    bundle.linux["readonlyPaths"] = ["/etc/secret", "/proc/sys"]
    report = case.observe(
        bundle, "write=/etc/secret", "write=/proc/sys/kernel/hostname", "read=/etc/secret"
    )
    for path in ("/etc/secret", "/proc/sys/kernel/hostname"):
        expect_equal(report.errno("write", path), errno.EROFS, f"errno of writing {path}")
    report.succeeded("read", "/etc/secret")


@statement("config-linux.md/readonly-paths/directory", "nothing can be made below a read-only path")
def readonly_directory(case: Case) -> None:
    bundle = bundle_with_secret(case)
    bundle.linux["readonlyPaths"] = ["/mnt/dir"]
    report = case.observe(bundle, "create=/mnt/dir/new", "write=/mnt/dir/file")
    expect_equal(report.errno("create", "/mnt/dir/new"), errno.EROFS, "errno of making a file")
    expect_equal(report.errno("write", "/mnt/dir/file"), errno.EROFS, "errno of writing a file")


@statement(
    "config-linux.md/readonly-paths/relative", "a read-only path that is relative is an error"
)
def readonly_relative(case: Case) -> None:
    bundle = bundle_with_secret(case)
    bundle.linux["readonlyPaths"] = ["etc/secret"]
    case.refuses(bundle, "a relative read-only path")


@statement(
    "config-linux.md/sysctl/applied", "sysctl values are set for the container, not the host"
)
def sysctl(case: Case) -> None:
    bundle = case.bundle()
    forward, shm = "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmni"
    before = Path(shm).read_text(encoding="ascii")
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmni": "1234"}
    report = case.observe(bundle, f"read={forward}", f"read={shm}")
    expect_equal(report.succeeded("read", forward)["data"], "1\n", "ip_forward")
    expect_equal(report.succeeded("read", shm)["data"], "1234\n", "shmmni")
    expect_equal(Path(shm).read_text(encoding="ascii"), before, "the host's shmmni")


@statement("config-linux.md/sysctl/unknown", "a sysctl that the kernel lacks is an error")
def sysctl_unknown(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["sysctl"] = {"net.ipv4.no_such_file": "1"}
    case.refuses(bundle, "an unknown sysctl")


@statement("config-linux.md/sysctl/invalid", "a value that the kernel refuses is an error")
def sysctl_invalid(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["sysctl"] = {"kernel.shmmni": "many"}
    case.refuses(bundle, "kernel.shmmni = many")


@statement("config-linux.md/personality/LINUX32", "with LINUX32 uname shows a 32-bit machine")
def personality_linux32(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["personality"] = {"domain": "LINUX32"}
    report = case.observe(bundle)
    expect_equal(report["personality"], 8, "the personality")
    expect(report["machine"] in {"i686", "armv8l"}, f"the machine is {report['machine']}")


@statement("config-linux.md/personality/LINUX", "LINUX is the usual personality")
def personality_linux(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["personality"] = {"domain": "LINUX"}
    expect_equal(case.observe(bundle)["personality"], 0, "the personality")


@statement("config-linux.md/memory-policy/applied", "the memory policy is set", needs=("numa",))
def memory_policy(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
    expect_equal(case.observe(bundle)["mempolicy"], 2, "the mode of get_mempolicy")


@statement(
    "config-linux.md/mount-label/applied", "mounts get the SELinux label", needs=("selinux",)
)
def mount_label(case: Case) -> None:
    bundle = case.bundle()
    label = "system_u:object_r:container_file_t:s0"
    bundle.linux["mountLabel"] = label
    bundle.mount("/mnt", "tmpfs", "tmpfs")
    words = case.observe(bundle).mount_at("/mnt").super_options
    expect(any(label in word for word in words), f"/mnt has {sorted(words)}")
