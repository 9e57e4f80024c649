"""linux.devices and the default ones -> nodes and links (config-linux.md, "Default Devices")."""

from __future__ import annotations

from pyoci.paths import clean, nearest
from pyoci.plan.rootfs_steps import MakeDevice, MakeSymlink
from pyoci.spec.model import Device

DEFAULT_DEVICES = (
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
)
# runtime-linux.md, "Dev symbolic links", and the links of config-linux.md, "Default Devices".
DEFAULT_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
)


def plan_devices(
    devices: tuple[Device, ...], mounted: list[str], *, bind: bool
) -> list[MakeDevice | MakeSymlink]:
    """The default nodes, the config's (which win over a default of the same path), the links.

    `mounted` are the destinations of our own mounts, in order: one of them in
    the place of a default node or link is taken for it. `bind` takes the
    host's nodes where mknod(2) is forbidden.
    """
    taken = {clean(device.path) for device in devices}
    taken |= {path for path in mounted if nearest(path, mounted) == path}
    steps: list[MakeDevice | MakeSymlink] = [
        _node(Device(path=path, type="c", major=major, minor=minor), "", mounted, bind=bind)
        for path, major, minor in DEFAULT_DEVICES
        if path not in taken
    ]
    steps += [
        _node(device, f"linux.devices[{n}]", mounted, bind=bind) for n, device in enumerate(devices)
    ]
    steps += [_link(path, target, mounted) for path, target in DEFAULT_LINKS if path not in taken]
    return steps


def _node(device: Device, config: str, mounted: list[str], *, bind: bool) -> MakeDevice:
    path = clean(device.path)
    return MakeDevice(
        config=config,
        base=_directory_base(path, mounted),
        path=path,
        type="c" if device.type == "u" else device.type,
        major=device.major,
        minor=device.minor,
        mode=0o666 if device.file_mode is None else device.file_mode & 0o7777,
        uid=device.uid,
        gid=device.gid,
        bind=bind and device.type != "p",
    )


def _link(path: str, target: str, mounted: list[str]) -> MakeSymlink:
    replace = path == "/dev/ptmx"  # the image's own node would open another devpts
    if_there = path == "/dev/core"  # a kernel need not have it (CONFIG_PROC_KCORE)
    base = _directory_base(path, mounted)
    return MakeSymlink(base=base, path=path, target=target, replace=replace, if_there=if_there)


def _directory_base(path: str, mounted: list[str]) -> str:
    """The mount that the directory of a clean path lies in; at the path itself may be another."""
    return nearest(path.rpartition("/")[0] or "/", mounted)
