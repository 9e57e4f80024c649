"""Words for failures: imported only once something has failed."""

from __future__ import annotations

from pyoci.errors import StepError, describe_errno, describe_oserror
from pyoci.plan import steps as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.engine.sync import Failure
    from pyoci.plan.exec import ExecPlan
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


def exec_error(plan: ExecPlan, failure: Failure) -> StepError:
    """The error of an exec whose process gave up at a step of the plan."""
    from pyoci.plan.exec import describe_step

    step = plan.init[failure.step] if 0 <= failure.step < len(plan.init) else None
    words = describe_step(step) if step else ""
    detail = failure.detail or describe_errno(failure.errno)
    if step and step.config:
        detail = f"{detail} ({step.config})"
    hint = failure.hint or hint_for(failure.errno, words)
    return StepError("", words, detail, failure.errno, failure.path, hint)


def main_error(step: Step, error: OSError) -> StepError:
    """The error of a create whose own step failed."""
    from pyoci.plan.render import describe

    what = describe(step)
    detail = describe_oserror(error)
    if step.config:
        detail = f"{detail} ({step.config})"
    number = error.errno or 0
    found = StepError("main", what, detail, number, hint=hint_for(number, what))
    about_cgroups = isinstance(step, s.MakeCgroup | s.AttachDeviceFilter)
    found.is_about_cgroups = about_cgroups and number in _NOT_PERMITTED
    return found


_NOT_PERMITTED = (1, 13, 30)  # EPERM, EACCES, EROFS


def killed_error() -> StepError:
    """The error of a create whose init was killed before it was ready: callers match the words."""
    return StepError("init", "", "container init was OOM-killed (memory limit too low?)")


def clone_error(step: Step, error: OSError, cgroup_path: str) -> StepError:
    """The error of a create whose clone into the cgroup failed: the cgroup itself may refuse it."""
    found = main_error(step, error)
    found.hint = _CLONE_HINTS.get(found.errno, "").format(cgroup_path) or found.hint
    return found


_CLONE_HINTS = {
    13: "to move into {} takes a delegated cgroup above both it and us (cgroups(7), Delegation)",
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


_STEP_HINTS = (
    # errnos, what the step's words have in them (from the start, after a ^), what to do
    ((1,), "idmap ", "only root of the user namespace that mounted a filesystem can map its ids"),
    ((22,), "idmap ", "the filesystem, or with ridmap one below, has none: see mount_setattr(2)"),
    ((1,), "^clone init", "without root it takes a user namespace: see `pyoci spec --rootless`"),
    (
        _NOT_PERMITTED,
        "^make cgroup",
        "leave linux.cgroupsPath away, or name one that is delegated to the user",
    ),
    (
        (13,),
        "^make all mounts",
        "does the machine forbid user namespaces (apparmor_restrict_unprivileged_userns)?",
    ),
    ((1,), "^set RLIMIT_", "without CAP_SYS_RESOURCE a hard limit can only be lowered"),
    ((22,), "^become user", "has the user namespace a mapping for these ids?"),
    ((22,), "id=", "has the user namespace a mapping for this uid or gid?"),
    ((22,), "^mount", "the kernel refused an option: see the options of this mount"),
    (
        (1,),
        "^mount sysfs",
        "without the capability sysfs takes a new network namespace: bind /sys (rbind, ro)",
    ),
    (
        (1,),
        "^mount proc",
        "without the capability procfs takes a new pid namespace, and one that nothing covers",
    ),
    ((1,), "bind (", "in a user namespace a mount keeps the flags of the mount it is a copy of"),
    ((1,), "^change", "in a user namespace a mount keeps the flags of the mount it is a copy of"),
)


def hint_for(number: int, step: str) -> str:
    """What an errno usually means in a step, where that is not in its own words."""
    for numbers, words, hint in _STEP_HINTS:
        at_start = words[0] == "^" and step.startswith(words[1:])
        if number in numbers and (at_start or words in step):
            return hint
    return _HINTS.get(number, "")
