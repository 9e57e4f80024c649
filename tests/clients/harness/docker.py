"""A Docker daemon with its own root, state, socket and containerd, and the client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.clients.harness.image import BUSYBOX_IMAGE
from tests.clients.harness.machine import cgroup_driver, read_facts
from tests.clients.harness.process import Daemon, Done, Terminal, call
from tests.clients.harness.snippets import read_snippet

# Debian's, whatever else is in PATH.
CLIENT = "/usr/bin/docker"


class Dockerd:
    """The daemon: pyoci is one of its runtimes, as the page has it; runc always is."""

    def __init__(self, directory: Path, images: list[Path]) -> None:
        """Start it, wait until it answers, and load the images."""
        self.directory = directory
        self.address = f"unix://{directory}/docker.sock"
        config = directory / "daemon.json"
        config.write_text(json.dumps(json.loads(read_snippet("docker")) | self.settings()))
        self.daemon = Daemon(["dockerd", "--config-file", config], directory / "log")
        self.daemon.wait_ready(lambda: self.docker("version").status == 0)
        for image in images:
            self.docker("load", "-i", str(image)).ok()

    def settings(self) -> dict[str, object]:
        """The rest of daemon.json: everything below the directory."""
        settings: dict[str, object] = {
            "data-root": f"{self.directory}/root",
            "exec-root": f"{self.directory}/run",
            "pidfile": f"{self.directory}/pid",
            "hosts": [self.address],
            "ip6tables": False,
            "exec-opts": [f"native.cgroupdriver={cgroup_driver()}"],
            "storage-driver": "overlay2",
        }
        if "kernel uml" in read_facts():  # without nftables' NAT there
            settings |= {"bridge": "none", "iptables": False}
        return settings

    def docker(self, *words: str) -> Done:
        """Run the client to its end."""
        return call([CLIENT, "-H", self.address, *words], {"HOME": str(self.directory)})

    def stop(self) -> None:
        """End it, and its containerd with it."""
        self.daemon.stop()


class Docker:
    """The client with one runtime."""

    def __init__(self, dockerd: Dockerd, runtime: str, prefix: str) -> None:
        """Take the daemon, the runtime's name and the beginning of the containers' names."""
        self.dockerd = dockerd
        self.runtime = runtime
        self.prefix = prefix
        self.names: list[str] = []

    def __call__(self, *words: str) -> Done:
        """Run the client to its end."""
        return self.dockerd.docker(*words)

    def name(self) -> str:
        """A name for one more container."""
        self.names.append(f"{self.prefix}-{len(self.names)}")
        return self.names[-1]

    def run_words(self, args: Sequence[str], options: Sequence[str]) -> list[str]:
        """The words of `docker run`."""
        return [
            "run",
            "--runtime",
            self.runtime,
            "--name",
            self.name(),
            *options,
            BUSYBOX_IMAGE,
            *args,
        ]

    def run(self, *args: str, options: Sequence[str] = ()) -> Done:
        """`docker run --rm` in the foreground."""
        return self(*self.run_words(args, ("--rm", *options)))

    def start(self, *args: str, options: Sequence[str] = ()) -> str:
        """`docker run --detach`: the name of the container that runs now."""
        self(*self.run_words(args or ("sleep", "1000"), ("--detach", *options))).ok()
        return self.names[-1]

    def on_terminal(self, *words: str, size: str = "") -> Terminal:
        """Run the client on a terminal."""
        command = [CLIENT, "-H", self.dockerd.address, *words]
        return Terminal(command, {"HOME": str(self.dockerd.directory)}, size)

    def inspect(self, name: str, field: str) -> str:
        """A field of what `docker inspect` tells, like State.Status."""
        return self("inspect", "--format", "{{." + field + "}}", name).ok().text

    def clean_up(self) -> None:
        """Remove every container of ours that there still is."""
        if self.names:
            self("rm", "--force", "--volumes", *self.names)
