"""Containers for root tests: a bundle of busybox, the runtime's command line, bounded waits.

Everything a test makes lies below its own directory and its own cgroup, so that tests of several
people can run on one machine at a time. Any runtime with runc's command line will do.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

from pyoci.spec.defaults import default_config

Config: TypeAlias = dict[str, Any]
Stream: TypeAlias = int | IO[bytes]

BUSYBOX = "/bin/busybox"
DIRECTORIES = ("bin", "dev", "etc", "home/user", "proc", "root", "sys", "tmp", "usr")
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"  # noqa: S105  (public)
GROUP = "root:x:0:\nuser:x:1000:\n"

# Nothing takes so long, but on a machine that is busy with something else.
PATIENCE = 30.0


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Come back once the condition holds; AssertionError when the time is over."""
    deadline = time.monotonic() + seconds
    clock = select.poll()
    while not condition():
        assert time.monotonic() < deadline, f"{condition} does not hold after {seconds} s"
        clock.poll(5)


def wait_exit(pid: int, seconds: float = PATIENCE) -> None:
    """Come back once this process of ours has ended; it stays a zombie for its parent to reap."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        assert poller.poll(int(seconds * 1000)), f"process {pid} does not end in {seconds} s"
    finally:
        os.close(pidfd)


def read_children() -> list[int]:
    """The pids of our children, zombies too; orphans below us are among them (subreaper)."""
    pids: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        pids += [int(pid) for pid in path.read_text().split()]
    return pids


def reap_children(spared: set[int]) -> None:
    """Reap every child that has ended, but these."""
    for pid in set(read_children()) - spared:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def find_cgroup2() -> Path | None:
    """Where cgroup v2 is mounted, also on a hybrid host (proc(5), mountinfo)."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 "):
            return Path(mount.split()[4])
    return None


def merge(base: Config, overrides: Mapping[str, Any]) -> Config:
    """The base with the overrides: objects are merged, anything else is replaced, None removed."""
    merged = dict(base)
    for name, value in overrides.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged


def make_applets(directory: Path) -> None:
    """A directory of busybox (a copy: a test must not reach the machine's) and a link a name."""
    directory.mkdir(parents=True)
    shutil.copy(BUSYBOX, directory / "busybox")
    for name in subprocess.check_output([BUSYBOX, "--list"], text=True).split():
        if name != "busybox":
            os.symlink("busybox", directory / name)


class Bundle:
    """A bundle directory: a root filesystem with busybox, and a config that tests may change."""

    def __init__(self, path: Path, applets: Path, config: Config) -> None:
        """Make the directory; the config is written at once, and again by `write`."""
        self.path = path
        self.rootfs = path / "rootfs"
        self.config = config
        for name in DIRECTORIES:
            (self.rootfs / name).mkdir(parents=True, exist_ok=True)
        (self.rootfs / "tmp").chmod(0o1777)
        os.chown(self.rootfs / "home" / "user", 1000, 1000)
        (self.rootfs / "etc" / "passwd").write_text(PASSWD)
        (self.rootfs / "etc" / "group").write_text(GROUP)
        # One hard link a bundle: of a file there may be 65000.
        os.link(applets / "busybox", self.rootfs / "bin" / "busybox")
        for name in os.listdir(applets):
            if name != "busybox":
                os.symlink("busybox", self.rootfs / "bin" / name)
        self.write()

    def write(self) -> None:
        """Write config.json as `config` is now."""
        (self.path / "config.json").write_text(json.dumps(self.config))

    def add_script(self, name: str, text: str, mode: int = 0o755) -> Path:
        """A file of the root filesystem, executable unless told otherwise; the path on the host."""
        path = self.rootfs / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path


def make_config(args: tuple[str, ...], overrides: Mapping[str, Any]) -> Config:
    """The default config without a terminal, to run these arguments, with the overrides."""
    config: Config = json.loads(json.dumps(default_config(rootless=False, uid=0, gid=0)))
    config["ociVersion"] = "1.0.2"  # older runtimes refuse a later one
    process: Config = {"terminal": False}
    if args:
        process["args"] = list(args)
    return merge(merge(config, {"process": process}), overrides)


@dataclass
class Result:
    """How one call of the runtime ended."""

    command: list[str]
    rc: int
    stdout: str
    stderr: str

    def ok(self) -> Result:
        """Itself; AssertionError unless it ended with 0 and said nothing on stderr."""
        assert (self.rc, self.stderr) == (0, ""), self
        return self

    def failed(self, *texts: str, rc: int = 1) -> Result:
        """Itself; AssertionError unless it failed with this status and said all of this.

        Whatever fails says so on one line, or two with a hint, and never with a traceback.
        """
        assert self.rc == rc, self
        assert 1 <= len(self.stderr.splitlines()) <= 2, self
        assert "Traceback" not in self.stderr, self
        assert "internal error" not in self.stderr, self
        for text in texts:
            assert text in self.stderr, (text, self)
        return self


def decode(raw: bytes | None) -> str:
    """Bytes as text, whatever they are; nothing where nothing was captured."""
    return (raw or b"").decode("utf-8", "surrogateescape")


class Container:
    """A container by its id, and the runtime's commands on it; it need not exist."""

    def __init__(self, runtime: Path, directory: Path, bundle: Bundle, container_id: str) -> None:
        """Take where the state root is and the output goes; nothing is created yet."""
        self.runtime = runtime
        self.directory = directory
        self.root = directory / "state"
        self.bundle = bundle
        self.id = container_id
        self.environment: dict[str, str] = {"PATH": os.environ["PATH"]}
        self.stdout_path = directory / f"{container_id}.stdout"
        self.stderr_path = directory / f"{container_id}.stderr"
        self.log_path = directory / f"{container_id}.log"
        self.spawned: list[subprocess.Popen[bytes]] = []

    # --- how to call the runtime

    @property
    def program(self) -> list[str]:
        """The runtime and its global options."""
        return [str(self.runtime), "--root", str(self.root)]

    def call(self, *words: str, stdin: Stream = subprocess.DEVNULL, **options: Any) -> Result:  # noqa: ANN401
        """Run `runtime --root R WORDS...`; its output is captured."""
        return self.run_command([*self.program, *words], stdin=stdin, **options)

    def run_command(
        self,
        command: list[str],
        stdin: Stream = subprocess.DEVNULL,
        **options: Any,  # noqa: ANN401
    ) -> Result:
        """Run a command that ends, and with it everything that has its output."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        settings: dict[str, Any] = {"env": self.environment, "timeout": PATIENCE * 2}
        settings = pipes | settings | options
        done: subprocess.CompletedProcess[Any] = subprocess.run(
            command, stdin=stdin, check=False, **settings
        )
        return Result(command, done.returncode, decode(done.stdout), decode(done.stderr))

    def spawn(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
        """Start `runtime --root R WORDS...`, without input or pipes unless told otherwise."""
        return self.spawn_by([], *words, **options)

    def spawn_by(self, wrapper: list[str], *words: str, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
        """The same as arguments of another program."""
        settings: dict[str, Any] = {"env": self.environment, "stdin": subprocess.DEVNULL} | options
        command = [*wrapper, *self.program, *words]
        process: subprocess.Popen[bytes] = subprocess.Popen(command, **settings)
        self.spawned.append(process)
        return process

    def call_detached(self, *words: str, **options: Any) -> Result:  # noqa: ANN401
        """As `call`, for create and run --detach: the output goes to files.

        The container keeps it open when the runtime has long ended.
        """
        with self.stdout_path.open("ab") as stdout, self.stderr_path.open("ab") as stderr:
            said = os.fstat(stderr.fileno()).st_size
            streams = {"stdout": stdout, "stderr": stderr} | options
            result = self.run_command([*self.program, *words], **streams)
        result.stdout = self.read_stdout()
        result.stderr = decode(self.stderr_path.read_bytes()[said:])
        return result

    # --- the commands

    def create(self, *options: str, **settings: Any) -> Result:  # noqa: ANN401
        """The `create` command; the container's output goes to files, see `read_stdout`."""
        words = ("create", "--bundle", str(self.bundle.path), *options, self.id)
        return self.call_detached(*words, **settings)

    def run(self, *options: str, **settings: Any) -> Result:  # noqa: ANN401
        """The `run` command in the foreground."""
        return self.call("run", "--bundle", str(self.bundle.path), *options, self.id, **settings)

    def run_detached(self, *options: str, **settings: Any) -> Result:  # noqa: ANN401
        """The `run --detach` command; output as with `create`."""
        words = ("run", "--detach", "--bundle", str(self.bundle.path), *options, self.id)
        return self.call_detached(*words, **settings)

    def spawn_run(self, *options: str, **settings: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
        """`run` in the foreground, while the test goes on."""
        return self.spawn("run", "--bundle", str(self.bundle.path), *options, self.id, **settings)

    def start(self, **settings: Any) -> Result:  # noqa: ANN401
        """The `start` command."""
        return self.call("start", self.id, **settings)

    def state(self) -> Result:
        """The `state` command."""
        return self.call("state", self.id)

    def kill(self, *words: str) -> Result:
        """The `kill` command: kill("KILL"), kill("--all", "9")."""
        options = [word for word in words if word.startswith("-")]
        return self.call("kill", *options, self.id, *[w for w in words if w not in options])

    def delete(self, *options: str, **settings: Any) -> Result:  # noqa: ANN401
        """The `delete` command."""
        return self.call("delete", *options, self.id, **settings)

    def exec(self, *args: str, options: tuple[str, ...] = (), **settings: Any) -> Result:  # noqa: ANN401
        """The `exec` command in the foreground."""
        return self.call("exec", *options, self.id, *args, **settings)

    # --- what is true now

    def read_state(self) -> dict[str, Any]:
        """What `state` says; AssertionError if it fails."""
        state: dict[str, Any] = json.loads(self.state().ok().stdout)
        return state

    @property
    def status(self) -> str:
        """The status that `state` tells."""
        return str(self.read_state()["status"])

    @property
    def pid(self) -> int:
        """The pid that `state` tells."""
        return int(self.read_state()["pid"])

    @property
    def cgroup(self) -> Path:
        """The directory of its cgroup on the v2 tree."""
        path: str = self.bundle.config["linux"]["cgroupsPath"]
        return (find_cgroup2() or Path("/sys/fs/cgroup")) / path.lstrip("/")

    def freeze(self) -> None:
        """Stop all its processes where they are (cgroups(7), cgroup.freeze)."""
        (self.cgroup / "cgroup.freeze").write_text("1")
        wait_until(lambda: "frozen 1" in (self.cgroup / "cgroup.events").read_text())

    @property
    def state_directory(self) -> Path:
        """Where the runtime keeps its state."""
        return self.root / self.id

    def read_stdout(self) -> str:
        """What the container (and create) wrote on stdout so far."""
        return decode(self.stdout_path.read_bytes()) if self.stdout_path.exists() else ""

    def read_stderr(self) -> str:
        """What the container (and create) wrote on stderr so far."""
        return decode(self.stderr_path.read_bytes()) if self.stderr_path.exists() else ""

    def wait_stdout(self, text: str) -> None:
        """Come back once the container has written this."""
        wait_until(lambda: text in self.read_stdout())

    def wait_status(self, status: str) -> None:
        """Come back once `state` tells this status."""
        wait_until(lambda: self.status == status)

    def leftovers(self) -> list[str]:
        """What there still is of the container on the host, in words."""
        found = [str(path) for path in (self.state_directory, self.cgroup) if path.exists()]
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found += [line for line in mounts if str(self.bundle.path) in line]
        return found

    def assert_gone(self) -> None:
        """AssertionError if anything of the container is left."""
        assert self.leftovers() == []

    def clean_up(self) -> None:
        """Kill and remove whatever there is of it."""
        for process in self.spawned:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()
        if self.state_directory.exists():
            self.delete("--force")


class MakeBundle(Protocol):
    """The type of the fixture `bundle`."""

    def __call__(
        self,
        *args: str,
        name: str = ...,
        mutate: Callable[[Config], object] | None = ...,
        **overrides: Any,  # noqa: ANN401
    ) -> Bundle:
        """Make a bundle that runs these arguments."""


class MakeContainer(Protocol):
    """The type of the fixture `container`."""

    def __call__(
        self,
        *args: str,
        bundle: Bundle | None = ...,
        mutate: Callable[[Config], object] | None = ...,
        **overrides: Any,  # noqa: ANN401
    ) -> Container:
        """Make a bundle that runs these arguments, unless one is given, and name a container."""
