"""`pyoci seccomp` against the program that is compiled: the words say what the filter does."""

from __future__ import annotations

from random import Random

import pytest

from pyoci.plan.seccomp.arches import is_big_endian
from pyoci.plan.seccomp.compile import compile_seccomp, plan_seccomp
from pyoci.plan.seccomp.explain import describe_action, explain_call, explain_profile
from pyoci.plan.seccomp.render import render_call, render_profile
from pyoci.plan.seccomp.verdict import find_action
from tests.support.bpf_simulator import Program
from tests.support.seccomp_profiles import ALL_NAMES, EXAMPLES, MACHINES, table

AUDITS = {
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X32": 0xC000003E,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
    "SCMP_ARCH_ARM": 0x40000028,
    "SCMP_ARCH_RISCV64": 0xC00000F3,
    "SCMP_ARCH_PPC64LE": 0xC0000015,
    "SCMP_ARCH_PPC64": 0x80000015,
    "SCMP_ARCH_S390X": 0x80000016,
    "SCMP_ARCH_S390": 0x00000016,
}
VALUES = (0, 1, 2, 5, 9, 16, 40, 0x5412, 0x7E020000, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1)


@pytest.mark.parametrize("machine", [*MACHINES])
@pytest.mark.parametrize("example", [*EXAMPLES])
def test_the_verdict_on_a_call_is_the_programs(machine: str, example: str) -> None:
    profile = EXAMPLES[example](machine)
    order = ">" if is_big_endian(machine) else "<"
    program = Program(compile_seccomp(profile, machine).program, order)
    plan = plan_seccomp(profile, machine)
    random = Random(example)  # noqa: S311  (the same each time)
    special = [
        "socket",
        "ipc",
        "semget",
        "clone",
        "personality",
        "ioctl",
        "futex",
        "restart_syscall",
    ]
    for name in [*special, *random.sample(ALL_NAMES, 60)]:
        args = tuple(random.choice(VALUES) for _ in range(random.randrange(7)))
        full = (*args, *([0] * 6))[:6]
        for made in explain_call(profile, machine, name, args) if known(name, machine) else []:
            if made.number < 0:
                continue
            given = full
            if made.via:
                given = (int(made.via.rpartition(" ")[2], 16), *full[1:])
            said = program.run(made.number, AUDITS[made.arch], given).action
            assert [a.action for a in made.alternatives] == [describe_action(said)], (name, made)
            assert find_action(plan, AUDITS[made.arch], made.number, given) == said


def known(name: str, machine: str) -> bool:
    return any(name in table(arch) for arch in TABLES_OF[machine]) or name in ("socket", "semget")


TABLES_OF = {
    "x86_64": ("x86_64", "x86", "x32"),
    "aarch64": ("aarch64", "arm"),
    "riscv64": ("riscv64",),
    "ppc64le": ("ppc64",),
    "ppc64": ("ppc64",),
    "s390x": ("s390x", "s390"),
}


@pytest.mark.parametrize("machine", [*MACHINES])
@pytest.mark.parametrize("example", [*EXAMPLES])
def test_the_whole_profile(machine: str, example: str) -> None:
    """Every call of every architecture is there once, and where the newer ones begin."""
    profile = EXAMPLES[example](machine)
    order = ">" if is_big_endian(machine) else "<"
    program = Program(compile_seccomp(profile, machine).program, order)
    explained = explain_profile(profile, machine)
    assert [arch.name for arch in explained.arches] == list(MACHINES[machine])
    for arch, name in zip(explained.arches, TABLES_OF[machine], strict=True):
        audit = AUDITS[arch.name]
        assert {call.name: call.number for call in arch.calls} == table(name)
        for call in arch.calls:
            verdict = program.run(call.number, audit)
            if not verdict.read_arguments:
                assert [a.action for a in call.alternatives] == [describe_action(verdict.action)]
            else:
                assert len(call.alternatives) > 1, call
        if arch.newer_from >= 0:
            assert describe_action(program.run(arch.newer_from, audit).action) == arch.newer
    text = render_profile(profile, machine)
    assert all(line.isprintable() and len(line) <= 200 for line in text.splitlines())
    assert render_call(explain_call(profile, machine, "read", None)).startswith(
        MACHINES[machine][0]
    )
