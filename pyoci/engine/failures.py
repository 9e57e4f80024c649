"""Words for failures: imported only once something has failed."""

from __future__ import annotations

from pyoci.errors import StepError, describe_errno, describe_oserror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.sync import Failure
    from pyoci.plan.model import CreatePlan
    from pyoci.plan.steps import Step


def init_error(plan: CreatePlan, failure: Failure) -> StepError:
    """The error of a create whose init gave up at a step of the plan."""
    from pyoci.plan.render import describe

    step = describe(plan.init[failure.step]) if 0 <= failure.step < len(plan.init) else ""
    cause = plan.init[failure.step].config if step else ""
    detail = failure.detail or describe_errno(failure.errno)
    if cause and not detail.startswith(("error running", "exec:")):
        detail = f"{detail} ({cause})"
    hint = failure.hint or hint_for(failure.errno, step)
    return StepError("init", step, detail, failure.errno, failure.path, hint)


def main_error(step: Step, error: OSError) -> StepError:
    """The error of a create whose own step failed."""
    from pyoci.plan.render import describe

    what = describe(step)
    detail = describe_oserror(error)
    if step.config:
        detail = f"{detail} ({step.config})"
    number = error.errno or 0
    return StepError("main", what, detail, number, hint=hint_for(number, what))


def clone_error(step: Step, error: OSError, cgroup_path: str) -> StepError:
    """The error of a create whose clone into the cgroup failed: the cgroup itself may refuse it."""
    found = main_error(step, error)
    found.hint = _CLONE_HINTS.get(found.errno, "").format(cgroup_path) or found.hint
    return found


_CLONE_HINTS = {
    11: "a limit of tasks is reached: RLIMIT_NPROC, or pids.max of {} or of a cgroup above it",
    16: "{} has controllers for cgroups below it, so it cannot have processes (cgroups(7))",
    95: "{} is below a threaded cgroup (its cgroup.type says so): choose another linux.cgroupsPath",
}


def start_error(failure: Failure) -> StepError:
    """The error of a start whose init left this failure in exec.result."""
    detail = failure.detail or describe_errno(failure.errno)
    return StepError("init", "", detail, failure.errno, failure.path, failure.hint)


_HINTS = {
    1: "the runtime lacks a capability, or the kernel forbids it in this user namespace",
    19: "the kernel does not know this filesystem type: is its module there?",
    28: "there is no room on the filesystem, or a limit of namespaces or mounts is reached",
    38: "this kernel is too old for pyoci (Linux 5.12 or newer)",
}


_ID_MAP_HINTS = {
    1: "only root of the user namespace that mounted a filesystem can map its ids",
    22: "the filesystem, or with ridmap one mounted below, has none: see mount_setattr(2)",
}


def _mount_hint(step: str) -> str:
    """Why a mount is refused with EPERM: most often by the rules of user namespaces."""
    if "mount sysfs" in step:
        return "without the capability sysfs takes a new network namespace: bind /sys (rbind, ro)"
    if "mount proc" in step:
        return (
            "without the capability procfs takes a new pid namespace, and one that nothing covers"
        )
    if " by " in step or step.startswith("change"):
        return "in a user namespace a mount keeps the flags of the mount that it is a copy of"
    return _HINTS[1]


def hint_for(number: int, step: str) -> str:
    """What an errno usually means in a step, where that is not in its own words."""
    if "idmap" in step and number in _ID_MAP_HINTS:
        return _ID_MAP_HINTS[number]
    if number == 1 and step.startswith(("mount", "change mount")):
        return _mount_hint(step)
    if number == 22 and step.startswith("become user"):
        return "has the user namespace a mapping for these ids?"
    if number == 22 and step.startswith("mount"):
        return "the kernel refused an option: see the options of this mount"
    return _HINTS.get(number, "")
