"""What the schema cannot say of ``linux``: namespaces, mappings, devices, sysctl and the like."""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.spec.rules_process import MAX_ID, check_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import IdMapping, Spec

# include/linux/kdev_t.h: a device number that is larger would be cut, and name another device.
MAX_MAJOR = 2**12 - 1
MAX_MINOR = 2**20 - 1
MAX_INTERFACE_NAME = 15  # IFNAMSIZ, less the NUL
CLOCKS = ("monotonic", "boottime")
NANOSECONDS = 10**9


def namespace_paths(spec: Spec) -> dict[str, str]:
    """The namespaces that are not the caller's, by type: the path if joined, empty if new."""
    return {namespace.type: namespace.path for namespace in spec.linux.namespaces}


def check_namespaces(spec: Spec) -> None:
    """Each type once, and paths absolute (config-linux.md, "Namespaces")."""
    seen: set[str] = set()
    for index, namespace in enumerate(spec.linux.namespaces):
        path = f"linux.namespaces[{index}]"
        if namespace.type in seen:
            raise ConfigError(f"{path}.type", f"a second {namespace.type} namespace")
        if namespace.path and not namespace.path.startswith("/"):
            raise ConfigError(f"{path}.path", "must be an absolute path")
        seen.add(namespace.type)


def check_user_namespace(spec: Spec) -> None:
    """Mappings belong to a user namespace, and a new one is useless without."""
    linux = spec.linux
    path = namespace_paths(spec).get("user")
    mappings = {"linux.uidMappings": linux.uid_mappings, "linux.gidMappings": linux.gid_mappings}
    for name, entries in mappings.items():
        if entries and path is None:
            raise ConfigError(name, "there is no user namespace to map")
        if not entries and path == "":
            raise ConfigError(name, "a new user namespace needs mappings")
        check_mappings(entries, name)


def check_mappings(mappings: tuple[IdMapping, ...], path: str) -> None:
    """Ranges are not empty, hold ids only, and do not overlap (user_namespaces(7))."""
    for index, mapping in enumerate(mappings):
        where = f"{path}[{index}]"
        check_id(mapping.container_id, f"{where}.containerID")
        check_id(mapping.host_id, f"{where}.hostID")
        last = max(mapping.container_id, mapping.host_id) + mapping.size - 1
        if mapping.size < 1 or last > MAX_ID:
            reason = f"{mapping.size} ids from there are none, or go beyond {MAX_ID}"
            raise ConfigError(f"{where}.size", reason)
    for side in ("container_id", "host_id"):
        end = 0
        for start, size, index in sorted(
            (getattr(mapping, side), mapping.size, index) for index, mapping in enumerate(mappings)
        ):
            if start < end:
                raise ConfigError(f"{path}[{index}]", "overlaps another mapping")
            end = start + size


def check_time_offsets(spec: Spec) -> None:
    """A new time namespace, and clocks that it has (time_namespaces(7))."""
    for offset in spec.linux.time_offsets:
        path = f"linux.timeOffsets.{offset.clock}"
        if namespace_paths(spec).get("time") != "":
            raise ConfigError(path, "time offsets need a new time namespace")
        if offset.clock not in CLOCKS:
            raise ConfigError(path, f"unknown clock, expected {' or '.join(CLOCKS)}")
        if not 0 <= offset.nanosecs < NANOSECONDS:
            raise ConfigError(f"{path}.nanosecs", f"expected less than {NANOSECONDS}")


def check_sysctl(spec: Spec) -> None:
    """Only parameters of the container's own namespaces (SECURITY: R-SYS-1)."""
    if not spec.linux.sysctl:
        return
    from pyoci.spec.sysctl import sysctl_namespace, sysctl_path

    namespaces = namespace_paths(spec)
    for name, _ in spec.linux.sysctl:
        path = f"linux.sysctl.{name}"
        file = sysctl_path(name)
        needed = sysctl_namespace(file)
        if file == "kernel/hostname":
            raise ConfigError(path, "use the property hostname instead")
        if not needed:
            raise ConfigError(path, "not a parameter of a namespace: it would change the host")
        # A joined user namespace is somebody else's, and its limits bind others too.
        if needed not in namespaces or (needed == "user" and namespaces["user"]):
            new = "new " if needed == "user" else ""
            raise ConfigError(path, f"needs a {new}namespace of type {needed}")


def check_hidden_paths(spec: Spec) -> None:
    """Masked and read-only paths are absolute, and stay in the container's mount namespace."""
    linux = spec.linux
    lists = {"linux.maskedPaths": linux.masked_paths, "linux.readonlyPaths": linux.readonly_paths}
    for name, paths in lists.items():
        if paths and "mount" not in namespace_paths(spec):
            raise ConfigError(name, "needs a mount namespace")
        for index, path in enumerate(paths):
            if not path.startswith("/"):
                raise ConfigError(f"{name}[{index}]", "must be an absolute path")


def check_devices(spec: Spec) -> None:
    """Devices that mknod(2) can make, one to a path (config-linux.md, "Devices")."""
    seen: dict[str, tuple[str, int, int]] = {}
    for index, device in enumerate(spec.linux.devices):
        path = f"linux.devices[{index}]"
        number = (device.type, device.major, device.minor)
        if not device.path.startswith("/"):
            raise ConfigError(f"{path}.path", "must be an absolute path")
        if device.type != "p" and not 0 <= device.major <= MAX_MAJOR:
            raise ConfigError(f"{path}.major", f"expected 0 to {MAX_MAJOR}, got {device.major}")
        if device.type != "p" and not 0 <= device.minor <= MAX_MINOR:
            raise ConfigError(f"{path}.minor", f"expected 0 to {MAX_MINOR}, got {device.minor}")
        check_id(device.uid, f"{path}.uid")
        check_id(device.gid, f"{path}.gid")
        # Engines may list a device twice; two devices at one path cannot be meant.
        if seen.setdefault(device.path, number) != number:
            raise ConfigError(f"{path}.path", "already taken by another device")


def check_net_devices(spec: Spec) -> None:
    """Interfaces move to another network namespace, under names the kernel can take."""
    names: set[str] = set()
    for device in spec.linux.net_devices:
        path = f"linux.netDevices.{device.host_name}"
        if "network" not in namespace_paths(spec):
            raise ConfigError(path, "needs a network namespace")
        if not is_interface_name(device.host_name):
            raise ConfigError(path, "not the name of a network interface")
        if not is_interface_name(device.name) or device.name.count("%") != device.name.count("%d"):
            raise ConfigError(f"{path}.name", "not the name of a network interface")
        if device.name in names and "%d" not in device.name:
            raise ConfigError(f"{path}.name", f"{device.name} is taken by another device")
        names.add(device.name)


def is_interface_name(name: str) -> bool:
    """Whether the kernel takes the name (dev_valid_name in net/core/dev.c)."""
    if name in {"", ".", ".."} or len(name.encode()) > MAX_INTERFACE_NAME:
        return False
    return not any(char in "/:" or char.isspace() for char in name) and name.count("%") <= 1


def check_intel_rdt(spec: Spec) -> None:
    """The class of service is a directory below resctrl, or resctrl itself (``/``)."""
    identity = (spec.linux.intel_rdt or {}).get("closID", "")
    if not isinstance(identity, str) or identity in {"", "/"}:
        return
    if "/" in identity or identity in {".", ".."}:
        raise ConfigError("linux.intelRdt.closID", "expected / or a name without slashes")


LINUX_RULES = (
    check_namespaces,
    check_user_namespace,
    check_time_offsets,
    check_sysctl,
    check_hidden_paths,
    check_devices,
    check_net_devices,
    check_intel_rdt,
)
