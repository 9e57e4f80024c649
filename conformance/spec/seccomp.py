"""config-linux.md, seccomp: actions, errno, comparisons, and the listener of SCMP_ACT_NOTIFY."""

from __future__ import annotations

import array
import errno
import json
import os
import select
import signal
import socket
from typing import TYPE_CHECKING, Any

from conformance.spec.report import Report, parse_reports
from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case

SECONDS = 5.0


def with_profile(case: Case, rule: dict[str, Any], **profile: Any) -> Bundle:  # noqa: ANN401 (JSON)
    """A bundle whose profile allows everything but what the rule says about times."""
    bundle = case.bundle()
    rules = [{"names": ["times"], **rule}]
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules, **profile}
    return bundle


def observe_rule(case: Case, rule: dict[str, Any]) -> int:
    """The errno of times under a rule."""
    return case.observe(with_profile(case, rule), "call=times").errno("call", "times")


@statement(
    "config-linux.md/seccomp/errno-default", "SCMP_ACT_ERRNO gives EPERM unless told otherwise"
)
def errno_default(case: Case) -> None:
    expect_equal(observe_rule(case, {"action": "SCMP_ACT_ERRNO"}), errno.EPERM, "errno")


@statement("config-linux.md/seccomp/errnoRet", "errnoRet is the errno of SCMP_ACT_ERRNO")
def errno_given(case: Case) -> None:
    seen = observe_rule(case, {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOTTY})
    expect_equal(seen, errno.ENOTTY, "errno")


@statement("config-linux.md/seccomp/trace", "SCMP_ACT_TRACE without a tracer gives ENOSYS")
def trace(case: Case) -> None:
    expect_equal(observe_rule(case, {"action": "SCMP_ACT_TRACE"}), errno.ENOSYS, "errno")


@statement("config-linux.md/seccomp/log", "SCMP_ACT_LOG lets the call pass")
def log(case: Case) -> None:
    expect_equal(observe_rule(case, {"action": "SCMP_ACT_LOG"}), 0, "errno")


@statement("config-linux.md/seccomp/filter-in-place", "the program runs under a filter")
def filter_in_place(case: Case) -> None:
    bundle = with_profile(case, {"action": "SCMP_ACT_ERRNO"})
    expect_equal(case.observe(bundle).status["Seccomp"], "2", "Seccomp of /proc/self/status")


@statement(
    "config-linux.md/seccomp/no-new-privileges",
    "also with noNewPrivileges and without capabilities",
)
def filter_with_no_new_privileges(case: Case) -> None:
    bundle = with_profile(case, {"action": "SCMP_ACT_ERRNO"})
    bundle.process.update(noNewPrivileges=True, user={"uid": 1001, "gid": 1001})
    report = case.observe(bundle, "call=times")
    expect_equal(report.errno("call", "times"), errno.EPERM, "errno")


@statement("config-linux.md/seccomp/other-calls", "a rule touches no other system call")
def other_calls(case: Case) -> None:
    report = case.observe(with_profile(case, {"action": "SCMP_ACT_ERRNO"}), "call=getuid")
    report.succeeded("call", "getuid")


def fatal_action(action: str) -> None:
    @statement(f"config-linux.md/seccomp/{action}", f"{action} ends the program with SIGSYS")
    def check(case: Case) -> None:
        bundle = with_profile(case, {"action": action})
        bundle.probe_args("call=times")
        container = case.container(bundle).created().started().wait()
        expect(container.wrote_nothing(), "the program went on after the call")
        status = os.waitpid(container.pid_at_create, 0)[1]
        expect(os.WIFSIGNALED(status), f"the program ended with wait status {status}")
        expect_equal(os.WTERMSIG(status), signal.SIGSYS, "the signal that ended it")


for fatal in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"):
    fatal_action(fatal)


def default_action(name: str, default_errno: int | None, wanted: int) -> None:
    @statement(
        f"config-linux.md/seccomp/{name}", "calls without a rule get defaultAction and its errno"
    )
    def check(case: Case) -> None:
        bundle = case.bundle()
        denied = {"defaultAction": "SCMP_ACT_ERRNO"}
        extra = {} if default_errno is None else {"defaultErrnoRet": default_errno}
        bundle.linux["seccomp"] = {**denied, **extra, "syscalls": [allowing_rule()]}
        report = case.observe(bundle, "call=times", "call=getuid")
        expect_equal(report.errno("call", "times"), wanted, "errno of a call without a rule")
        report.succeeded("call", "getuid")


# What runtimes (in Go, C or Python) and the probe call, less times.
ALLOWED = """
access arch_prctl brk capget capset chdir clone clone3 close close_range dup dup3 epoll_create1
epoll_ctl epoll_pwait eventfd2 execve exit exit_group faccessat faccessat2 fchdir fcntl fgetxattr
fstat fstatfs futex get_mempolicy get_robust_list getcwd getdents64 getegid geteuid getgid getpgrp
getpid getppid getpriority getrandom getrlimit gettid getuid ioctl ioprio_get keyctl kill lseek
madvise mmap mprotect mremap munmap nanosleep newfstatat open openat openat2 personality pipe2 ppoll
poll prctl pread64 prlimit64 pselect6 read readlink readlinkat recvmsg rseq rt_sigaction
rt_sigprocmask rt_sigreturn sched_getaffinity sched_getscheduler sched_yield seccomp select sendmsg
set_robust_list set_tid_address setgid setgroups setresgid setresuid setsid setuid sigaltstack
socket stat statfs statx sysinfo tgkill umask uname unlink unlinkat wait4 waitid write writev
"""


def allowing_rule() -> dict[str, Any]:
    """Allows what a program needs to start; names that an architecture lacks are ignored."""
    return {"names": ALLOWED.split(), "action": "SCMP_ACT_ALLOW"}


default_action("defaultAction", None, errno.EPERM)
default_action("defaultErrnoRet", errno.ENOTTY, errno.ENOTTY)

# operator -> (value, valueTwo, arguments that match, arguments that do not), all of umask
OPERATORS = {
    "NE": (16, 0, (15, 17), (16,)),
    "LT": (16, 0, (15,), (16, 17)),
    "LE": (16, 0, (15, 16), (17,)),
    "EQ": (16, 0, (16,), (15, 17)),
    "GE": (16, 0, (16, 17), (15,)),
    "GT": (16, 0, (17,), (16,)),
    "MASKED_EQ": (0o70, 0o20, (0o25, 0o27), (0o10, 0o35)),
}


def operator(
    name: str, values: tuple[int, int], match: tuple[int, ...], other: tuple[int, ...]
) -> None:
    @statement(f"config-linux.md/seccomp/SCMP_CMP_{name}", f"the comparison SCMP_CMP_{name}")
    def check(case: Case) -> None:
        bundle = case.bundle()
        condition = {
            "index": 0,
            "value": values[0],
            "valueTwo": values[1],
            "op": f"SCMP_CMP_{name}",
        }
        rule = {"names": ["umask"], "action": "SCMP_ACT_ERRNO", "args": [condition]}
        bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
        report = case.observe(bundle, *(f"call=umask:{argument}" for argument in match + other))
        for argument in match + other:
            wanted = errno.EPERM if argument in match else 0
            expect_equal(
                report.errno("call", f"umask:{argument}"), wanted, f"errno with {argument}"
            )


for operator_name, (value, value_two, matching, others) in OPERATORS.items():
    operator(operator_name, (value, value_two), matching, others)


@statement(
    "config-linux.md/seccomp/errnoRet-unsupported", "an errno for an action without one is an error"
)
def errno_unsupported(case: Case) -> None:
    for action in ("SCMP_ACT_ALLOW", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG"):
        case.refuses(with_profile(case, {"action": action, "errnoRet": 1}), f"errnoRet of {action}")


@statement("config-linux.md/seccomp/defaultErrnoRet-unsupported", "the same for defaultErrnoRet")
def default_errno_unsupported(case: Case) -> None:
    bundle = case.bundle()
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}
    case.refuses(bundle, "defaultErrnoRet of SCMP_ACT_ALLOW")


@statement("config-linux.md/seccomp/names-empty", "names without an entry are an error")
def names_empty(case: Case) -> None:
    rule = {"action": "SCMP_ACT_ERRNO", "names": []}
    case.refuses(with_profile(case, rule), "a rule without names")


@statement(
    "config-linux.md/seccomp/metadata-alone", "listenerMetadata without listenerPath is an error"
)
def metadata_alone(case: Case) -> None:
    bundle = with_profile(case, {"action": "SCMP_ACT_ERRNO"}, listenerMetadata="x")
    case.refuses(bundle, "listenerMetadata alone")


@statement(
    "config-linux.md/seccomp/listener-missing", "a listenerPath where nobody listens is an error"
)
def listener_missing(case: Case) -> None:
    path = str(case.directory / "missing")
    bundle = with_profile(case, {"action": "SCMP_ACT_NOTIFY"}, listenerPath=path)
    case.refuses(bundle, "a listenerPath where nobody listens")


@statement(
    "config-linux.md/seccomp/listener-ignored", "listenerPath is ignored without SCMP_ACT_NOTIFY"
)
def listener_ignored(case: Case) -> None:
    path = str(case.directory / "missing")
    case.observe(with_profile(case, {"action": "SCMP_ACT_ERRNO"}, listenerPath=path))


class Agent:
    """Receives one container process state."""

    def __init__(self, listener: socket.socket) -> None:
        """Waits for it."""
        expect(bool(select.select([listener], [], [], SECONDS)[0]), "nobody connected")
        connection, _ = listener.accept()
        self.fds: list[int] = []
        with connection:
            connection.settimeout(SECONDS)
            text = b""
            while data := self._receive(connection):
                text += data
        self.state: dict[str, Any] = json.loads(text)
        self.more = bool(select.select([listener], [], [], 0)[0])

    def _receive(self, connection: socket.socket) -> bytes:
        data, messages, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(64))
        for _, _, rights in messages:
            fds = array.array("i")
            fds.frombytes(rights)
            self.fds += fds
        return data


def run_with_agent(case: Case) -> tuple[Agent, Report]:
    """A life with a listener that never answers: the caught call then ends with ENOSYS."""
    path = str(case.directory / "agent")
    bundle = with_profile(
        case, {"action": "SCMP_ACT_NOTIFY"}, listenerPath=path, listenerMetadata="the metadata"
    )
    bundle.probe_args("-o", "/out/log", "call=times")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        container = case.container(bundle).created()
        agent = Agent(listener)
    for fd in agent.fds:
        os.close(fd)
    container.started().wait().deleted()
    return agent, parse_reports((bundle.rootfs / "out/log").read_text(encoding="ascii"))[0]


@statement(
    "config-linux.md/seccomp/listener-state", "the listener gets the container process state"
)
def listener_state(case: Case) -> None:
    agent, _ = run_with_agent(case)
    state = agent.state
    expect_equal(state.get("metadata"), "the metadata", "metadata")
    expect(isinstance(state.get("ociVersion"), str), "ociVersion is missing")
    expect(isinstance(state.get("pid"), int), "pid is missing")
    expect_equal(state.get("state", {}).get("id"), case.containers[0].id, "the id in state")
    expect_equal(state.get("state", {}).get("status"), "creating", "the status in state")


@statement(
    "config-linux.md/seccomp/listener-fd", "the listener gets the descriptor, named seccompFd"
)
def listener_fd(case: Case) -> None:
    agent, report = run_with_agent(case)
    expect_equal(agent.state.get("fds"), ["seccompFd"], "fds")
    expect_equal(len(agent.fds), 1, "the number of descriptors")
    expect_equal(report.errno("call", "times"), errno.ENOSYS, "errno once nobody holds it")


@statement(
    "config-linux.md/seccomp/listener-once", "one state for a connection, which is then closed"
)
def listener_once(case: Case) -> None:
    agent, _ = run_with_agent(case)
    expect(not agent.more, "there is a second connection")
