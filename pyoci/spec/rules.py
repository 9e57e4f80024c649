"""What the schema cannot say of a config.json: small checks of a Spec, in one tuple.

A rule needs no system: what depends on the host is checked where the host is known. What only one
planner understands (words of mount options, seccomp, cgroup limits) it refuses itself.
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.paths import clean
from pyoci.spec.rules_linux import LINUX_RULES, check_mappings, namespace_paths
from pyoci.spec.rules_process import check_environment, check_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import Hook, Spec

# Below /proc: what lxcfs serves, and what checkpointing tools set. Nothing else may be hidden.
PROC_FILES = (
    "cpuinfo",
    "diskstats",
    "loadavg",
    "meminfo",
    "net/dev",
    "slabinfo",
    "stat",
    "swaps",
    "sys/crypto/fips_enabled",
    "sys/kernel/ns_last_pid",
    "uptime",
)


def check_spec(spec: Spec) -> None:
    """ConfigError for the first rule that the spec breaks."""
    for rule in RULES:
        rule(spec)


def check_version(spec: Spec) -> None:
    """Any version 1.x: the specification is compatible within a major version."""
    if not spec.oci_version.startswith("1."):
        raise ConfigError("ociVersion", f"expected a version 1.x.y, got {spec.oci_version}")


def check_root(spec: Spec) -> None:
    """There is a root filesystem (config.md, "Root")."""
    if not spec.root.path:
        raise ConfigError("root.path", "must not be empty")


def check_process_rules(spec: Spec) -> None:
    """Those of the process, if there is one: only start needs it."""
    if spec.process is not None:
        check_process(spec.process)


def check_mounts(spec: Spec) -> None:
    """Mounts have a destination, and id mappings come in pairs (config.md, "Mounts")."""
    for index, mount in enumerate(spec.mounts):
        path = f"mounts[{index}]"
        if not mount.destination:
            raise ConfigError(f"{path}.destination", "must not be empty")
        if bool(mount.uid_mappings) != bool(mount.gid_mappings):
            raise ConfigError(path, "uidMappings and gidMappings must be given together")
        check_mappings(mount.uid_mappings, f"{path}.uidMappings")
        check_mappings(mount.gid_mappings, f"{path}.gidMappings")


def check_idmap_options(spec: Spec) -> None:
    """An id-mapped mount has a mapping from somewhere (config.md, "Linux mount options")."""
    if "user" in namespace_paths(spec):
        return
    for index, mount in enumerate(spec.mounts):
        if not mount.uid_mappings and not {"idmap", "ridmap"}.isdisjoint(mount.options):
            reason = "idmap needs uidMappings and gidMappings here, or a user namespace"
            raise ConfigError(f"mounts[{index}].options", reason)


def check_proc_mounts(spec: Spec) -> None:
    """Nothing hides procfs but the files that lxcfs serves (SECURITY: R-PROC-2).

    By name only; the engine looks again at what the names lead to.
    """
    for index, mount in enumerate(spec.mounts):
        place = clean(mount.destination)
        if place.startswith("/proc/") and place[6:] not in PROC_FILES:
            raise ConfigError(f"mounts[{index}].destination", f"{place} would hide part of /proc")
        if place == "/proc" and not _may_be_proc(mount.type, mount.options):
            raise ConfigError(f"mounts[{index}].type", f"only proc on /proc, not {mount.type}")


def _may_be_proc(kind: str, options: tuple[str, ...]) -> bool:
    return kind in {"proc", "bind"} or "bind" in options or "rbind" in options


def check_names(spec: Spec) -> None:
    """Host and domain name fit the kernel, and a UTS namespace keeps them from the host's."""
    for path, name in (("hostname", spec.hostname), ("domainname", spec.domainname)):
        if name and "uts" not in namespace_paths(spec):
            raise ConfigError(path, f"unable to set {path} without a private UTS namespace")
        if len(name.encode()) > 64:
            raise ConfigError(path, "longer than 64 bytes")


def check_hooks(spec: Spec) -> None:
    """Hooks can be run: path, environment, timeout (config.md, "POSIX-platform Hooks")."""
    hooks = spec.hooks
    _check_hook_list(hooks.prestart, "hooks.prestart")
    _check_hook_list(hooks.create_runtime, "hooks.createRuntime")
    _check_hook_list(hooks.create_container, "hooks.createContainer")
    _check_hook_list(hooks.start_container, "hooks.startContainer")
    _check_hook_list(hooks.poststart, "hooks.poststart")
    _check_hook_list(hooks.poststop, "hooks.poststop")


def _check_hook_list(hooks: tuple[Hook, ...], path: str) -> None:
    for index, hook in enumerate(hooks):
        if not hook.path.startswith("/"):
            raise ConfigError(f"{path}[{index}].path", "must be an absolute path")
        if hook.timeout is not None and hook.timeout < 1:
            raise ConfigError(f"{path}[{index}].timeout", "must be at least one second")
        check_environment(hook.env or (), f"{path}[{index}].env")


def check_annotations(spec: Spec) -> None:
    """Annotations have names (config.md, "Annotations")."""
    if any(not key for key, _ in spec.annotations):
        raise ConfigError("annotations", "a key must not be empty")


RULES = (
    check_version,
    check_root,
    check_process_rules,
    check_mounts,
    check_idmap_options,
    check_proc_mounts,
    check_names,
    check_hooks,
    check_annotations,
    *LINUX_RULES,
)
