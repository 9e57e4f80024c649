"""What the schema cannot say of ``process``: for config.json, and for what exec is given.

The schema states the range of ids too. It is checked again here because a Process may also come
from the command line, and an id that wraps is root (SECURITY: R-USER-3).
"""

from __future__ import annotations

from pyoci.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import Process

MAX_ID = 2**32 - 2  # the next one means "no change" to the kernel
MAX_UMASK = 0o777
MAX_OOM_SCORE = 1000
MAX_IO_PRIORITY = 7
MAX_LIMIT = 2**64 - 1

# getrlimit(2).
RLIMIT_NAMES = frozenset((
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
))  # fmt: skip


def check_process(process: Process) -> None:
    """ConfigError for the first rule that the process breaks."""
    for rule in PROCESS_RULES:
        rule(process)


def check_args(process: Process) -> None:
    """There is a program to run (config.md, "Process")."""
    if not process.args:
        raise ConfigError("process.args", "args must not be empty")


def check_cwd(process: Process) -> None:
    """The working directory is absolute (config.md, "Process")."""
    if not process.cwd:
        raise ConfigError("process.cwd", "cwd must not be empty")
    if not process.cwd.startswith("/"):
        raise ConfigError("process.cwd", "cwd must be an absolute path")


def check_env(process: Process) -> None:
    """The environment is made of variables."""
    check_environment(process.env, "process.env")


def check_environment(entries: tuple[str, ...], path: str) -> None:
    """Each entry is NAME=value; the values are not shown, as they may be secrets."""
    for index, entry in enumerate(entries):
        if entry.find("=") < 1:
            raise ConfigError(f"{path}[{index}]", "expected NAME=value with a name")


def check_user(process: Process) -> None:
    """Ids fit the kernel (SECURITY: R-USER-3), and so does the umask."""
    user = process.user
    check_id(user.uid, "process.user.uid")
    check_id(user.gid, "process.user.gid")
    for index, gid in enumerate(user.additional_gids):
        check_id(gid, f"process.user.additionalGids[{index}]")
    if user.umask is not None and not 0 <= user.umask <= MAX_UMASK:
        raise ConfigError("process.user.umask", f"expected 0 to {MAX_UMASK}, got {user.umask}")


def check_id(number: int, path: str) -> None:
    """A user or group id that names somebody."""
    if not 0 <= number <= MAX_ID:
        raise ConfigError(path, f"expected an id from 0 to {MAX_ID}, got {number}")


def check_rlimits(process: Process) -> None:
    """Known limits, each once, soft within hard (config.md, "POSIX process")."""
    seen: set[str] = set()
    for index, limit in enumerate(process.rlimits):
        path = f"process.rlimits[{index}]"
        if limit.type not in RLIMIT_NAMES:
            raise ConfigError(f"{path}.type", f"Linux has no limit {limit.type}")
        if limit.type in seen:
            raise ConfigError(f"{path}.type", f"{limit.type} is set twice")
        if not 0 <= limit.soft <= limit.hard <= MAX_LIMIT:
            raise ConfigError(f"{path}.soft", f"{limit.soft} is above hard, {limit.hard}")
        seen.add(limit.type)


def check_oom_score_adj(process: Process) -> None:
    """What proc_pid_oom_score_adj(5) takes."""
    score = process.oom_score_adj
    if score is not None and not -MAX_OOM_SCORE <= score <= MAX_OOM_SCORE:
        reason = f"expected {-MAX_OOM_SCORE} to {MAX_OOM_SCORE}, got {score}"
        raise ConfigError("process.oomScoreAdj", reason)


def check_scheduler(process: Process) -> None:
    """Only what the policy uses is set (sched_setattr(2))."""
    scheduler = process.scheduler
    if scheduler is None:
        return
    policy = scheduler.policy
    if not -20 <= scheduler.nice <= 19:
        raise ConfigError("process.scheduler.nice", f"expected -20 to 19, got {scheduler.nice}")
    if scheduler.priority and policy not in {"SCHED_FIFO", "SCHED_RR"}:
        reason = f"only for SCHED_FIFO and SCHED_RR, not {policy}"
        raise ConfigError("process.scheduler.priority", reason)
    for name in ("runtime", "deadline", "period"):
        if getattr(scheduler, name) and policy != "SCHED_DEADLINE":
            raise ConfigError(f"process.scheduler.{name}", f"only for SCHED_DEADLINE, not {policy}")


def check_io_priority(process: Process) -> None:
    """What ioprio_set(2) takes."""
    priority = process.io_priority
    if priority is not None and not 0 <= priority.priority <= MAX_IO_PRIORITY:
        reason = f"expected 0 to {MAX_IO_PRIORITY}, got {priority.priority}"
        raise ConfigError("process.ioPriority.priority", reason)


PROCESS_RULES = (
    check_args,
    check_cwd,
    check_env,
    check_user,
    check_rlimits,
    check_oom_score_adj,
    check_scheduler,
    check_io_priority,
)
