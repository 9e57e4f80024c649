"""Debian's kernel in QEMU: every controller, PSI, two CPUs, time namespaces; emulated, so slow.

KVM is never asked for: it need not be there, and it hangs on some hosts where it seems to be.
"""

from __future__ import annotations

from conformance.guest.protocol import Request, Share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from conformance.guest.wiring import Wiring

PROGRAM = "qemu-system-x86_64"
PACKAGE = "qemu-system-x86"

KERNEL_WORDS = (
    *("console=ttyS0", "earlyprintk=serial", "quiet", "panic=-1"),
    # What the kernel would measure or work around costs seconds under emulation.
    *("tsc=reliable", "no_timer_check", "mitigations=off"),
    *("cgroup_no_v1=all", "systemd.unified_cgroup_hierarchy=1"),
    *("lsm=landlock,yama,apparmor,bpf", "apparmor=1"),
)


def render_command(request: Request, wiring: Wiring) -> list[str]:
    """The command line of QEMU."""
    image = wiring.image
    command = [PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    command += ["-machine", "q35,usb=off,vmport=off,smbus=off,sata=off", "-cpu", "max"]
    command += ["-accel", "tcg,thread=multi", "-smp", str(request.cpus), "-m", request.memory]
    command += ["-kernel", f"{image / 'vmlinux'}", "-initrd", f"{image / 'initrd'}"]
    command += ["-append", " ".join((*KERNEL_WORDS, *request.append))]
    command += ["-serial", f"file:{wiring.console}"]
    # The lines before all else: their names have the number of their virtio device.
    command += render_lines({"stdout": wiring.stdout_fd, "stderr": wiring.stderr_fd})
    disk = f"file={escape(str(image / 'root.img'))},format=raw,if=none,id=root"
    # Nothing is written to the image, and User Mode Linux may have it open, with a lock.
    command += ["-drive", f"{disk},snapshot=on,cache=unsafe,file.locking=off"]
    command += ["-device", "virtio-blk-pci,drive=root"]
    for share in (Share("control", wiring.control, writable=True), *wiring.shares):
        command += render_share(share)
    return command


def render_lines(lines: dict[str, int]) -> list[str]:
    """A virtio-serial port for each line, on a descriptor that QEMU inherits."""
    words = ["-device", "virtio-serial-pci"]
    for number, (name, fd) in enumerate(lines.items(), 1):
        words += ["-add-fd", f"fd={fd},set={number}"]
        words += ["-chardev", f"file,id={name},path=/dev/fdset/{number},append=on"]
        words += ["-device", f"virtserialport,nr={number},chardev={name},name={name}"]
    return words


def render_share(share: Share) -> list[str]:
    """A directory on 9p."""
    access = "" if share.writable else ",readonly=on"
    source = f"path={escape(str(share.path))},security_model=passthrough,multidevs=remap"
    return [
        *("-fsdev", f"local,id={share.tag},{source}{access}"),
        *("-device", f"virtio-9p-pci,fsdev={share.tag},mount_tag={share.tag}"),
    ]


def escape(value: str) -> str:
    """A value in an option of QEMU's: commas doubled."""
    return value.replace(",", ",,")
