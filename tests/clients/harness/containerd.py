"""containerd 1.6 with its own root, state and socket, and ctr, which talks to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.clients.harness.image import BUSYBOX_IMAGE, PAUSE_IMAGE
from tests.clients.harness.machine import cgroup_driver, has_limits
from tests.clients.harness.process import Daemon, Done, Terminal, call
from tests.clients.harness.snippets import read_snippet
from tests.support.containers import wait_until

CRI = 'plugins."io.containerd.grpc.v1.cri"'
NETWORK = """{"cniVersion": "0.4.0", "name": "pods", "plugins": [{
  "type": "bridge", "bridge": "pyoci-cri", "isGateway": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.87.0.0/24"}]], "dataDir": "%s"}}]}
"""


def render_config(directory: Path) -> str:
    """config.toml: everything below the directory; the runtimes as the page has them."""
    systemd = str(cgroup_driver() == "systemd").lower()
    page = read_snippet("containerd-1").replace(
        "SystemdCgroup = false", f"SystemdCgroup = {systemd}"
    )
    # Without controllers no limit can be set, and the plugin always sets some.
    disable_cgroup = str(not has_limits()).lower()
    return f"""{page}
[{CRI}]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_cgroup = {disable_cgroup}
  [{CRI}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{directory}/net.d"
[grpc]
  address = "{directory}/containerd.sock"
[ttrpc]
  address = "{directory}/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"
"""


class Containerd:
    """The daemon; both namespaces have the images: ctr's and the CRI's."""

    def __init__(self, directory: Path, images: list[Path]) -> None:
        """Start it, wait until it answers, and give it the images."""
        self.directory = directory
        self.socket = directory / "containerd.sock"
        (directory / "net.d").mkdir()
        (directory / "net.d" / "10-pods.conflist").write_text(NETWORK % (directory / "ipam"))
        config = directory / "config.toml"
        places = f'root = "{directory}/root"\nstate = "{directory}/state"\n'
        config.write_text(places + render_config(directory))
        self.daemon = Daemon(["containerd", "-c", config], directory / "log")
        self.daemon.wait_ready(lambda: self.ctr("version").status == 0)
        for image in images:
            self.ctr("image", "import", str(image)).ok()
            self.ctr("-n", "k8s.io", "image", "import", str(image)).ok()

    def ctr(self, *words: str) -> Done:
        """Run ctr to its end."""
        return call(["ctr", "-a", self.socket, *words])

    def stop(self) -> None:
        """End it; the tests have removed their tasks, and with them the shims."""
        self.daemon.stop()


class Ctr:
    """ctr with one runtime."""

    def __init__(self, containerd: Containerd, runtime: Path, prefix: str) -> None:
        """Take the daemon, the runtime's path and the beginning of the containers' names."""
        self.containerd = containerd
        self.runtime = runtime
        self.prefix = prefix
        self.names: list[str] = []

    def __call__(self, *words: str) -> Done:
        """Run ctr to its end."""
        return self.containerd.ctr(*words)

    def name(self) -> str:
        """A name for one more container."""
        self.names.append(f"{self.prefix}-{len(self.names)}")
        return self.names[-1]

    def run_words(self, name: str, args: tuple[str, ...], options: tuple[str, ...]) -> list[str]:
        """The words of `ctr run`; it limits the CPU by default, which not every machine can."""
        words = ["run", "--runc-binary", str(self.runtime)]
        if not has_limits():
            words += ["--cpu-shares", "0"]
        if cgroup_driver() == "systemd":
            words += ["--runc-systemd-cgroup", "--cgroup", f"system.slice:ctr:{name}"]
        return [*words, *options, BUSYBOX_IMAGE, name, *args]

    def run(self, *args: str, options: tuple[str, ...] = ()) -> Done:
        """`ctr run --rm` in the foreground."""
        return self(*self.run_words(self.name(), args, ("--rm", *options)))

    def start(self, *args: str, options: tuple[str, ...] = ()) -> str:
        """`ctr run --detach`: the name of the container that runs now."""
        name = self.name()
        self(*self.run_words(name, args, ("--detach", *options))).ok()
        return name

    def on_terminal(self, *words: str) -> Terminal:
        """Run ctr on a terminal."""
        return Terminal(["ctr", "-a", self.containerd.socket, *words])

    @contextmanager
    def with_files(
        self, words: Sequence[str], stdout: Path, stderr: Path
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run ctr with a pipe as its input and files for its output, until the block ends."""
        command = ["ctr", "-a", str(self.containerd.socket), *words]
        with (
            stdout.open("wb") as out,
            stderr.open("wb") as err,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def exec(self, name: str, *args: str, options: tuple[str, ...] = ()) -> Done:
        """`ctr task exec`."""
        return self("task", "exec", "--exec-id", f"exec-{len(self.names)}", *options, name, *args)

    def status(self, name: str) -> str:
        """The task's status; empty if there is none."""
        rows = [line.split() for line in self("task", "ls").ok().stdout.splitlines()]
        return next((row[2] for row in rows if row[0] == name), "")

    def wait_status(self, name: str, status: str) -> None:
        """Come back once the task has this status."""
        wait_until(lambda: self.status(name) == status)

    def pids(self, name: str) -> list[int]:
        """The processes of a task."""
        rows = self("task", "ps", name).ok().stdout.splitlines()[1:]
        return [int(row.split()[0]) for row in rows]

    def clean_up(self) -> None:
        """Remove every container of ours that there still is."""
        for name in self.names:
            if self.status(name):
                self("task", "rm", "--force", name)
            self("container", "rm", name)
