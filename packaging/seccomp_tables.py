#!/usr/bin/python3
"""Write pyoci/plan/seccomp/tables/*.py: which number each system call has, by architecture.

The numbers come from the kernel's user-space headers, asked through the C
preprocessor. Debian packages them for every architecture we want::

    apt-get install gcc linux-libc-dev linux-libc-dev-{arm64,armhf,ppc64el,riscv64,s390x}-cross
    python3 packaging/seccomp_tables.py [ROOT]

ROOT is where these packages were unpacked, / by default. What a newer kernel
added since is in NEWER and NEWER_SINGLE, so that Debian's stable headers do.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

TABLES = Path(__file__).parent.parent / "pyoci/plan/seccomp/tables"

# table: (directory below ROOT/usr, header, macros that the target's compiler would define)
SOURCES = {
    "x86_64": ("include/x86_64-linux-gnu", "asm/unistd_64.h", ()),
    "x86": ("include/x86_64-linux-gnu", "asm/unistd_32.h", ()),
    "x32": ("include/x86_64-linux-gnu", "asm/unistd_x32.h", ("-D__X32_SYSCALL_BIT=0x40000000",)),
    "aarch64": ("aarch64-linux-gnu/include", "asm/unistd.h", ()),
    "arm": ("arm-linux-gnueabihf/include", "asm/unistd.h", ("-D__ARM_EABI__",)),
    "riscv64": ("riscv64-linux-gnu/include", "asm/unistd.h", ("-D__riscv_xlen=64",)),
    "ppc64": ("powerpc64le-linux-gnu/include", "asm/unistd_64.h", ()),
    "s390x": ("s390x-linux-gnu/include", "asm/unistd_64.h", ()),
    "s390": ("s390x-linux-gnu/include", "asm/unistd_32.h", ()),
}

# Since Linux 5.1 a new call gets the same number everywhere (x32 adds its bit).
NEWER_FIRST = 451
NEWER = """
    cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
    lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat
    removexattrat open_tree_attr file_getattr file_setattr listns rseq_slice_yield
"""
NEWER_SINGLE = {
    "x86_64": {"uretprobe": 335, "uprobe": 336},
    "x32": {"uretprobe": 0x40000000 + 335, "uprobe": 0x40000000 + 336},
    "s390x": {"memfd_secret": 447},
    "s390": {"memfd_secret": 447},
    "riscv64": {"riscv_hwprobe": 258},
}

# Macros of the form __NR_... that are no system calls.
NOT_CALLS = {
    "syscalls",
    "arch_specific_syscall",
    "SYSCALL_BASE",
    "OABI_SYSCALL_BASE",
    "SYSCALL_MASK",
}
X32_SYSCALL_BIT = 0x40000000
LINE_LENGTH = 100


def preprocess(include: Path, options: tuple[str, ...], source: str) -> str:
    """The C preprocessor's output for this source, with only these headers."""
    command = ["cc", "-E", "-P", "-nostdinc", f"-I{include}", *options, "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def macro_names(include: Path, options: tuple[str, ...], header: str) -> list[tuple[str, str]]:
    """(call, macro) for each system call that the header names."""
    found = []
    text = preprocess(include, ("-dM", *options), f"#include <{header}>\n")
    for line in text.splitlines():
        macro = line.split()[1].partition("(")[0]
        for prefix in ("__NR_", "__ARM_NR_"):
            name = macro.removeprefix(prefix)
            if name != macro and name.islower() and name not in NOT_CALLS:
                found.append((name, macro))
    return found


def value_of(expression: str) -> int:
    """The value of a sum of numbers, which is all that these macros are."""
    return sum(int(term, 0) for term in expression.strip("() ").replace("(", "").split("+"))


def read_headers(root: Path, table: str) -> dict[str, int]:
    """The numbers in the headers of one architecture."""
    directory, header, options = SOURCES[table]
    include = root / "usr" / directory
    names = macro_names(include, options, header)
    source = f"#include <{header}>\n" + "".join(f"@ {name} {macro}\n" for name, macro in names)
    numbers = {}
    for line in preprocess(include, options, source).splitlines():
        if line.startswith("@"):
            _, name, expression = line.replace(")", "").split(maxsplit=2)
            numbers[name] = value_of(expression)
    return numbers


def add_newer(table: str, numbers: dict[str, int]) -> None:
    """Add the calls that are younger than the headers."""
    bit = X32_SYSCALL_BIT if table == "x32" else 0
    for number, name in enumerate(NEWER.split(), NEWER_FIRST):
        numbers.setdefault(name, bit + number)
    for name, number in NEWER_SINGLE.get(table, {}).items():
        numbers.setdefault(name, number)


def runs_of(numbers: dict[str, int]) -> list[tuple[int, list[str]]]:
    """(first, names) for each run of consecutive numbers; a second name of one starts a run."""
    runs: list[tuple[int, list[str]]] = []
    for number, name in sorted((number, name) for name, number in numbers.items()):
        if not runs or runs[-1][0] + len(runs[-1][1]) != number:
            runs.append((number, []))
        runs[-1][1].append(name)
    return runs


def render(table: str, numbers: dict[str, int]) -> str:
    """The text of a table's module."""
    lines = [
        f'"""System calls of {table}: (first number, names of that and the following ones).',
        "",
        "Written by packaging/seccomp_tables.py: change that, not this.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "CALLS = (",
    ]
    for first, names in runs_of(numbers):
        shown = f"0x{first:X}" if first > 0xFFFF else str(first)
        wrapped = textwrap.wrap(" ".join(names), 84)
        short = f'    ({shown}, "{wrapped[0]}"),'
        if len(wrapped) == 1 and len(short) <= LINE_LENGTH:
            lines.append(short)
            continue
        lines += ["    (", f"        {shown},"]
        lines += [f'        "{line} "' for line in wrapped[:-1]]
        lines += [f'        "{wrapped[-1]}",', "    ),"]
    return "\n".join([*lines, ")", ""])


def main() -> None:
    """Write every table."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "/")
    for table in SOURCES:
        numbers = read_headers(root, table)
        add_newer(table, numbers)
        (TABLES / f"{table}.py").write_text(render(table, numbers))
        print(f"{table}: {len(numbers)} calls, the last is {max(numbers.values()):#x}")


if __name__ == "__main__":
    main()
