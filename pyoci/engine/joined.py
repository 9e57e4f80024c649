"""Opening a namespace that is to be joined, and making sure that it is what the config says.

Imported only for a config that joins one.
"""

from __future__ import annotations

import posix

from pyoci.errors import StepError
from pyoci.linux import namespaces
from pyoci.plan import rootfs_steps as r
from pyoci.plan.namespaces import CLONE_FLAGS, PROC_NAMES
from pyoci.spec.sysctl import sysctl_namespace, sysctl_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan import steps as s
    from pyoci.plan.model import CreatePlan


def open_joined(step: s.OpenNamespace, plan: CreatePlan) -> int:
    """A descriptor of the namespace; OSError, StepError for one of another kind.

    StepError too for our own, if the plan sets kernel parameters of that kind: they are the host's.
    """
    fd = namespaces.open_namespace(step.path)
    try:
        _check(fd, step, plan)
    except BaseException:
        posix.close(fd)
        raise
    return fd


def _check(fd: int, step: s.OpenNamespace, plan: CreatePlan) -> None:
    try:
        found = namespaces.namespace_type(fd)
    except OSError as error:
        detail = f"{step.path} is no namespace"
        raise StepError("main", "", detail, error.errno or 0, step.path) from None
    if found != CLONE_FLAGS[step.kind]:
        kinds = [kind for kind, flag in CLONE_FLAGS.items() if flag == found]
        detail = f"{step.path} is a {''.join(kinds)} namespace, not a {step.kind} namespace"
        raise StepError("main", "", detail, 0, step.path)
    if _is_own(fd, step.kind) and _sets_parameters(plan, step.kind):
        detail = f"{step.path} is our own: linux.sysctl would change the host"
        raise StepError("main", "", detail, 0, step.path)


def _is_own(fd: int, kind: str) -> bool:
    found, own = posix.fstat(fd), posix.stat(f"/proc/self/ns/{PROC_NAMES[kind]}")
    return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)


def _sets_parameters(plan: CreatePlan, kind: str) -> bool:
    keys = [step.key for step in plan.init if isinstance(step, r.SetSysctl)]
    return any(sysctl_namespace(sysctl_path(key)) == kind for key in keys)
