"""Labels of security modules: what is planned where, and in which words it is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pyoci.errors import ConfigError, UnsupportedError
from pyoci.plan.exec import ExecFacts, ExecRequest, JoinNamespaces, plan_exec, plan_request
from pyoci.plan.labels import (
    MAX_LABEL_BYTES,
    SetAppArmorProfile,
    SetSelinuxLabel,
    apparmor_command,
    plan_labels,
)
from pyoci.plan.render import describe
from pyoci.plan.rootfs_steps import MaskPath, MountFilesystem, PivotRoot
from pyoci.plan.steps import JoinSessionKeyring, LabelStep, RunHooks, SetNoNewPrivileges
from pyoci.record import replace
from pyoci.spec.model import Linux, Namespace, Process
from tests.support.planning import FACTS, make_config, plan_config

if TYPE_CHECKING:
    from pyoci.plan.model import CreatePlan

BOTH = ("apparmor", "selinux")
LABEL = "system_u:system_r:container_t:s0:c1,c2"
# How Podman tells the failure of a label from others (CLI: "texts that callers match").
PODMAN = re.compile("`/proc/[a-z0-9-].+/attr.*`")
LABELS: dict[str, Any] = {"linux": {"namespaces": [{"type": "mount"}], "mountLabel": LABEL}}


def make_plan(modules: tuple[str, ...] = BOTH, **members: Any) -> CreatePlan:  # noqa: ANN401
    process = {"args": ["sh"], "cwd": "/", **members.pop("process", {})}
    config = make_config(process=process, **members)
    return plan_config(config, replace(FACTS, modules=modules))


def make_process(**members: Any) -> Process:  # noqa: ANN401
    return Process(args=("sh",), cwd="/", **members)


def test_no_label_is_no_step() -> None:
    assert not any(isinstance(step, LabelStep) for step in make_plan().init)
    assert plan_labels(make_process(), ()) == []


def test_the_place_of_the_process_labels() -> None:
    """After the hooks of the host's side, before the container's files are all there is."""
    hook = [{"path": "/bin/true"}]
    plan = make_plan(
        process={"apparmorProfile": "p", "selinuxLabel": LABEL, "noNewPrivileges": True},
        hooks={"createContainer": hook},
    )
    kinds = [type(step) for step in plan.init]
    at = kinds.index(SetAppArmorProfile)
    assert kinds.index(RunHooks) < at < kinds.index(PivotRoot) < kinds.index(SetNoNewPrivileges)
    assert plan.init[at : at + 2] == (
        SetAppArmorProfile(config="process.apparmorProfile", profile="p", no_new_privileges=True),
        SetSelinuxLabel(config="process.selinuxLabel", attribute="exec", label=LABEL),
    )
    assert kinds.count(SetAppArmorProfile) == 1


def test_the_keyring_is_labelled_when_it_is_made() -> None:
    plan = make_plan(process={"selinuxLabel": LABEL})
    at = [type(step) for step in plan.init].index(JoinSessionKeyring)
    label = plan.init[at - 1]
    assert label == SetSelinuxLabel(
        config="process.selinuxLabel", attribute="keycreate", label=LABEL
    )
    assert describe(label) == f"set SELinux label of the keys to {LABEL}"


@pytest.mark.parametrize(
    ("modules", "path", "members", "reason"),
    [
        (
            ("selinux",),
            "process.apparmorProfile",
            {"process": {"apparmorProfile": "p"}},
            "`/proc/thread-self/attr/apparmor/exec`: the kernel runs without AppArmor",
        ),
        (
            ("apparmor",),
            "process.selinuxLabel",
            {"process": {"selinuxLabel": LABEL}},
            "`/proc/thread-self/attr/exec`: selinux is disabled or not supported",
        ),
        (
            (),
            "linux.mountLabel",
            LABELS,
            "`/proc/thread-self/attr/exec`: selinux is disabled or not supported",
        ),
    ],
)
def test_a_kernel_without_the_module(
    modules: tuple[str, ...], path: str, members: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        make_plan(modules, **members)
    assert caught.value.message == f"{path}: cannot write {reason}"
    assert PODMAN.search(caught.value.message)


def test_unconfined_is_so_without_apparmor() -> None:
    assert plan_labels(make_process(apparmor_profile="unconfined"), ()) == []
    # With it a profile may be waiting for the program.
    assert plan_labels(make_process(apparmor_profile="unconfined"), BOTH) == [
        SetAppArmorProfile(config="process.apparmorProfile", profile="unconfined")
    ]


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("process.apparmorProfile", {"process": {"apparmorProfile": "x" * 4001}}),
        ("process.selinuxLabel", {"process": {"selinuxLabel": "ä" * 2001}}),
        (
            "linux.mountLabel",
            {"linux": {"namespaces": [{"type": "mount"}], "mountLabel": "x" * 4001}},
        ),
    ],
)
def test_what_the_kernel_would_cut_is_refused(path: str, members: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"longer than {MAX_LABEL_BYTES} bytes") as caught:
        make_plan(**members)
    assert caught.value.path == path


def mounted(kind: str, options: list[str]) -> MountFilesystem:
    mounts = [{"destination": "/m", "type": kind, "source": "s", "options": options}]
    steps = make_plan(**LABELS, mounts=mounts).init
    return next(step for step in steps if isinstance(step, MountFilesystem))


@pytest.mark.parametrize("kind", ["tmpfs", "devpts", "overlay", "ramfs"])
def test_filesystems_are_mounted_with_the_label(kind: str) -> None:
    assert mounted(kind, ["x=1"]).parameters == (("x", "1"), ("context", LABEL))
    assert mounted(kind, []).label == ""


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_what_the_policy_labels_alone(kind: str) -> None:
    step = mounted(kind, [])
    assert (step.parameters, step.label) == ((), "")


def test_a_message_queue_is_labelled_at_its_root() -> None:
    step = mounted("mqueue", [])
    assert (step.parameters, step.label) == ((), LABEL)


@pytest.mark.parametrize("key", ["context", "fscontext", "defcontext", "rootcontext"])
def test_a_mount_with_a_context_of_its_own_keeps_it(key: str) -> None:
    assert mounted("tmpfs", [f"{key}=a:b:c:s0"]).parameters == ((key, "a:b:c:s0"),)


def test_what_hides_a_directory_has_the_label() -> None:
    linux = {**LABELS["linux"], "maskedPaths": ["/proc/acpi"]}
    (mask,) = [step for step in make_plan(linux=linux).init if isinstance(step, MaskPath)]
    assert mask.label == LABEL


@pytest.mark.parametrize(
    ("current", "no_new_privileges", "command"),
    [
        ("unconfined", False, "exec p"),
        ("unconfined", True, "exec p"),
        ("runc (unconfined)", True, "exec p"),  # a profile that allows everything
        ("outer (enforce)", False, "exec p"),
        ("outer (enforce)", True, "stack p"),
        ("outer (complain)", True, "stack p"),
        ("a//&b (enforce)", True, "stack p"),
    ],
)
def test_a_profile_on_top(current: str, no_new_privileges: bool, command: str) -> None:
    step = SetAppArmorProfile(profile="p")
    assert apparmor_command(step, current, no_new_privileges=no_new_privileges) == command


def test_unconfined_is_never_stacked() -> None:
    """It would do nothing, without a word: the kernel shall refuse it."""
    step = SetAppArmorProfile(profile="unconfined")
    command = apparmor_command(step, "outer (enforce)", no_new_privileges=True)
    assert command == "exec unconfined"


# --- exec

REQUEST = ExecRequest(container_id="web", root="/run/pyoci")
LINUX = Linux(namespaces=(Namespace(type="mount"),))


def test_exec_asks_for_labels_before_it_enters_the_container() -> None:
    process = make_process(apparmor_profile="p", selinux_label=LABEL)
    plan = plan_exec(process, LINUX, REQUEST, ExecFacts(machine="x86_64", modules=BOTH))
    kinds = [type(step) for step in plan.init]
    assert kinds[:3] == [SetAppArmorProfile, SetSelinuxLabel, SetSelinuxLabel]
    keys = kinds.index(JoinSessionKeyring)
    assert kinds.index(JoinNamespaces) in range(3, keys)
    assert [step.attribute for step in plan.init[1:3] if isinstance(step, SetSelinuxLabel)] == [
        "exec",
        "keycreate",
    ]


def test_exec_on_a_kernel_without_the_module() -> None:
    with pytest.raises(UnsupportedError, match="the kernel runs without AppArmor"):
        plan_exec(make_process(apparmor_profile="p"), LINUX, REQUEST, ExecFacts(machine="x86_64"))


@pytest.mark.parametrize(
    ("asked", "own", "used"), [("q", "p", "q"), ("", "p", "p"), ("unconfined", "p", "unconfined")]
)
def test_the_options_of_exec_count_most(asked: str, own: str, used: str) -> None:
    base = make_process(apparmor_profile=own, selinux_label=own)
    request = replace(REQUEST, apparmor=asked, process_label=asked)
    process = plan_request(base, request, None)
    assert (process.apparmor_profile, process.selinux_label) == (used, used)
