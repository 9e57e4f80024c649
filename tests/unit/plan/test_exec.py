"""exec: what is asked for -> the process, and the steps by which it gets into the container."""

from __future__ import annotations

from typing import Any

import pytest

from pyoci.errors import ConfigError, PyociError, UsageError
from pyoci.plan.exec import (
    EnterRoot,
    ExecFacts,
    ExecPlan,
    ExecRequest,
    JoinNamespaces,
    SetCpuAffinity,
    describe_step,
    plan_exec,
    plan_request,
)
from pyoci.plan.steps import (
    BecomeRoot,
    ChangeDirectory,
    DropBounding,
    JoinSessionKeyring,
    LoadSeccomp,
    SetCapabilities,
    SetNoNewPrivileges,
    SetOomScoreAdj,
    SetUmask,
    SetUpTerminal,
    SetUser,
    VerifyDirectory,
)
from pyoci.record import replace
from pyoci.spec.model import (
    Capabilities,
    ConsoleSize,
    CpuAffinity,
    Linux,
    Namespace,
    Process,
    Seccomp,
    SyscallRule,
    User,
)
from pyoci.spec.users import Identity

REQUEST = ExecRequest(container_id="web", root="/run/pyoci", args=("ls", "-l"))
BASE = Process(
    args=(),
    env=("PATH=/bin", "A=1"),
    cwd="/srv",
    user=User(uid=5, gid=6, additional_gids=(7, 8)),
    capabilities=Capabilities(
        bounding=("CAP_KILL",),
        effective=("CAP_KILL",),
        permitted=("CAP_KILL",),
        inheritable=("CAP_CHOWN",),
    ),
)
LINUX = Linux(namespaces=tuple(Namespace(type=kind) for kind in ("pid", "ipc", "uts", "mount")))
FACTS = ExecFacts(machine="x86_64")
FILTER = Seccomp(default_action="SCMP_ACT_ALLOW")


def ask(**options: Any) -> Process:  # noqa: ANN401
    identity = options.pop("identity", None)
    return plan_request(BASE, replace(REQUEST, **options), identity)


def make(process: Process | None = None, linux: Linux = LINUX, **options: Any) -> ExecPlan:  # noqa: ANN401
    return plan_exec(process or ask(), linux, replace(REQUEST, **options), FACTS)


# --- the process


def test_without_options_only_the_arguments_change() -> None:
    assert ask() == replace(BASE, args=("ls", "-l"))


def test_a_process_file_keeps_its_arguments_unless_there_are_others() -> None:
    base = replace(BASE, args=("from", "file"))
    assert plan_request(base, replace(REQUEST, args=()), None).args == ("from", "file")
    assert plan_request(base, REQUEST, None).args == ("ls", "-l")


def test_no_arguments() -> None:
    with pytest.raises(PyociError, match=r"^exec args cannot be empty$"):
        ask(args=())


def test_directory_and_environment() -> None:
    made = ask(cwd="/tmp", env=("A=2", "B=", "C=a=b"))  # noqa: S108
    assert made.cwd == "/tmp"  # noqa: S108
    assert made.env == ("PATH=/bin", "A=1", "A=2", "B=", "C=a=b")
    assert make(made).process.env == ("PATH=/bin", "A=2", "B=", "C=a=b")


@pytest.mark.parametrize("entry", ["A", "", "=1"])
def test_what_is_no_variable(entry: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=value"):
        ask(env=("A=1", entry))


def test_a_value_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        ask(env=("=secret",))
    assert "secret" not in caught.value.message


def test_a_directory_is_absolute() -> None:
    with pytest.raises(ConfigError, match="absolute"):
        ask(cwd="tmp")


@pytest.mark.parametrize(
    ("identity", "user"),
    [
        (None, User(uid=5, gid=6, additional_gids=(7, 8))),
        (Identity(uid=0), User(uid=0, gid=6, additional_gids=(7, 8))),
        (Identity(uid=9, gid=0), User(uid=9, gid=0, additional_gids=(7, 8))),
        (Identity(uid=9, gid=1, additional_gids=()), User(uid=9, gid=1)),
        (
            Identity(uid=9, gid=1, additional_gids=(3,)),
            User(uid=9, gid=1, additional_gids=(3,)),
        ),
    ],
)
def test_user(identity: Identity | None, user: User) -> None:
    assert ask(identity=identity).user == user


def test_more_groups() -> None:
    assert ask(additional_gids=("9", "7", "9")).user.additional_gids == (7, 8, 9)
    given = Identity(uid=1, gid=1, additional_gids=())
    assert ask(additional_gids=("3",), identity=given).user.additional_gids == (3,)
    with pytest.raises(UsageError, match="--additional-gids"):
        ask(additional_gids=("wheel",))


def test_more_capabilities_are_never_inheritable() -> None:
    sets = ask(capabilities=("CAP_SYS_ADMIN", "cap_chown")).capabilities
    more = ("CAP_KILL", "CAP_SYS_ADMIN", "CAP_CHOWN")
    assert sets == Capabilities(
        bounding=more,
        effective=more,
        permitted=more,
        inheritable=("CAP_CHOWN",),
        ambient=("CAP_CHOWN",),  # the config has it inheritable
    )


def test_capabilities_where_the_config_has_none() -> None:
    base = replace(BASE, capabilities=None)
    made = plan_request(base, replace(REQUEST, capabilities=("CAP_KILL",)), None)
    names = ("CAP_KILL",)
    assert made.capabilities == Capabilities(bounding=names, effective=names, permitted=names)


@pytest.mark.parametrize("name", ["", "CAP_NONE", "KILL", "CAP_KILL,CAP_CHOWN"])
def test_an_unknown_capability(name: str) -> None:
    with pytest.raises(UsageError, match="unknown capability"):
        ask(capabilities=(name,))


def test_no_new_privileges_can_only_be_added() -> None:
    assert ask(no_new_privileges=True).no_new_privileges
    base = replace(BASE, no_new_privileges=True)
    assert plan_request(base, REQUEST, None).no_new_privileges


def test_a_terminal_is_asked_for_by_an_option_or_by_the_file() -> None:
    assert not ask().terminal
    assert ask(tty=True).terminal
    assert plan_request(replace(BASE, terminal=True), REQUEST, None).terminal


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tty": True, "detach": True}, "cannot allocate tty if pyoci will detach without"),
        ({"tty": True, "console_socket": "/s"}, "cannot use console socket if pyoci will not"),
        ({"detach": True, "console_socket": "/s"}, "cannot use console socket if pyoci will not"),
        ({"console_socket": "/s"}, "cannot use console socket if pyoci will not"),
    ],
)
def test_a_terminal_that_nobody_would_get(options: dict[str, Any], words: str) -> None:
    with pytest.raises(PyociError, match=words):
        ask(**options)


# --- the steps


@pytest.mark.parametrize(("detach", "awaits"), [(False, True), (True, False)])
def test_a_terminal_comes_once_the_container_is_entered(detach: bool, awaits: bool) -> None:
    options: dict[str, Any] = {"tty": True, "detach": detach}
    if detach:
        options["console_socket"] = "/s"
    size = ConsoleSize(height=3, width=4)
    process = replace(ask(**options), console_size=size)
    plan = make(process, **options)
    assert (plan.terminal, plan.awaits_start) == (True, awaits)
    kinds = [type(step) for step in plan.init]
    assert kinds[:3] == [JoinNamespaces, JoinSessionKeyring, SetUpTerminal]
    step = plan.init[2]
    assert step == SetUpTerminal(config="process.terminal", base="", rows=3, columns=4)
    plan = make()
    assert (plan.terminal, plan.awaits_start) == (False, False)


def test_order() -> None:
    kill = 1 << 5
    assert make(ask(no_new_privileges=True, cwd="/home")).init == (
        JoinNamespaces(config="linux.namespaces", kinds=("ipc", "uts", "mount")),
        JoinSessionKeyring(name="_ses.web"),
        SetNoNewPrivileges(config="process.noNewPrivileges"),
        DropBounding(config="process.capabilities.bounding", keep=kill),
        ChangeDirectory(config="process.cwd", path="/home"),
        SetUser(config="process.user", uid=5, gid=6, additional_gids=(7, 8)),
        SetCapabilities(
            config="process.capabilities",
            effective=kill,
            permitted=kill,
            inheritable=1,
            ambient=0,
        ),
        SetUmask(config="process.user.umask", mask=0o022),
        VerifyDirectory(config="process.cwd", path="/home"),
    )


def test_the_pid_namespace_is_mains_to_enter() -> None:
    assert make().pid_namespace
    plan = make(linux=Linux(namespaces=(Namespace(type="mount", path="/proc/1/ns/mnt"),)))
    assert not plan.pid_namespace
    assert plan.init[0] == JoinNamespaces(config="linux.namespaces", kinds=("mount",))


def test_in_a_user_namespace_root_is_its_own() -> None:
    kinds = ("user", "pid", "mount")
    plan = make(linux=Linux(namespaces=tuple(Namespace(type=kind) for kind in kinds)))
    assert plan.init[:3] == (
        JoinNamespaces(config="linux.namespaces", kinds=("user", "mount")),
        BecomeRoot(config="linux.namespaces"),
        JoinSessionKeyring(name="_ses.web"),
    )


def test_without_a_mount_namespace_there_is_still_a_root() -> None:
    plan = make(linux=Linux())
    assert plan.init[:2] == (EnterRoot(config="root.path"), JoinSessionKeyring(name="_ses.web"))


def test_what_only_the_hosts_procfs_sets_comes_before_the_container() -> None:
    affinity = CpuAffinity(initial="1", final="0-1,3")
    plan = make(replace(ask(), oom_score_adj=-5, exec_cpu_affinity=affinity))
    assert plan.initial_cpus == (1,)
    assert plan.init[:3] == (
        SetCpuAffinity(config="process.execCPUAffinity.final", cpus=(0, 1, 3)),
        SetOomScoreAdj(config="process.oomScoreAdj", value=-5),
        JoinNamespaces(config="linux.namespaces", kinds=("ipc", "uts", "mount")),
    )


@pytest.mark.parametrize("text", ["x", "1-", "3-1", "0-999999", "1,,2"])
def test_cpus_that_are_none(text: str) -> None:
    process = replace(ask(), exec_cpu_affinity=CpuAffinity(final=text))
    with pytest.raises(ConfigError, match=r"process\.execCPUAffinity\.final"):
        make(process)


@pytest.mark.parametrize(
    ("given", "found"),
    [("", ""), ("/", ""), (".", ""), ("a/b", "/a/b"), ("/a/./b/", "/a/b"), ("..a", "/..a")],
)
def test_a_cgroup_is_below_the_containers(given: str, found: str) -> None:
    assert make(cgroup=given).cgroup == found


@pytest.mark.parametrize("path", ["..", "/..", "../../../a", "a/../b", "a/.."])
def test_no_cgroup_leads_upwards(path: str) -> None:
    with pytest.raises(UsageError, match=r"--cgroup: must not lead upwards by \.\.:"):
        make(cgroup=path)


def test_a_cgroup_has_no_controllers() -> None:
    with pytest.raises(UsageError, match="--cgroup"):
        make(cgroup="memory:/a")


def test_the_containers_filter_is_loaded_last() -> None:
    assert make().start == ()
    plan = make(linux=replace(LINUX, seccomp=FILTER))
    (load,) = plan.start
    assert isinstance(load, LoadSeccomp)
    assert load.program
    (capabilities,) = (step for step in plan.init if isinstance(step, SetCapabilities))
    assert capabilities.effective & 1 << 21  # CAP_SYS_ADMIN, to load it with; execve drops it


def test_names_that_the_filter_does_not_know_are_told() -> None:
    rule = SyscallRule(names=("no_such_call",), action="SCMP_ACT_KILL")
    plan = make(linux=replace(LINUX, seccomp=replace(FILTER, syscalls=(rule,))))
    assert plan.warnings == ("linux.seccomp: unknown system calls are ignored: no_such_call",)


def test_a_filter_with_a_listener_is_loaded_before_the_process_is_ready() -> None:
    rule = SyscallRule(names=("mkdir",), action="SCMP_ACT_NOTIFY")
    profile = replace(FILTER, listener_path="/agent", listener_metadata="m", syscalls=(rule,))
    plan = make(linux=replace(LINUX, seccomp=profile))
    assert plan.start == ()
    (load,) = plan.ready
    assert isinstance(load, LoadSeccomp)
    send = plan.send_listener
    assert send is not None
    assert (send.path, send.metadata) == ("/agent", "m")
    (capabilities,) = (step for step in plan.init if isinstance(step, SetCapabilities))
    assert capabilities.effective & 1 << 21  # CAP_SYS_ADMIN, to load it with


def test_descriptors() -> None:
    plan = make(preserve_fds=2, listen_fds=1)
    assert plan.process.preserve_fds == 3
    assert plan.listens
    assert "LISTEN_FDS=1" in plan.process.env
    assert not make(preserve_fds=2).listens


def test_every_step_has_words() -> None:
    affinity = CpuAffinity(final="0-1")
    process = replace(ask(), oom_score_adj=1, exec_cpu_affinity=affinity)
    words = [describe_step(step) for step in make(process).init]
    assert words[:3] == [
        "run on CPUs 0, 1",
        "set oom_score_adj to 1",
        "join ipc, uts, mount namespaces",
    ]
    assert describe_step(EnterRoot()) == "enter the rootfs by chroot"
