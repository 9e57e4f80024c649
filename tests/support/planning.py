"""Plans without a machine: the facts, the request and the config are values of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyoci.plan.build import build_plan
from pyoci.plan.model import CreateRequest, HostFacts
from pyoci.plan.systemd.model import SystemdFacts
from pyoci.record import replace
from pyoci.spec.accept import accept
from pyoci.spec.document import parse_document
from pyoci.spec.parse import parse_config
from pyoci.spec.report import explain
from pyoci.spec.rules import check_spec

if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan

FACTS = HostFacts(
    machine="x86_64", euid=0, cgroup_mount="/sys/fs/cgroup", own_cgroup="/user.slice/session"
)
SYSTEMD_FACTS = replace(
    FACTS,
    systemd=SystemdFacts(
        address="unix:path=/run/dbus/system_bus_socket", is_users=False, version=252, cgroup=""
    ),
)
REQUEST = CreateRequest(command="create", container_id="web", bundle="/bundle", root="/run/pyoci")
NAMESPACES = ("pid", "network", "ipc", "uts", "mount")


def make_config(**members: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    """The least config with a process and a mount namespace, and these members instead."""
    config = {
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"args": ["sh"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "mount"}]},
    }
    return {**config, **members}


def plan_config(
    config: dict[str, Any], facts: HostFacts = FACTS, /, **request: object
) -> CreatePlan:
    """The plan of a config.json, taken the whole way that create takes."""
    document = parse_document(json.dumps(config).encode())
    if not isinstance(document, dict) or not accept(document):
        raise explain(document)
    spec = parse_config(document)
    check_spec(spec)
    return build_plan(spec, replace(REQUEST, **request), facts)
