"""process.apparmorProfile, process.selinuxLabel, linux.mountLabel -> the labels that init asks for.

Imported only for a config that has one of them. What a mount gets is put into its parameters; what
the process gets, the kernel gives to it at its next execve.
"""

from __future__ import annotations

from pyoci.errors import ConfigError, UnsupportedError
from pyoci.plan.mounts import CONTEXTS
from pyoci.plan.rootfs_steps import MaskPath, MountFilesystem, PivotRoot, ReadonlyPath
from pyoci.plan.steps import JoinSessionKeyring, LabelStep
from pyoci.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyoci.plan.step_types import InitStep
    from pyoci.spec.model import Linux, Process

# Attributes of a process, in its directory `attr` (proc_pid_attr(5)).
APPARMOR_EXEC = "apparmor/exec"
SELINUX_EXEC = "exec"
SELINUX_KEYS = "keycreate"

UNCONFINED = "unconfined"
# The kernel reads a page at most, and takes what was cut off for the whole.
MAX_LABEL_BYTES = 4000

# Labels of these come from the policy alone, or from the host's own mount.
_UNLABELLED_TYPES = ("proc", "sysfs", "cgroup2")
# Here only the root of the filesystem takes a label.
_LABELLED_AT_ROOT = ("mqueue",)

# Init has its filesystem and has run its hooks when it comes to the first of these.
_AFTER_HOOKS = (ReadonlyPath, MaskPath, PivotRoot)


class SetAppArmorProfile(LabelStep):
    """Have the kernel confine us by this profile from the next execve on (apparmor(7))."""

    profile: str
    no_new_privileges: bool = False


class SetSelinuxLabel(LabelStep):
    """Have the kernel label with this what `attribute` says: our next program, or our keys."""

    attribute: str
    label: str


def plan_labels(process: Process, modules: Iterable[str]) -> list[LabelStep]:
    """The labels of the process on a machine with these security modules, as `host.lsm` reads them.

    ConfigError for one that is no label; UnsupportedError where no module could give it.
    """
    steps: list[LabelStep] = []
    profile, label = process.apparmor_profile, process.selinux_label
    if profile and _is_available(profile, modules):
        _check_length(profile, "process.apparmorProfile")
        steps.append(
            SetAppArmorProfile(
                config="process.apparmorProfile",
                profile=profile,
                no_new_privileges=process.no_new_privileges,
            )
        )
    if label:
        _require_selinux("process.selinuxLabel", modules)
        _check_length(label, "process.selinuxLabel")
        steps.append(
            SetSelinuxLabel(config="process.selinuxLabel", attribute=SELINUX_EXEC, label=label)
        )
    return steps


def plan_key_label(process: Process) -> list[LabelStep]:
    """What comes before a keyring is made: it and its keys are labelled as the process."""
    label = process.selinux_label
    if not label:
        return []
    return [SetSelinuxLabel(config="process.selinuxLabel", attribute=SELINUX_KEYS, label=label)]


def add_labels(
    steps: list[InitStep], process: Process | None, linux: Linux, modules: Iterable[str]
) -> list[InitStep]:
    """The steps of init with those for labels among them; raises as `plan_labels` does.

    The process's own come after the hooks that are the host's programs, which they would bind as
    well, and before init leaves the host's files: nothing of the container is on the way to them.
    """
    if linux.mount_label:
        _require_selinux("linux.mountLabel", modules)
        _check_length(linux.mount_label, "linux.mountLabel")
    added = plan_labels(process, modules) if process is not None else []
    made: list[InitStep] = []
    for step in steps:
        if isinstance(step, _AFTER_HOOKS):
            made += added
            added = []
        if isinstance(step, JoinSessionKeyring) and process is not None:
            made += plan_key_label(process)
        made.append(_label_step(step, linux.mount_label) if linux.mount_label else step)
    return made


def _label_step(step: InitStep, label: str) -> InitStep:
    """The step, with the label if it makes a filesystem that takes one."""
    if isinstance(step, MaskPath):
        return replace(step, label=label)
    if not isinstance(step, MountFilesystem) or step.type in _UNLABELLED_TYPES:
        return step
    if step.type in _LABELLED_AT_ROOT:
        return replace(step, label=label)
    if any(key in CONTEXTS for key, _ in step.parameters):
        return step
    return replace(step, parameters=(*step.parameters, ("context", label)))


def _is_available(profile: str, modules: Iterable[str]) -> bool:
    """Whether AppArmor is there to be asked; without it everything is unconfined as it is."""
    if "apparmor" in modules:
        return True
    if profile == UNCONFINED:
        return False
    raise _unsupported("process.apparmorProfile", APPARMOR_EXEC, "the kernel runs without AppArmor")


def _require_selinux(config: str, modules: Iterable[str]) -> None:
    if "selinux" not in modules:
        raise _unsupported(config, SELINUX_EXEC, "selinux is disabled or not supported")


def _unsupported(config: str, attribute: str, reason: str) -> UnsupportedError:
    return UnsupportedError(f"{config}: cannot write {attribute_path(attribute)}: {reason}")


def attribute_path(attribute: str) -> str:
    """The attribute as engines look for it in an error: they tell a label's failure by it."""
    return f"`/proc/thread-self/attr/{attribute}`"


def _check_length(label: str, config: str) -> None:
    if len(label.encode("utf-8", "surrogateescape")) > MAX_LABEL_BYTES:
        raise ConfigError(config, f"longer than {MAX_LABEL_BYTES} bytes")


def apparmor_command(step: SetAppArmorProfile, current: str, *, no_new_privileges: bool) -> str:
    """What to write to `attr/apparmor/exec` for a process confined by `current` so far.

    Without no_new_privs the profile takes the place of the current one, if that allows it. With
    it the kernel refuses any change but to a part of what is allowed already: under a profile
    of our own, then, the new one is stacked on top.
    """
    confined = current != UNCONFINED and not current.endswith(f"({UNCONFINED})")
    stack = no_new_privileges and confined and step.profile != UNCONFINED
    return f"{'stack' if stack else 'exec'} {step.profile}"
