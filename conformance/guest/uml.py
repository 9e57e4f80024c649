"""User Mode Linux: the kernel as an ordinary process; fast, but one CPU and few controllers."""

from __future__ import annotations

from conformance.guest.errors import GuestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from conformance.guest.protocol import Request
    from conformance.guest.wiring import Wiring

KERNEL_WORDS = (
    *("root=/dev/ubda", "rootfstype=ext4", "rw", "rootflags=noinit_itable", "init=/guest/boot"),
    *("quiet", "panic=-1", "cgroup_no_v1=all", "systemd.unified_cgroup_hierarchy=1"),
    *("lsm=yama,apparmor", "apparmor=1"),
)


def render_command(request: Request, wiring: Wiring) -> list[str]:
    """The command line of the kernel. `null` is the input of each line; a descriptor serves one."""
    for path in (wiring.work, wiring.image, *(share.path for share in wiring.shares)):
        if "," in str(path):
            raise GuestError(f"{path}: User Mode Linux cannot take a path with a comma")
    return [
        str(wiring.image / "linux.uml"),
        f"mem={request.memory}",
        f"uml_dir={wiring.work}/",
        "umid=uml",
        # What is written goes to the first file, which is sparse.
        f"ubd0={wiring.work / 'writes'},{wiring.image / 'root.img'}",
        f"hostfs_control={wiring.control}",
        *("con=null", f"con0=null,fd:{wiring.console_fd}"),
        *("ssl=null", f"ssl0=null,fd:{wiring.stdout_fd}", f"ssl1=null,fd:{wiring.stderr_fd}"),
        *KERNEL_WORDS,
        *request.append,
    ]
