"""A small SELinux policy: three types between which everything is allowed, to see labels by.

Classes and permissions that it does not name are allowed (handleunknown), so that nothing is
tested but where labels come from. Compiled by secilc(8).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

# The kernel's own, in its order (security/selinux/include/initial_sid_to_string.h).
_NAMES = """
    kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet
    icmp_socket tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix
    sysctl_vm sysctl_dev kmod policy scmp_packet devnull
"""
SIDS = tuple(_NAMES.split())
# A transition is looked up in the class, which must be there.
CLASSES = {
    "process": "transition dyntransition",
    "process2": "nnp_transition",
    **dict.fromkeys(("dir", "file", "lnk_file", "chr_file", "sock_file", "fifo_file"), "read"),
    "key": "view",
}
TYPES = ("base_t", "container_t", "other_t", "container_file_t")
CATEGORIES = ("c0", "c1", "c2", "c3")
BASE = "(system_u {} base_t ((s0) (s0)))"
FILESYSTEMS = {
    "fsuse xattr": ("ext4", "overlay"),
    "fsuse trans": ("tmpfs", "devtmpfs", "devpts", "mqueue"),
    "genfscon": ("proc", "sysfs", "cgroup2", "9p", "selinuxfs"),
}
VERSION = "33"  # of the format: Linux 5.16 and later take it


def render_policy() -> str:
    """The policy in the Common Intermediate Language."""
    lines = ["(handleunknown allow)", "(mls true)", "(policycap nnp_nosuid_transition)"]
    lines += [f"(class {name} ({permissions}))" for name, permissions in CLASSES.items()]
    lines.append(f"(classorder ({' '.join(CLASSES)}))")
    lines += [f"(sid {name})" for name in SIDS]
    lines.append(f"(sidorder ({' '.join(SIDS)}))")
    lines += ["(sensitivity s0)", "(sensitivityorder (s0))"]
    lines += [f"(category {name})" for name in CATEGORIES]
    lines.append(f"(categoryorder ({' '.join(CATEGORIES)}))")
    lines.append(f"(sensitivitycategory s0 (range {CATEGORIES[0]} {CATEGORIES[-1]}))")
    lines += ["(user system_u)", "(role system_r)", "(role object_r)"]
    lines += ["(userrole system_u system_r)", "(userrole system_u object_r)"]
    lines.append("(userlevel system_u (s0))")
    lines.append(f"(userrange system_u ((s0) (s0 (range {CATEGORIES[0]} {CATEGORIES[-1]}))))")
    for name in TYPES:
        roles = ("system_r", "object_r")
        lines += [f"(type {name})", *[f"(roletype {role} {name})" for role in roles]]
    lines += ["(typeattribute all_t)", f"(typeattributeset all_t ({' '.join(TYPES)}))"]
    lines += [f"(allow all_t all_t ({name} ({each})))" for name, each in CLASSES.items()]
    lines += [f"(sidcontext {name} {BASE.format('system_r')})" for name in SIDS]
    for statement, kinds in FILESYSTEMS.items():
        root = " /" if statement == "genfscon" else ""
        lines += [f"({statement} {kind}{root} {BASE.format('object_r')})" for kind in kinds]
    return "\n".join(lines) + "\n"


def load_policy(directory: Path) -> None:
    """Compile the policy and have the kernel go by it; it can not be taken back."""
    source, binary = directory / "policy.cil", directory / "policy"
    source.write_text(render_policy())
    subprocess.run(["secilc", "-c", VERSION, "-o", binary, "-f", "/dev/null", source], check=True)
    # In one write: the kernel takes no part of it.
    Path("/sys/fs/selinux/load").write_bytes(binary.read_bytes())
