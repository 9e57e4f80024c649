"""What host and guest tell each other: a control directory, shares, two lines for the output.

    control/init           first to run from here (image: scripts/boot.sh)
    control/settings.sh    which kernel, init and lines; rendered
    control/shares.sh      mounts the shares; rendered
    control/run            the command, its environment and directory; rendered
    control/began          made by the guest when the command starts
    control/status         written by the guest at the end: the exit status of the command
    the rest               scripts/, as it is

Pure but for `write_control` and `read_status`.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, field

from conformance.guest.recipe import SCRIPTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KERNELS = ("uml", "vm")
LINES = {
    "uml": ("/dev/ttyS0", "/dev/ttyS1"),
    # Named after the virtio device, of which it must be the first.
    "vm": ("/dev/vport0p1", "/dev/vport0p2"),
}
SCRIPT_NAMES = {
    "init.sh": "init",
    "finish.sh": "finish.sh",
    "minimal.sh": "minimal.sh",
    "systemd.sh": "systemd.sh",
    "stopped.sh": "stopped",
}

# The exit statuses that are ours, as in timeout(1) and env(1).
EXIT_TIMEOUT, EXIT_FAILED = 124, 125

BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


@dataclass(frozen=True)
class Request:
    """A command and the guest that it shall run in."""

    command: tuple[str, ...]
    directory: Path
    kernel: str = "uml"
    systemd: bool = False
    shared: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: str = "2G"
    cpus: int = 2
    append: tuple[str, ...] = ()

    @property
    def init(self) -> str:
        """What is process 1."""
        return "systemd" if self.systemd else "minimal"


@dataclass(frozen=True)
class Share:
    """A directory of the host that the guest has at the same path."""

    tag: str
    path: Path
    writable: bool


def plan_shares(request: Request) -> tuple[Share, ...]:
    """The shares, outer directories first, so that none hides one inside it.

    The command's directory is always one. A share that is not writable can be
    written to in the guest, but nothing of that reaches the host.
    """
    wanted = {path.resolve(): False for path in (request.directory, *request.shared)}
    wanted |= {path.resolve(): True for path in request.writable}
    ordered = sorted(wanted.items(), key=lambda item: (len(item[0].parts), item[0]))
    return tuple(
        Share(f"share{number}", path, writable) for number, (path, writable) in enumerate(ordered)
    )


def render_settings(request: Request) -> str:
    """settings.sh."""
    out, err = LINES[request.kernel]
    settings = {
        "GUEST_STDOUT": out,
        "GUEST_STDERR": err,
        "GUEST_KERNEL": request.kernel,
        "GUEST_INIT": request.init,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def render_shares(kernel: str, shares: tuple[Share, ...]) -> str:
    """shares.sh: a writable share as it is, any other below an overlay."""
    lines = []
    for share in shares:
        place, at = f"/guest/share/{share.tag}", shlex.quote(str(share.path))
        lines.append(f"mkdir -p {at} {place}/lower {place}/upper {place}/work")
        lines.append(render_mount(kernel, share, at if share.writable else f"{place}/lower"))
        if not share.writable:
            layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
            # Without redirect_dir a directory of the host cannot be renamed (EXDEV).
            lines.append(f"mount -t overlay -o {layers},redirect_dir=on overlay {at}")
    return "\n".join([*lines, ""])


def render_mount(kernel: str, share: Share, target: str) -> str:
    """The command that mounts a share: hostfs or 9p."""
    access = "rw" if share.writable else "ro"
    if kernel == "uml":
        options = f"{shlex.quote(str(share.path))},{access}"
        return f"mount -t hostfs -o {options} none {target}"
    cache = "mmap" if share.writable else "loose"
    options = f"trans=virtio,version=9p2000.L,msize=512000,cache={cache},{access}"
    return f"mount -t 9p -o {options} {share.tag} {target}"


def render_run(request: Request) -> str:
    """The script that becomes the command."""
    environment = {
        **BASE_ENVIRONMENT,
        "GUEST_KERNEL": request.kernel,
        "GUEST_INIT": request.init,
        **request.environment,
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines = [
        "#!/bin/sh",
        ": >/guest/control/began",
        *exports,
        f"cd {shlex.quote(str(request.directory.resolve()))} || exit {EXIT_FAILED}",
        f"exec {shlex.join(request.command)}",
    ]
    return "\n".join([*lines, ""])


def write_control(control: Path, request: Request, shares: tuple[Share, ...]) -> None:
    """Fill the control directory of a run."""
    for script, name in SCRIPT_NAMES.items():
        shutil.copyfile(SCRIPTS / script, control / name)
    (control / "settings.sh").write_text(render_settings(request))
    (control / "shares.sh").write_text(render_shares(request.kernel, shares))
    (control / "run").write_text(render_run(request))
    for name in ("run", "stopped"):
        (control / name).chmod(0o755)


def read_status(control: Path) -> int | None:
    """The exit status of the command; None if the guest ended without telling."""
    try:
        return int((control / "status").read_text())
    except (FileNotFoundError, ValueError):
        return None


def has_begun(control: Path) -> bool:
    """Whether the command was started."""
    return (control / "began").exists()
