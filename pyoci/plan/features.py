"""What pyoci can do: the Features structure (features.md, features-linux.md).

It is about this program, not about the machine that it runs on. Each list comes from the table that
the code itself goes by, so that it cannot claim more than there is.
"""

from __future__ import annotations

from pyoci.plan.caps import NAMES
from pyoci.plan.mounts import known_options
from pyoci.plan.namespaces import CLONE_FLAGS
from pyoci.plan.scheduling import MEMORY_FLAGS, MEMORY_MODES
from pyoci.plan.seccomp.arches import known_arches
from pyoci.plan.seccomp.compile import KNOWN_FLAGS
from pyoci.plan.seccomp.profile import ACTIONS, OPERATORS
from pyoci.spec.defaults import SPEC_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OLDEST_VERSION = "1.0.0"
_HOOKS = (
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)


def plan_features() -> dict[str, Any]:
    """The whole structure, ready to be JSON."""
    return {
        "ociVersionMin": _OLDEST_VERSION,
        "ociVersionMax": SPEC_VERSION,
        "hooks": list(_HOOKS),
        "mountOptions": list(known_options()),
        "linux": _linux(),
        # The name is runc's: engines ask any runtime by it.
        "annotations": {"org.opencontainers.runc.checkpoint.enabled": "false"},
        # Ending in a dot: all that begin so.
        "potentiallyUnsafeConfigAnnotations": ["org.systemd.property."],
    }


def _linux() -> dict[str, Any]:
    return {
        "namespaces": sorted(CLONE_FLAGS),
        "capabilities": list(NAMES),
        "cgroup": {
            "v1": False,
            "v2": True,
            "systemd": True,
            "systemdUser": True,
            "rdma": True,
        },
        "seccomp": {
            "enabled": True,
            "actions": sorted(ACTIONS),
            "operators": sorted(OPERATORS),
            "archs": list(known_arches()),
            "knownFlags": list(KNOWN_FLAGS),
            "supportedFlags": list(KNOWN_FLAGS),
        },
        "apparmor": {"enabled": True},
        "selinux": {"enabled": True},
        "memoryPolicy": {"modes": list(MEMORY_MODES), "flags": list(MEMORY_FLAGS)},
        "intelRdt": {"enabled": False, "schemata": False, "monitoring": False},
        "mountExtensions": {"idmap": {"enabled": True}},
        "netDevices": {"enabled": True},
    }
