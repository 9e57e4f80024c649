"""plan and seccomp: what create would do, without doing it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan, CreateRequest
    from pyoci.spec.model import Seccomp


def plan_create(request: CreateRequest) -> CreatePlan:
    """The plan of this request on this machine; nothing is changed."""
    from pyoci.engine.create import plan_create as plan

    return plan(request)[0]


def read_seccomp(bundle: str, config_path: str) -> Seccomp | None:
    """linux.seccomp of a bundle, None if there is none; ConfigError as for create."""
    from pyoci.host.files import read_config
    from pyoci.paths import absolute
    from pyoci.spec.parse import parse_config

    return parse_config(read_config(absolute(config_path, bundle))).linux.seccomp


def read_machine() -> str:
    """The machine as uname(2) names it."""
    import posix

    return posix.uname().machine
