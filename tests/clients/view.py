"""Runs a command in a private view of the machine: `python3 -m tests.clients.view COMMAND...`.

The view has its own mounts (on a machine with cgroup v1, too, /sys/fs/cgroup has only cgroup v2),
its own /run, its own network (lo, up) and its own cgroup, which is the root of what it sees. The
machine's mounts, addresses and cgroups stay as they are. What the command leaves behind is named
and removed; a process that is left makes the status 1.

In a guest (GUEST_KERNEL is set) the machine is ours, and systemd needs its own /run and cgroups.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.root.harness import become_subreaper
from tests.support.containers import find_cgroup2, read_children, wait_until
from tests.support.guest import is_guest

# Ranges of ids for Podman: for --userns=auto, and for the tests' ordinary user.
SUBIDS = r"containers:1000000:1000000\nnobody:3000000:65536\n"

HIDE = (
    "mount -t tmpfs -o mode=755 run /run",
    "mkdir -p /run/lock",
    "for d in /usr/local/bin /var/lib/cni /etc/cni /etc/containers /etc/containerd /etc/docker"
    " /usr/share/containers; do [ ! -d $d ] || mount -t tmpfs -o mode=755 own $d; done",
    f"printf '{SUBIDS}' >/run/subids",
    "mount --bind /run/subids /etc/subuid",
    "mount --bind /run/subids /etc/subgid",
    "umount -R /sys/fs/cgroup",
    "mount -t cgroup2 -o rw,nosuid,nodev,noexec,relatime cgroup2 /sys/fs/cgroup",
    # Processes in a cgroup keep its controllers from those below (cgroups(7)).
    "mkdir /sys/fs/cgroup/clients",
    "echo $$ >/sys/fs/cgroup/clients/cgroup.procs",
)
GUEST = (f"printf '{SUBIDS}' >/etc/subuid", "cp /etc/subuid /etc/subgid")
# Mounts are shared inside: clients test propagation. A peer group begins here; the machine's ended
# with `private`.
SETTLE = ("mount --make-rshared /", "ip link set lo up", 'exec "$@"')

# A variable: the mount namespace that the view was made from.
OUTSIDE = "PYOCI_CLIENTS_OUTSIDE"


def is_private() -> bool:
    """Whether we are in such a view."""
    return os.environ.get(OUTSIDE, read_own()) != read_own()


def read_own() -> str:
    """The mount namespace that we are in."""
    return os.readlink("/proc/self/ns/mnt")


def make_command(command: list[str], cgroup: Path | None) -> list[str]:
    """The command line that enters the cgroup, makes the view, then becomes the command."""
    script = " && ".join((*(HIDE if cgroup else GUEST), *SETTLE))
    kinds = ["--mount", "--net", *(["--cgroup"] if cgroup else [])]
    view = ["unshare", *kinds, "--propagation", "private", "sh", "-c", script, "view", *command]
    if cgroup is None:
        return view
    return ["sh", "-c", f'echo $$ >{cgroup}/cgroup.procs && exec "$@"', "view", *view]


def make_cgroup() -> Path | None:
    """A cgroup of our own; none in a guest, where processes keep where systemd put them."""
    if is_guest():
        return None
    tree = find_cgroup2()
    assert tree is not None, "no cgroup v2 is mounted on this machine"
    cgroup = tree / f"pyoci-clients-{os.getpid()}"
    cgroup.mkdir()
    return cgroup


def find_processes() -> list[str]:
    """Our children, in words: what the command started and did not end comes to us."""
    found = []
    for pid in read_children():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        found.append(f"process {pid}: {b' '.join(words).decode(errors='replace')}")
    return found


def end_children() -> None:
    """SIGKILL our children, and theirs as they come to us, until there is none."""

    def have_none() -> bool:
        for pid in read_children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return reap()

    wait_until(have_none)


def remove_cgroup(cgroup: Path) -> list[str]:
    """Remove it and all below; what there was below but the command's own, in words."""
    below = [path for path in sorted(cgroup.rglob("*/"), reverse=True) if path != cgroup]
    for path in (*below, cgroup):
        path.rmdir()
    return [f"cgroup {path.relative_to(cgroup)}" for path in below if path != cgroup / "clients"]


def reap() -> bool:
    """Reap what has ended; whether there is no child any more."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return not read_children()


def clean_up(cgroup: Path | None) -> tuple[list[str], list[str]]:
    """End and remove everything; the processes and the cgroups that there were, in words."""
    with contextlib.suppress(AssertionError):
        wait_until(reap, 5)
    processes = find_processes()
    end_children()
    return processes, remove_cgroup(cgroup) if cgroup else []


def run(command: list[str]) -> int:
    """Run the command in a view; its status, or 1 if it left a process behind."""
    become_subreaper()
    cgroup = make_cgroup()
    environment = os.environ | {OUTSIDE: read_own()}
    try:
        done = subprocess.run(make_command(command, cgroup), env=environment, check=False)
    finally:
        processes, cgroups = clean_up(cgroup)
        for left in (*processes, *cgroups):
            sys.stderr.write(f"view: left behind: {left}\n")
    return done.returncode or (1 if processes else 0)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
