"""Numbers from the kernel's and libc's headers, under their header names.

Only values that are the same on every architecture pyoci knows, but for the
system call numbers in SYSCALLS, which are looked up by machine.
"""

from __future__ import annotations

# sched.h, linux/sched.h
CLONE_NEWTIME = 0x00000080
CLONE_PIDFD = 0x00001000
CLONE_PARENT = 0x00008000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

# linux/mount.h: mount(2)
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_I_VERSION = 0x800000
MS_STRICTATIME = 0x1000000
MS_LAZYTIME = 0x2000000
MNT_DETACH = 0x2

# linux/mount.h: the new mount API
OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = 0x80000
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
FSOPEN_CLOEXEC = 0x1
FSMOUNT_CLOEXEC = 0x1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x0
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

# sys/mman.h, linux/memfd.h
PROT_READ, PROT_WRITE, PROT_EXEC = 0x1, 0x2, 0x4
MAP_PRIVATE = 0x2
MAP_FIXED = 0x10
MREMAP_MAYMOVE = 0x1
MREMAP_FIXED = 0x2
MFD_CLOEXEC = 0x1
MFD_ALLOW_SEALING = 0x2
MFD_EXEC = 0x10

# fcntl.h, linux/fcntl.h, linux/openat2.h
F_ADD_SEALS = 1033
F_GET_SEALS = 1034
F_SEAL_SEAL = 0x1
F_SEAL_SHRINK = 0x2
F_SEAL_GROW = 0x4
F_SEAL_WRITE = 0x8
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
O_PATH = 0x200000
RESOLVE_NO_XDEV = 0x1
RESOLVE_NO_MAGICLINKS = 0x2
RESOLVE_NO_SYMLINKS = 0x4
RESOLVE_BENEATH = 0x8
RESOLVE_IN_ROOT = 0x10

# linux/stat.h
STATX_MNT_ID = 0x1000
STATX_SIZE = 256
STATX_MNT_ID_OFFSET = 144

# linux/magic.h
PROC_SUPER_MAGIC = 0x9FA0
CGROUP2_SUPER_MAGIC = 0x63677270
DEVPTS_SUPER_MAGIC = 0x1CD1

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_SET_MM = 35
PR_SET_MM_MAP = 14
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

# linux/capability.h
LINUX_CAPABILITY_VERSION_3 = 0x20080522

# linux/keyctl.h
KEYCTL_JOIN_SESSION_KEYRING = 1
KEYCTL_SETPERM = 5
KEYCTL_DESCRIBE = 6

# linux/close_range.h
CLOSE_RANGE_CLOEXEC = 0x4

# linux/sockios.h, net/if.h
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
AF_UNIX = 1
AF_INET = 2
SOCK_DGRAM = 2
SOCK_SEQPACKET = 5
SOCK_CLOEXEC = 0x80000

# linux/pidfd.h
PIDFD_GET_INFO = 0xC040FF0B  # with the first 64 bytes of struct pidfd_info
PIDFD_INFO_EXIT = 0x8

# linux/wait.h
P_PIDFD = 3

# Up to 423 every architecture has its own numbers; from 424 on they are common to all.
SYSCALLS = {
    "x86_64": {"rt_sigaction": 13,
        "pivot_root": 155, "keyctl": 250, "seccomp": 317, "bpf": 321, "statx": 332,
        "sched_setattr": 314, "ioprio_set": 251, "set_mempolicy": 238,
    },
    "aarch64": {"rt_sigaction": 134,
        "pivot_root": 41, "keyctl": 219, "seccomp": 277, "bpf": 280, "statx": 291,
        "sched_setattr": 274, "ioprio_set": 30, "set_mempolicy": 237,
    },
    "riscv64": {"rt_sigaction": 134,
        "pivot_root": 41, "keyctl": 219, "seccomp": 277, "bpf": 280, "statx": 291,
        "sched_setattr": 274, "ioprio_set": 30, "set_mempolicy": 237,
    },
    "ppc64le": {"rt_sigaction": 173,
        "pivot_root": 203, "keyctl": 271, "seccomp": 358, "bpf": 361, "statx": 383,
        "sched_setattr": 355, "ioprio_set": 273, "set_mempolicy": 261,
    },
    "s390x": {"rt_sigaction": 174,
        "pivot_root": 217, "keyctl": 280, "seccomp": 348, "bpf": 351, "statx": 379,
        "sched_setattr": 345, "ioprio_set": 282, "set_mempolicy": 270,
    },
    "armv7l": {"rt_sigaction": 174,
        "pivot_root": 218, "keyctl": 311, "seccomp": 383, "bpf": 386, "statx": 397,
        "sched_setattr": 380, "ioprio_set": 314, "set_mempolicy": 321,
    },
    "i686": {"rt_sigaction": 174,
        "pivot_root": 217, "keyctl": 288, "seccomp": 354, "bpf": 357, "statx": 383,
        "sched_setattr": 351, "ioprio_set": 289, "set_mempolicy": 276,
    },
}  # fmt: skip
NR_OPEN_TREE = 428
NR_MOVE_MOUNT = 429
NR_FSOPEN = 430
NR_FSCONFIG = 431
NR_FSMOUNT = 432
NR_CLONE3 = 435
NR_CLOSE_RANGE = 436
NR_OPENAT2 = 437
NR_PIDFD_GETFD = 438
NR_MOUNT_SETATTR = 442
