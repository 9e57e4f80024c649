"""Profiles in the shape that engines send, written from what they are known to allow."""

from __future__ import annotations

import functools

from pyoci.plan.seccomp.arches import X32_SYSCALL_BIT
from pyoci.spec.model import Seccomp, SyscallArg, SyscallRule

TABLES = ("x86_64", "x86", "x32", "aarch64", "arm", "riscv64", "ppc64", "s390x", "s390")

# Machine as uname(2) names it: the architectures that its kernel serves.
MACHINES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
    "riscv64": ("SCMP_ARCH_RISCV64",),
    "ppc64le": ("SCMP_ARCH_PPC64LE",),
    "ppc64": ("SCMP_ARCH_PPC64",),
    "s390x": ("SCMP_ARCH_S390X", "SCMP_ARCH_S390"),
}

# config-linux.md, "Seccomp", architectures
_ARCHES_OF_SPEC = """
    X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64
    PPC64LE S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB
"""
ARCHES_OF_SPEC = tuple(f"SCMP_ARCH_{name}" for name in _ARCHES_OF_SPEC.split())

# What Docker and Podman keep for capabilities that a container does not have.
_PRIVILEGED = """
    _sysctl acct add_key bdflush bpf clock_adjtime clock_adjtime64 clock_settime clock_settime64
    clone clone3 create_module delete_module finit_module fsconfig fsmount fsopen fspick
    get_kernel_syms get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup
    ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie lsm_set_self_attr mbind
    migrate_pages mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree
    open_tree_attr perf_event_open personality pivot_root process_madvise query_module quotactl
    quotactl_fd reboot request_key s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr
    set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday socket
    spu_create spu_run stime subpage_prot swapoff swapon switch_endian sysfs syslog umount umount2
    unshare uretprobe uprobe uselib userfaultfd ustat vhangup vm86 vm86old vmsplice vserver
"""
PRIVILEGED = _PRIVILEGED.split()
NAMESPACES = 0x7E020000
AF_NETLINK, AF_VSOCK, NETLINK_AUDIT = 16, 40, 9
ENOSYS, EINVAL, EPERM = 38, 22, 1


@functools.cache
def table(name: str) -> dict[str, int]:
    """One table as a mapping, by the plainest of means."""
    module = __import__(f"pyoci.plan.seccomp.tables.{name}", fromlist=["CALLS"])
    return {
        call: first + i for first, calls in module.CALLS for i, call in enumerate(calls.split())
    }


ALL_NAMES = sorted({name for each in TABLES for name in table(each)})
ALLOWED = tuple(name for name in ALL_NAMES if name not in PRIVILEGED)


def arg(index: int, op: str, value: int, value_two: int = 0) -> SyscallArg:
    """A condition; `op` without its SCMP_CMP_."""
    return SyscallArg(index=index, op=f"SCMP_CMP_{op}", value=value, value_two=value_two)


def rule(
    names: str | tuple[str, ...], action: str, *args: SyscallArg, errno: int | None = None
) -> SyscallRule:
    """An entry of syscalls; `action` without its SCMP_ACT_."""
    names = tuple(names.split()) if isinstance(names, str) else names
    return SyscallRule(names=names, action=f"SCMP_ACT_{action}", args=args, errno_ret=errno)


def profile(
    default: str,
    *rules: SyscallRule,
    arches: tuple[str, ...] = (),
    errno: int | None = None,
    flags: tuple[str, ...] | None = None,
    listener: str = "",
) -> Seccomp:
    """A profile; `default` without its SCMP_ACT_."""
    return Seccomp(
        default_action=f"SCMP_ACT_{default}",
        default_errno_ret=errno,
        architectures=arches,
        flags=flags,
        listener_path=listener,
        syscalls=rules,
    )


def docker(machine: str) -> Seccomp:
    """Docker: everything unprivileged allowed, EPERM for the rest."""
    personalities = [
        rule("personality", "ALLOW", arg(0, "EQ", value))
        for value in (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
    ]
    clone_flags = 1 if machine == "s390x" else 0
    return profile(
        "ERRNO",
        rule(ALLOWED, "ALLOW"),
        rule("socket", "ALLOW", arg(0, "NE", AF_VSOCK)),
        *personalities,
        rule("clone", "ALLOW", arg(clone_flags, "MASKED_EQ", NAMESPACES, 0)),
        rule("clone3", "ERRNO", errno=ENOSYS),
        arches=MACHINES[machine],
        errno=EPERM,
    )


def podman(machine: str) -> Seccomp:
    """Podman: like Docker, but unknown calls get ENOSYS and known ones EPERM by name."""
    refused = tuple(name for name in PRIVILEGED if name not in {"clone", "personality", "socket"})
    return profile(
        "ERRNO",
        rule(refused, "ERRNO", errno=EPERM),
        rule(ALLOWED, "ALLOW"),
        rule("personality", "ALLOW", arg(0, "EQ", 0)),
        rule("personality", "ALLOW", arg(0, "EQ", 0xFFFFFFFF)),
        rule("clone", "ALLOW", arg(0, "MASKED_EQ", NAMESPACES, 0)),
        rule(
            "socket",
            "ERRNO",
            arg(0, "EQ", AF_NETLINK),
            arg(2, "EQ", NETLINK_AUDIT),
            errno=EINVAL,
        ),
        rule("socket", "ALLOW", arg(2, "NE", NETLINK_AUDIT)),
        rule("socket", "ALLOW", arg(0, "NE", AF_NETLINK)),
        arches=MACHINES[machine],
        errno=ENOSYS,
    )


def systemd(machine: str) -> Seccomp:
    """systemd: groups of calls refused, each in its way, and all else allowed."""
    return profile(
        "ALLOW",
        rule(
            "_sysctl bdflush create_module nfsservctl uselib ustat vserver", "ERRNO", errno=ENOSYS
        ),
        rule("kexec_file_load kexec_load reboot", "KILL_PROCESS"),
        rule("mount umount umount2 move_mount fsopen fsmount open_tree", "ERRNO"),
        rule("ioperm iopl pciconfig_read pciconfig_write s390_pci_mmio_read", "TRAP"),
        rule("clock_settime settimeofday stime", "LOG"),
        rule("socket", "ERRNO", arg(0, "GT", 2), errno=97),
        rule("socket", "ERRNO", arg(0, "LT", 1), errno=97),
        rule("mprotect mmap mmap2", "KILL_THREAD", arg(2, "MASKED_EQ", 0x4, 0x4)),
        rule("ioctl", "ERRNO", arg(1, "MASKED_EQ", 0xFFFFFFFF, 0x5412)),
        arches=MACHINES[machine],
    )


def empty(machine: str) -> Seccomp:
    """Nothing but a default action."""
    return profile("ERRNO", arches=MACHINES[machine])


def operators(machine: str) -> Seccomp:
    """Every operator against values in both words."""
    return profile(
        "KILL_PROCESS",
        rule("read", "ALLOW", arg(0, "EQ", 0x1_00000002)),
        rule("write", "ALLOW", arg(1, "NE", 0x1_00000002)),
        rule("close", "ALLOW", arg(2, "GT", 0x1_00000002)),
        rule("openat", "ALLOW", arg(3, "GE", 0x1_00000002)),
        rule("mmap", "ALLOW", arg(4, "LT", 0x1_00000002)),
        rule("mremap", "ALLOW", arg(5, "LE", 0x1_00000002)),
        rule("ioctl", "TRACE", arg(1, "MASKED_EQ", 0xF_0000000F, 0x1_00000002), errno=7),
        rule("fcntl", "TRAP", arg(0, "GE", 10), arg(1, "LE", 20), arg(2, "NE", 0)),
        rule("futex", "LOG", arg(0, "EQ", 1), arg(0, "EQ", 2), arg(1, "EQ", 3)),
        rule("semget msgctl shmat", "ERRNO", arg(0, "EQ", 1), arg(1, "EQ", 5)),
        rule("connect sendmsg", "ERRNO", arg(1, "GT", 5)),
        arches=MACHINES[machine],
    )


EXAMPLES = {
    "docker": docker,
    "podman": podman,
    "systemd": systemd,
    "empty": empty,
    "operators": operators,
}
assert X32_SYSCALL_BIT & max(table("x32").values())
