"""config.md, process and user: what the container process gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.case import Case

UNKNOWN_CAPABILITY = "CAP_PYOCI_UNKNOWN"


@statement("config.md/process/args", "args are the program's argv")
def args_are_argv(case: Case) -> None:
    words = ["/probe", "a b", "", "ünïcödé", "-x"]
    bundle = case.bundle()
    bundle.process["args"] = words
    seen = [word.encode("latin-1").decode() for word in case.observe_program(bundle)["argv"]]
    expect_equal(seen, words, "argv")


@statement(
    "config.md/process/args-path", "args[0] without a slash is looked up in the container's PATH"
)
def args_are_looked_up(case: Case) -> None:
    bundle = case.bundle()
    (bundle.rootfs / "mnt/sub").mkdir()
    bundle.add_probe("mnt/sub/only-here")
    bundle.process.update(args=["only-here"], env=["PATH=/bin:/mnt/sub"])
    expect_equal(case.observe_program(bundle)["argv"], ["only-here"], "argv")


@statement("config.md/process/args-empty", "args without an entry are an error", level="REQUIRED")
def args_must_not_be_empty(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["args"] = []
    case.refuses(bundle, "empty args", at_start=True)


@statement("config.md/process/env", "env is the program's environment")
def env_is_environment(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["env"] = ["PATH=/bin", "EMPTY=", "EQUALS=a=b", "SPACE=a b", "HOME=/mnt"]
    report = case.observe(bundle)
    expect_equal(sorted(report["env"]), sorted(bundle.process["env"]), "the environment")


@statement(
    "config.md/process/env-not-inherited", "the runtime's environment does not reach the program"
)
def env_is_not_inherited(case: Case) -> None:
    names = {word.partition("=")[0] for word in case.observe(case.bundle())["env"]}
    expect(names <= {"PATH", "HOME"}, f"the environment holds {sorted(names)}")


@statement("config.md/process/cwd", "cwd is the working directory")
def cwd_is_set(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["cwd"] = "/mnt"
    expect_equal(case.observe(bundle)["cwd"], "/mnt", "the working directory")


@statement("config.md/process/cwd-relative", "a cwd that is not absolute is an error")
def cwd_must_be_absolute(case: Case) -> None:
    for cwd in ("mnt", "", "."):
        bundle = case.bundle()
        bundle.process["cwd"] = cwd
        case.refuses(bundle, f"cwd {cwd!r}", at_start=True)


@statement("config.md/process/consoleSize-ignored", "without terminal consoleSize is ignored")
def console_size_is_ignored(case: Case) -> None:
    for terminal in ({}, {"terminal": False}):
        bundle = case.bundle()
        bundle.process.update(consoleSize={"height": 25, "width": 80}, **terminal)
        expect_equal(case.observe(bundle)["ttys"], 0, "the number of terminals")


@statement("config.md/user/ids", "uid and gid are the program's, of all four kinds")
def user_ids(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["user"] = {"uid": 1001, "gid": 1002}
    report = case.observe(bundle)
    expect_equal(report.ids("Uid"), [1001] * 4, "Uid")
    expect_equal(report.ids("Gid"), [1002] * 4, "Gid")


@statement(
    "config.md/user/additionalGids", "additionalGids are the supplementary groups, and no others"
)
def user_groups(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["user"]["additionalGids"] = [5, 2000]
    expect({5, 2000} <= set(case.observe(bundle).ids("Groups")), "additionalGids are missing")
    extra = set(case.observe(case.bundle()).ids("Groups")) - {0}
    expect(not extra, f"supplementary groups without additionalGids: {extra}")


@statement("config.md/user/umask", "umask is the program's")
def user_umask(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["user"]["umask"] = 0o137
    expect_equal(case.observe(bundle).status["Umask"], "0137", "the umask")


@statement("config.md/rlimits/values", "getrlimit shows the configured soft and hard values")
def rlimit_values(case: Case) -> None:
    bundle = case.bundle()
    wanted = {
        "NOFILE": [512, 1024],
        "CORE": [0, 4096],
        "NPROC": [900, 1000],
        "STACK": [2**20, 2**23],
    }
    bundle.process["rlimits"] = [
        {"type": f"RLIMIT_{name}", "soft": soft, "hard": hard}
        for name, (soft, hard) in wanted.items()
    ]
    report = case.observe(bundle)
    for name, limits in wanted.items():
        expect_equal(report.rlimit(name), limits, f"RLIMIT_{name}")


@statement("config.md/rlimits/infinity", "the greatest value means no limit")
def rlimit_infinity(case: Case) -> None:
    bundle = case.bundle()
    unlimited = 2**64 - 1
    bundle.process["rlimits"] = [{"type": "RLIMIT_CPU", "soft": unlimited, "hard": unlimited}]
    expect_equal(case.observe(bundle).rlimit("CPU"), [unlimited] * 2, "RLIMIT_CPU")


@statement(
    "config.md/rlimits/raised", "a hard limit above the runtime's", needs=("cap_sys_resource",)
)
def rlimit_raised(case: Case) -> None:
    bundle = case.bundle()
    hard = os.sysconf("SC_OPEN_MAX") + 1
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": hard, "hard": hard}]
    expect_equal(case.observe(bundle).rlimit("NOFILE"), [hard] * 2, "RLIMIT_NOFILE")


@statement("config.md/rlimits/unknown-type", "an rlimit of unknown type is an error")
def rlimit_unknown(case: Case) -> None:
    for kind in ("RLIMIT_UNKNOWN", "NOFILE", ""):
        bundle = case.bundle()
        bundle.process["rlimits"] = [{"type": kind, "soft": 64, "hard": 64}]
        case.refuses(bundle, f"the rlimit {kind!r}")


@statement("config.md/rlimits/duplicates", "two rlimits of one type are an error")
def rlimit_duplicates(case: Case) -> None:
    bundle = case.bundle()
    entry = {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}
    bundle.process["rlimits"] = [entry, {**entry, "soft": 32}]
    case.refuses(bundle, "two entries for RLIMIT_NOFILE", at_start=True)


@statement("config.md/rlimits/soft-above-hard", "a soft limit above the hard one is an error")
def rlimit_soft_above_hard(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 65, "hard": 64}]
    case.refuses(bundle, "soft 65 with hard 64", at_start=True)


CAPABILITY_SETS = {
    "bounding": "CapBnd",
    "effective": "CapEff",
    "inheritable": "CapInh",
    "permitted": "CapPrm",
}


def capability_set(name: str, kind: str) -> None:
    @statement(f"config.md/capabilities/{name}", f"the {name} set is the configured one")
    def check(case: Case) -> None:
        bundle = case.bundle()
        wanted = {"bounding": {"CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"}}
        wanted["permitted"] = wanted["bounding"]
        wanted["inheritable"] = {"CAP_NET_RAW"}
        # A program of user 0 gets its permitted set raised to effective by execve, capabilities(7).
        wanted["effective"] = wanted["permitted"]
        bundle.process["capabilities"] = {key: sorted(names) for key, names in wanted.items()}
        expect_equal(case.observe(bundle).capabilities(kind), wanted[name], name)


for set_name, set_kind in CAPABILITY_SETS.items():
    capability_set(set_name, set_kind)


@statement("config.md/capabilities/ambient", "the ambient set survives execve of another user")
def capability_ambient(case: Case) -> None:
    bundle = case.bundle()
    names = ["CAP_NET_BIND_SERVICE"]
    kinds = ("bounding", "permitted", "inheritable", "effective", "ambient")
    bundle.process["capabilities"] = dict.fromkeys(kinds, names)
    bundle.process["user"] = {"uid": 1001, "gid": 1001}
    report = case.observe(bundle)
    for kind in ("CapAmb", "CapPrm", "CapEff"):
        expect_equal(report.capabilities(kind), set(names), f"the set {kind}")


@statement("config.md/capabilities/none", "empty sets leave no capability")
def capability_none(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["capabilities"] = {name: [] for name in (*CAPABILITY_SETS, "ambient")}
    report = case.observe(bundle)
    for kind in (*CAPABILITY_SETS.values(), "CapAmb"):
        expect_equal(report.capabilities(kind), set(), f"the set {kind}")


@statement(
    "config.md/capabilities/other-user", "a user other than 0 has no capability but ambient ones"
)
def capability_other_user(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["user"] = {"uid": 1001, "gid": 1001}
    expect_equal(case.observe(bundle).capabilities("CapEff"), set(), "the effective set")


@statement("config.md/capabilities/unknown-warned", "an unknown capability is logged as a warning")
def capability_unknown(case: Case) -> None:
    bundle = case.bundle()
    log = case.directory / "log"
    for names in bundle.process["capabilities"].values():
        names.append(UNKNOWN_CAPABILITY)
    container = case.container(bundle)
    done = container.create(options=("--debug", "--log", str(log)))
    expect(done.ok, f"create failed: {done.brief}")
    said = done.error + (log.read_text(encoding="utf-8") if log.exists() else "")
    expect(UNKNOWN_CAPABILITY in said, "no warning names the unknown capability")


@statement(
    "config.md/process/noNewPrivileges", "noNewPrivileges keeps setuid programs from gaining"
)
def no_new_privileges(case: Case) -> None:
    bundle = case.bundle()
    bundle.add_probe("bin/setuid", 0o4755)
    bundle.process.update(noNewPrivileges=True, user={"uid": 1001, "gid": 1001})
    report = case.observe(bundle, "run=/bin/setuid")
    expect_equal(report.status["NoNewPrivs"], "1", "NoNewPrivs")
    expect_equal(
        report.succeeded("run", "/bin/setuid")["status"], 101, "the setuid program's status"
    )


@statement("config.md/process/noNewPrivileges-false", "without it setuid programs do gain")
def new_privileges(case: Case) -> None:
    bundle = case.bundle()
    bundle.add_probe("bin/setuid", 0o4755)
    bundle.process["user"] = {"uid": 1001, "gid": 1001}
    report = case.observe(bundle, "run=/bin/setuid")
    expect_equal(report.status["NoNewPrivs"], "0", "NoNewPrivs")
    expect_equal(
        report.succeeded("run", "/bin/setuid")["status"], 100, "the setuid program's status"
    )


def oom_score_of_runtime(value: int) -> None:
    Path("/proc/self/oom_score_adj").write_text(str(value), encoding="ascii")


@statement("config.md/process/oomScoreAdj", "oom_score_adj has the given value")
def oom_score_adj(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["oomScoreAdj"] = 500
    expect_equal(case.observe(bundle)["oom_score_adj"], "500\n", "oom_score_adj")


@statement("config.md/process/oomScoreAdj-lowered", "also a lower one", needs=("cap_sys_resource",))
def oom_score_adj_lowered(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["oomScoreAdj"] = -500
    expect_equal(case.observe(bundle)["oom_score_adj"], "-500\n", "oom_score_adj")


@statement(
    "config.md/process/oomScoreAdj-unset", "without it oom_score_adj stays", level="MUST NOT"
)
def oom_score_adj_unset(case: Case) -> None:
    container = case.container().created(before=lambda: oom_score_of_runtime(300))
    expect_equal(container.started().report()["oom_score_adj"], "300\n", "oom_score_adj")


@statement("config.md/process/scheduler", "the scheduling policy and nice value are applied")
def scheduler(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    report = case.observe(bundle)
    expect_equal((report["scheduler"], report["nice"]), (3, 5), "(policy, nice)")


@statement("config.md/process/ioPriority", "the I/O priority is applied")
def io_priority(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 7}
    expect_equal(case.observe(bundle)["ioprio"], 2 << 13 | 7, "the I/O priority")


@statement(
    "config.md/process/apparmorProfile", "the AppArmor profile is applied", needs=("apparmor",)
)
def apparmor_profile(case: Case) -> None:
    bundle = case.bundle()
    bundle.process["apparmorProfile"] = "unconfined"
    report = case.observe(bundle, "read=/proc/self/attr/current")
    data = report.succeeded("read", "/proc/self/attr/current")["data"]
    expect(data.startswith("unconfined"), f"the profile is {data!r}")


@statement("config.md/hostname/applied", "hostname is the container's")
def hostname(case: Case) -> None:
    bundle = case.bundle()
    bundle.config["hostname"] = "mrs-dalloway"
    expect_equal(case.observe(bundle)["hostname"], "mrs-dalloway", "the host name")


@statement("config.md/domainname/applied", "domainname is the container's")
def domainname(case: Case) -> None:
    bundle = case.bundle()
    bundle.config["domainname"] = "example.test"
    expect_equal(case.observe(bundle)["domainname"], "example.test", "the domain name")


@statement("runtime-linux.md/file-descriptors/only-stdio", "only descriptors 0, 1 and 2 are open")
def only_stdio(case: Case) -> None:
    read_fd, write_fd = os.pipe()
    try:
        container = case.container().created(pass_fds=(read_fd, write_fd))
        report = container.started().report()
    finally:
        os.close(read_fd)
        os.close(write_fd)
    expect(set(report.fds) <= {0, 1, 2}, f"open: {report.fds}")


SYMLINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}


def symlink(name: str, target: str) -> None:
    @statement(f"runtime-linux.md/dev-symbolic-links/{name}", f"/dev/{name} is a link to {target}")
    def check(case: Case) -> None:
        report = case.observe(case.bundle(), f"readlink=/dev/{name}")
        expect_equal(report.succeeded("readlink", f"/dev/{name}")["link"], target, f"/dev/{name}")


for link_name, link_target in SYMLINKS.items():
    symlink(link_name, link_target)
