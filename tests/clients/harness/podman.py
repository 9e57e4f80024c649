"""Podman with its own storage and configuration, as root or as an ordinary user; conmon is its."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from pwd import getpwuid

from tests.clients.harness.image import BUSYBOX_IMAGE, PAUSE_IMAGE
from tests.clients.harness.machine import cgroup_driver, has_limits
from tests.clients.harness.process import Done, Terminal, call
from tests.clients.harness.snippets import read_snippet

# What Podman limits by default is above what every machine lets root have, or an ordinary user.
ULIMITS = {
    True: 'default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]',
    False: 'default_ulimits = ["nofile=1000:1000", "nproc=2000:2000"]',
}


def render_config(directory: Path, runtime: Path, *, is_root: bool) -> str:
    """containers.conf: the table [engine] as the page has it, and below it what is ours."""
    page = read_snippet("podman")
    marker = "[engine]\n"
    assert marker in page
    # A user without a session has no systemd to ask.
    driver = cgroup_driver() if is_root else "cgroupfs"
    engine = (
        f"{marker}"
        f'cgroup_manager = "{driver}"\n'
        'events_logger = "file"\n'
        f'infra_image = "{PAUSE_IMAGE}"\n'
        f'tmp_dir = "{directory / "tmp"}"\n'
    )
    limit = "" if has_limits() else "pids_limit = 0\n"
    return f"""{page.replace(marker, engine)}
runc = ["{runtime}"]
[containers]
log_driver = "k8s-file"
{ULIMITS[is_root]}
{limit}
[network]
network_backend = "cni"
cni_plugin_dirs = ["/usr/lib/cni"]
network_config_dir = "{directory}/net.d"
"""


class PodmanHome:
    """A directory with storage, configuration and images for one user."""

    def __init__(self, directory: Path, control: Path, images: list[Path], uid: int = 0) -> None:
        """Make it, and load the images."""
        self.directory = directory
        self.uid = uid
        (directory / "etc").mkdir()
        (directory / "xdg").mkdir(mode=0o700)
        config = render_config(directory, control, is_root=uid == 0)
        (directory / "etc" / "containers.conf").write_text(config)
        (directory / "etc" / "storage.conf").write_text(
            f'[storage]\ndriver = "{"overlay" if uid == 0 else "vfs"}"\n'
            f'graphroot = "{directory}/root"\nrunroot = "{directory}/run"\n'
        )
        policy = directory / ".config" / "containers" / "policy.json"
        policy.parent.mkdir(parents=True)
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        if uid:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, uid, uid)
        for image in images:
            self.podman("load", "--quiet", "--input", str(image)).ok()

    @property
    def env(self) -> dict[str, str]:
        """The variables that make Podman use it."""
        return {
            "HOME": str(self.directory),
            "USER": getpwuid(self.uid).pw_name,  # Podman looks for its ranges in /etc/subuid
            "XDG_RUNTIME_DIR": str(self.directory / "xdg"),
            "XDG_CONFIG_HOME": str(self.directory / ".config"),
            "CONTAINERS_CONF": str(self.directory / "etc" / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "etc" / "storage.conf"),
        }

    def command(self, *words: str) -> list[str]:
        """The command line of podman for its user."""
        user = f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"
        return [*(("setpriv", *user) if self.uid else ()), "podman", *words]

    def podman(self, *words: str) -> Done:
        """Run podman to its end."""
        return call(self.command(*words), self.env)

    def remove(self) -> None:
        """Remove all containers, and end the process that keeps a user's namespace."""
        self.podman("pod", "rm", "--force", "--all", "--time", "0")
        self.podman("rm", "--force", "--all", "--time", "0")
        self.podman("system", "migrate")


class Podman:
    """podman with one runtime."""

    def __init__(self, home: PodmanHome, runtime: str, prefix: str) -> None:
        """Take the home, the runtime's name and the beginning of the containers' names."""
        self.home = home
        self.runtime = runtime
        self.prefix = prefix
        self.names: list[str] = []

    def __call__(self, *words: str) -> Done:
        """Run podman to its end."""
        return self.home.podman("--runtime", self.runtime, *words)

    def name(self) -> str:
        """A name for one more container."""
        self.names.append(f"{self.prefix}-{len(self.names)}")
        return self.names[-1]

    def run_words(self, args: Sequence[str], options: Sequence[str]) -> list[str]:
        """The words of `podman run`: without a network, unless the options ask for one."""
        network = (
            [] if any("--network" in o or "--pod" in o for o in options) else ["--network=none"]
        )
        return ["run", "--name", self.name(), *network, *options, BUSYBOX_IMAGE, *args]

    def run(self, *args: str, options: Sequence[str] = ()) -> Done:
        """`podman run --rm` in the foreground."""
        return self(*self.run_words(args, ("--rm", *options)))

    def start(self, *args: str, options: Sequence[str] = ()) -> str:
        """`podman run --detach`: the name of the container that runs now."""
        self(*self.run_words(args or ("sleep", "1000"), ("--detach", *options))).ok()
        return self.names[-1]

    def on_terminal(self, *words: str) -> Terminal:
        """Run podman on a terminal."""
        return self.home_terminal(self.home.command("--runtime", self.runtime, *words))

    def home_terminal(self, command: list[str]) -> Terminal:
        """Run any command on a terminal, with the variables of the home."""
        return Terminal(command, self.home.env)

    def inspect(self, name: str, field: str) -> str:
        """A field of what `podman inspect` tells, like State.Status."""
        return self("inspect", "--format", "{{." + field + "}}", name).ok().text

    def clean_up(self) -> None:
        """Remove every container of ours that there still is."""
        for name in self.names:
            self("rm", "--force", "--time", "0", "--ignore", name)
