"""The architectures of linux.seccomp, and the numbers that each gives to system calls."""

from __future__ import annotations

from pyoci.errors import ConfigError, UnsupportedError
from pyoci.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import Seccomp

# x32 calls arrive as calls of x86_64 with this bit set (asm/unistd.h).
X32_SYSCALL_BIT = 0x40000000


class Arch(Record):
    """One architecture: its seccomp name, its AUDIT_ARCH_ number, what is special about it.

    `table` names the module in tables/, `first` is its lowest number. `narrow` means
    that arguments have 32 bits, `multiplexed` that socketcall(2) and ipc(2) exist,
    `escaped` that a number which the kernel does not know arrives as 0. `private`
    are numbers above all others that new calls never get.
    """

    name: str
    audit: int
    table: str
    first: int = 0
    narrow: bool = False
    multiplexed: bool = False
    escaped: bool = False
    private: range = range(0)


AUDIT_ARCH_X86_64 = 0xC000003E  # linux/audit.h: ELF machine, 64 bits, little endian

_ARCHES = (
    Arch(name="SCMP_ARCH_X86_64", audit=AUDIT_ARCH_X86_64, table="x86_64"),
    Arch(name="SCMP_ARCH_X86", audit=0x40000003, table="x86", narrow=True, multiplexed=True),
    # Narrow as in libseccomp: 32 bits are what x32's pointers and longs have.
    Arch(
        name="SCMP_ARCH_X32",
        audit=AUDIT_ARCH_X86_64,
        table="x32",
        first=X32_SYSCALL_BIT,
        narrow=True,
    ),
    Arch(name="SCMP_ARCH_AARCH64", audit=0xC00000B7, table="aarch64"),
    Arch(
        name="SCMP_ARCH_ARM",
        audit=0x40000028,
        table="arm",
        narrow=True,
        private=range(0x0F0000, 0x0F0010),  # __ARM_NR_BASE, asm/unistd.h
    ),
    Arch(name="SCMP_ARCH_RISCV64", audit=0xC00000F3, table="riscv64"),
    Arch(name="SCMP_ARCH_PPC64LE", audit=0xC0000015, table="ppc64", multiplexed=True),
    Arch(name="SCMP_ARCH_PPC64", audit=0x80000015, table="ppc64", multiplexed=True),
    Arch(name="SCMP_ARCH_S390X", audit=0x80000016, table="s390x", multiplexed=True, escaped=True),
    Arch(
        name="SCMP_ARCH_S390",
        audit=0x00000016,
        table="s390",
        narrow=True,
        multiplexed=True,
        escaped=True,
    ),
)
_BY_NAME = {arch.name: arch for arch in _ARCHES}

# Valid names of machines that pyoci has no table for. It does not run on them, nor does any
# kernel that it runs on serve them: their calls need no instruction, and get the default kill.
_FOREIGN = {
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
}

# The machine of uname(2): its own architecture.
_NATIVE = {
    "x86_64": "SCMP_ARCH_X86_64",
    "i386": "SCMP_ARCH_X86",
    "i486": "SCMP_ARCH_X86",
    "i586": "SCMP_ARCH_X86",
    "i686": "SCMP_ARCH_X86",
    "aarch64": "SCMP_ARCH_AARCH64",
    "armv6l": "SCMP_ARCH_ARM",
    "armv7l": "SCMP_ARCH_ARM",
    "armv8l": "SCMP_ARCH_ARM",
    "riscv64": "SCMP_ARCH_RISCV64",
    "ppc64le": "SCMP_ARCH_PPC64LE",
    "ppc64": "SCMP_ARCH_PPC64",
    "s390x": "SCMP_ARCH_S390X",
}
_BIG_ENDIAN = {"ppc64", "s390x"}

# linux/net.h: the first argument of socketcall(2)
_SOCKETCALLS = {
    "socket": 1,
    "bind": 2,
    "connect": 3,
    "listen": 4,
    "accept": 5,
    "getsockname": 6,
    "getpeername": 7,
    "socketpair": 8,
    "send": 9,
    "recv": 10,
    "sendto": 11,
    "recvfrom": 12,
    "shutdown": 13,
    "setsockopt": 14,
    "getsockopt": 15,
    "sendmsg": 16,
    "recvmsg": 17,
    "accept4": 18,
    "recvmmsg": 19,
    "sendmmsg": 20,
}
# linux/ipc.h: the first argument of ipc(2)
_IPCCALLS = {
    "semop": 1,
    "semget": 2,
    "semctl": 3,
    "semtimedop": 4,
    "msgsnd": 11,
    "msgrcv": 12,
    "msgget": 13,
    "msgctl": 14,
    "shmat": 21,
    "shmdt": 22,
    "shmget": 23,
    "shmctl": 24,
}
# The calls behind which others hide, and their first argument for each of those.
MULTIPLEXERS = {"socketcall": _SOCKETCALLS, "ipc": _IPCCALLS}


def known_arches() -> tuple[str, ...]:
    """The names that a profile may list, sorted."""
    return tuple(sorted({*_BY_NAME, *_FOREIGN}))


def is_big_endian(machine: str) -> bool:
    """Whether the kernel of this machine lays out numbers with the high byte first."""
    return machine in _BIG_ENDIAN


def select_arches(profile: Seccomp, machine: str) -> list[Arch]:
    """The machine's own architecture and those that the profile lists, once each.

    UnsupportedError for a machine without a table, ConfigError for an unknown name.
    """
    native = _NATIVE.get(machine)
    if native is None:
        raise UnsupportedError(f"linux.seccomp: no system call table for {machine}")
    names = [native]
    for i, name in enumerate(profile.architectures):
        if name not in _BY_NAME and name not in _FOREIGN:
            raise ConfigError(f"linux.seccomp.architectures[{i}]", f"unknown architecture {name!r}")
        if name in _BY_NAME and name not in names:
            names.append(name)
    return [_BY_NAME[name] for name in names]


def load_table(arch: Arch) -> dict[str, int]:
    """The numbers of this architecture's calls by name."""
    module = __import__(f"pyoci.plan.seccomp.tables.{arch.table}", fromlist=["CALLS"])
    numbers: dict[str, int] = {}
    for first, text in module.CALLS:
        names = text.split()
        numbers.update(zip(names, range(first, first + len(names)), strict=True))
    return numbers
