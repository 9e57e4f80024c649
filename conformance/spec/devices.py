"""config-linux.md, devices and default devices, and the list of devices that the cgroup allows."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.case import Case

DEFAULT = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
# A number for experiments that no driver has: opening it gives ENXIO, unless the cgroup
# refuses first.
TEST = {"type": "c", "path": "/dev/test", "major": 240, "minor": 77}
KINDS = {"c": stat.S_ISCHR, "u": stat.S_ISCHR, "b": stat.S_ISBLK, "p": stat.S_ISFIFO}


def default_device(name: str, numbers: tuple[int, int]) -> None:
    @statement(f"config-linux.md/default-devices/{name}", f"/dev/{name} is supplied")
    def check(case: Case) -> None:
        entry = case.observe(case.bundle(), f"stat=/dev/{name}").succeeded("stat", f"/dev/{name}")
        expect(stat.S_ISCHR(entry["mode"]), f"/dev/{name} has mode {entry['mode']:o}")
        expect_equal((entry["major"], entry["minor"]), numbers, f"the numbers of /dev/{name}")


for device_name, device_numbers in DEFAULT.items():
    default_device(device_name, device_numbers)


@statement("config-linux.md/default-devices/usable", "the default devices can be used")
def default_devices_work(case: Case) -> None:
    verbs = ("write=/dev/null", "read=/dev/zero", "read=/dev/urandom", "write=/dev/full")
    report = case.observe(case.bundle(), *verbs)
    report.succeeded("write", "/dev/null")
    expect_equal(report.succeeded("read", "/dev/zero")["data"], "\0" * 4096, "/dev/zero's bytes")
    report.succeeded("read", "/dev/urandom")
    expect_equal(report.errno("write", "/dev/full"), errno.ENOSPC, "errno of writing /dev/full")


@statement(
    "config-linux.md/default-devices/ptmx", "/dev/ptmx leads to the container's /dev/pts/ptmx"
)
def ptmx(case: Case) -> None:
    report = case.observe(case.bundle(), "stat=/dev/ptmx", "stat=/dev/pts/ptmx", "read=/dev/ptmx")
    keys = ("mode", "major", "minor")
    seen, wanted = (
        [report.succeeded("stat", path)[key] for key in keys]
        for path in ("/dev/ptmx", "/dev/pts/ptmx")
    )
    expect_equal(seen, wanted, "/dev/ptmx")
    expect(report.errno("read", "/dev/ptmx") in {0, errno.EAGAIN}, "/dev/ptmx cannot be opened")


@statement("config-linux.md/default-devices/beside-others", "also where devices lists others")
def default_devices_beside_others(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["devices"] = [TEST]
    report = case.observe(bundle, *(f"stat=/dev/{name}" for name in DEFAULT))
    for name in DEFAULT:
        report.succeeded("stat", f"/dev/{name}")


def observe_device(case: Case, device: dict[str, Any]) -> dict[str, Any]:
    """The stat of a device in a container that lists it."""
    bundle = case.bundle()
    bundle.linux["devices"] = [device]
    return case.observe(bundle, f"stat={device['path']}").succeeded("stat", device["path"])


def device_of_type(kind: str) -> None:
    @statement(f"config-linux.md/devices/type-{kind}", f"a device of type {kind} is available")
    def check(case: Case) -> None:
        device: dict[str, Any] = {"type": kind, "path": "/dev/test"}
        if kind != "p":
            device.update(major=240, minor=77)
        entry = observe_device(case, device)
        expect(KINDS[kind](entry["mode"]), f"/dev/test has mode {entry['mode']:o}")
        numbers = (device.get("major", 0), device.get("minor", 0))
        expect_equal((entry["major"], entry["minor"]), numbers, "its numbers")


for device_kind in KINDS:
    device_of_type(device_kind)


@statement("config-linux.md/devices/mode-and-owner", "fileMode, uid and gid are the device's")
def device_mode(case: Case) -> None:
    entry = observe_device(case, {**TEST, "fileMode": 0o624, "uid": 11, "gid": 12})
    seen = (stat.S_IMODE(entry["mode"]), entry["uid"], entry["gid"])
    expect_equal(seen, (0o624, 11, 12), "(mode, uid, gid)")


@statement("config-linux.md/devices/outside-dev", "a device's path may be outside /dev")
def device_outside_dev(case: Case) -> None:
    entry = observe_device(case, {**TEST, "path": "/mnt/sub/device"})
    expect_equal((entry["major"], entry["minor"]), (240, 77), "its numbers")


@statement(
    "config-linux.md/devices/existing-mismatch", "a different file at a device's path is an error"
)
def device_mismatch(case: Case) -> None:
    for make in (make_file, make_other_device):
        bundle = case.bundle()
        make(str(bundle.rootfs / "mnt/device"))
        bundle.linux["devices"] = [{**TEST, "path": "/mnt/device"}]
        case.refuses(bundle, f"a device over what {make.__name__} made")


def make_file(path: str) -> None:
    with open(path, "wb"):
        pass


def make_other_device(path: str) -> None:
    os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 3))


@statement(
    "config-linux.md/devices/existing-match", "a matching device at a device's path is no error"
)
def device_match(case: Case) -> None:
    bundle = case.bundle()
    os.mknod(bundle.rootfs / "mnt/device", stat.S_IFCHR | 0o644, os.makedev(240, 77))
    bundle.linux["devices"] = [{**TEST, "path": "/mnt/device"}]
    case.observe(bundle, "stat=/mnt/device").succeeded("stat", "/mnt/device")


def observe_rules(case: Case, *rules: dict[str, Any]) -> tuple[int, int]:
    """The errno of opening a listed device for reading and for writing under the rules."""
    bundle = case.bundle()
    bundle.linux.update(devices=[TEST], resources={"devices": list(rules)})
    report = case.observe(bundle, "read=/dev/test", "write=/dev/test")
    return report.errno("read", "/dev/test"), report.errno("write", "/dev/test")


DENY_ALL = {"allow": False, "access": "rwm"}
ALLOW_TEST = {"allow": True, "type": "c", "major": 240, "minor": 77, "access": "rwm"}


@statement(
    "config-linux.md/allowed-devices/order-allow", "an allowing rule after a denying one counts"
)
def rules_in_order_allow(case: Case) -> None:
    seen = observe_rules(case, DENY_ALL, ALLOW_TEST)
    expect_equal(seen, (errno.ENXIO,) * 2, "errno of reading and writing")


@statement(
    "config-linux.md/allowed-devices/order-deny", "a denying rule after an allowing one counts"
)
def rules_in_order_deny(case: Case) -> None:
    seen = observe_rules(case, ALLOW_TEST, {**ALLOW_TEST, "allow": False, "access": "rw"})
    expect_equal(seen, (errno.EPERM,) * 2, "errno of reading and writing")


@statement("config-linux.md/allowed-devices/access", "a rule counts for the access that it names")
def rules_by_access(case: Case) -> None:
    read, write = observe_rules(case, ALLOW_TEST, {**ALLOW_TEST, "allow": False, "access": "w"})
    expect_equal((read, write), (errno.ENXIO, errno.EPERM), "errno of reading and writing")
